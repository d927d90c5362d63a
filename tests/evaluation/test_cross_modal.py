import pytest
import torch

from mmrec.evaluation import cross_modal
from mmrec.evaluation.cross_modal import cross_modal_metrics, cross_modal_ranks


def vectors(seed, num_items=23):
    return torch.randn(num_items, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_ranks_are_those_of_a_loop_over_items(chunk, monkeypatch):
    monkeypatch.setattr(cross_modal, "CHUNK", chunk)
    queries, candidates = vectors(0), vectors(1)
    candidates[7] = candidates[3]  # equals count against each other
    expected = []
    for item, query in enumerate(queries.double()):
        scores = [float(query @ candidate) for candidate in candidates.double()]
        expected.append(sum(score >= scores[item] - 1e-9 for score in scores))
    assert cross_modal_ranks(queries, candidates).tolist() == expected


def test_metrics_are_means_over_the_ranks():
    queries, candidates = vectors(0), vectors(1)
    ranks = cross_modal_ranks(queries, candidates).double()
    found = cross_modal_metrics(queries, candidates, [1, 5])
    expected = {
        "recall@1": float((ranks <= 1).double().mean()),
        "recall@5": float((ranks <= 5).double().mean()),
        "mrr": float((1 / ranks).mean()),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert {"ndcg@5", "mrr@5"} <= found.keys()
    assert cross_modal_metrics(queries, 3 * queries, [1])["recall@1"] > 0.5


def test_a_vector_that_is_not_finite_is_refused():
    queries = vectors(0)
    queries[4, 0] = torch.nan
    with pytest.raises(ValueError, match="a score that is NaN"):
        cross_modal_ranks(queries, vectors(1))
