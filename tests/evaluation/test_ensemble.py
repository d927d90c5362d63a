"""Ensembles against plain loops: normalisation, weights, vectors, ties, parts that say nothing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import pytest
import torch

from mmrec.data.sequences import Sequences
from mmrec.data.split import HeldOut, full_histories, hold_out_test, hold_out_validation
from mmrec.evaluation.ensemble import Ensemble, PartWeights, part_scores, spread_of
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.evaluation.weight_search import FoundWeights, Groups, find_weights, settings_of
from mmrec.recommender import History, Recommender, VectorRecommender

NUM_ITEMS = 9  # padding included
COUNTS = torch.tensor([0, 9, 4, 4, 1, 0, 7, 2, 1])


class Vectors(VectorRecommender):
    """The mean of the history's vectors."""

    def __init__(self, seed: int, *, scale: float = 1.0) -> None:
        super().__init__(num_items=NUM_ITEMS, max_sequence_length=3)
        generator = torch.Generator().manual_seed(seed)
        self.table = scale * torch.randn(NUM_ITEMS, 4, generator=generator)
        self.table[0] = 0

    def item_table(self) -> torch.Tensor:
        return self.table

    def encode(self, history: History) -> torch.Tensor:
        lengths = (history.items > 0).sum(dim=1, keepdim=True)
        return self.table[history.items].sum(dim=1) / lengths


class Given(Recommender):
    """The same scores for everybody."""

    def __init__(self, scores: Sequence[float]) -> None:
        super().__init__(num_items=len(scores), max_sequence_length=5)
        self.of_items = torch.tensor(scores)

    def scores(self, history: History) -> torch.Tensor:
        return self.of_items.repeat(len(history.items), 1)


def sequences() -> Sequences:
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(3, 7, (40,), generator=generator).tolist()
    return Sequences.from_lists(
        [(torch.randperm(8, generator=generator)[:length] + 1).tolist() for length in lengths]
    )


def weights(*values: float) -> PartWeights:
    return PartWeights(torch.tensor([[values]], dtype=torch.float64))


def history_of(held_out: HeldOut, row: int) -> list[int]:
    found: list[int] = held_out.histories.padded(torch.tensor([row]))[0].tolist()
    return found


def by_loops(parts: Sequence[Recommender], held_out: HeldOut, found: PartWeights) -> list[int]:
    """Rank of every target, by the formula."""
    ranks = []
    for row, target in enumerate(held_out.targets.tolist()):
        history = history_of(held_out, row)
        h = sum(len(history) > end for end in found.history_ends)
        totals = dict.fromkeys(range(1, NUM_ITEMS), 0.0)
        for place, part in enumerate(parts):
            latest = torch.tensor([history[-part.max_sequence_length :]])
            scores = part.scores(History(held_out.histories.users[[row]], latest))[0].tolist()
            others = [scores[item] for item in totals if item not in history]
            mean, sd = statistics.fmean(others), statistics.pstdev(others)
            for item in totals:
                c = sum(int(COUNTS[item]) > end for end in found.count_ends)
                weight = float(found.values[h, c, place])
                totals[item] += weight * (scores[item] - mean) / sd if sd else 0.0
        rivals = [totals[item] for item in totals if item not in history or item == target]
        ranks.append(sum(rival >= totals[target] - 1e-9 for rival in rivals))
    return ranks


POPULAR = Given([0.0, 9.0, 4.0, 4.0, 1.0, 0.0, 7.0, 2.0, 1.0])
BY_GROUP = PartWeights(
    torch.tensor([[[0.1, 0.9], [0.7, 0.3]], [[1.0, 0.0], [0.4, 0.6]]], dtype=torch.float64),
    [3],
    [2],
)


@pytest.mark.parametrize("found", [weights(0.3, 0.7), BY_GROUP])
def test_ranks_are_those_of_the_formula(found: PartWeights) -> None:
    parts, held_out = [Vectors(1, scale=50), POPULAR], hold_out_test(sequences())
    ranked = Ensemble(parts, found, COUNTS).rank(held_out, mask_history=True)
    expected = by_loops(parts, held_out, found)
    assert ranked.ranks.tolist() == expected
    assert len({*expected}) > 3
    again = Ensemble(parts, found, COUNTS).rank(held_out, mask_history=True)
    assert torch.equal(ranked.ranks, again.ranks)


@pytest.mark.parametrize("mask_history", [True, False])
def test_a_single_part_ranks_as_its_run_ties_included(mask_history: bool) -> None:
    held_out = hold_out_test(sequences())
    for place, part in enumerate([POPULAR, Vectors(2)]):
        found = weights(*(float(own == place) for own in range(2)))
        ensemble = Ensemble([POPULAR, Vectors(2)], found, COUNTS)
        own = rank_held_out(part, held_out, mask_history=mask_history, list_length=4)
        together = ensemble.rank(held_out, mask_history=mask_history, list_length=4)
        assert torch.equal(own.ranks, together.ranks)
        assert torch.equal(own.lists, together.lists)


@pytest.mark.parametrize("value", [0.0, 1 / 3, -1e7])
def test_a_part_that_scores_all_alike_says_nothing(value: float) -> None:
    held_out = hold_out_test(sequences())
    flat, alone = Given([value] * NUM_ITEMS), Vectors(2)
    together = Ensemble([flat, alone], weights(0.9, 0.1), COUNTS).rank(held_out, mask_history=True)
    own = rank_held_out(alone, held_out, mask_history=True)
    assert torch.equal(together.ranks, own.ranks)
    only = Ensemble([flat, alone], weights(1.0, 0.0), COUNTS).rank(held_out, mask_history=True)
    candidates = NUM_ITEMS - 1 - held_out.histories.lengths
    assert torch.equal(only.ranks, candidates), "all tie, which counts against them"


def test_what_was_seen_changes_no_mean_and_no_spread() -> None:
    scores = torch.tensor([[7.0, 1.0, 2.0, 3.0, 99.0]])
    mean, scale = spread_of(scores, torch.tensor([[4, 4, 0]]))
    assert (mean.item(), scale.item()) == pytest.approx((2.0, 1 / statistics.pstdev([1, 2, 3])))
    mean, scale = spread_of(scores, torch.tensor([[1, 2, 3, 4]]))
    assert (mean.item(), scale.item()) == (0.0, 0.0), "nothing is left"
    with pytest.raises(ValueError, match="not finite"):
        spread_of(torch.tensor([[0.0, torch.nan]]), torch.tensor([[0]]))


def test_vectors_give_the_order_of_the_scores_where_they_can() -> None:
    parts, histories = [Vectors(1, scale=30), Vectors(2)], full_histories(sequences())
    ensemble = Ensemble(parts, weights(0.25, 0.75), COUNTS)
    found = ensemble.vectors(histories)
    assert found is not None
    table, queries = found
    assert table.shape == (NUM_ITEMS, 8)
    scores = part_scores(parts, histories, COUNTS)
    rows = torch.arange(histories.num_rows)
    expected = scores.combined(scores.normalised(rows), rows, ensemble.weights)[:, 1:]
    products = (queries @ table.T)[:, 1:].double()
    offset = expected - products
    assert torch.allclose(offset, offset[:, :1].expand_as(offset), atol=1e-5)
    assert torch.equal(products.argsort(dim=1), expected.argsort(dim=1))
    assert Ensemble([parts[0], POPULAR], weights(0.5, 0.5), COUNTS).vectors(histories) is None
    assert Ensemble(parts, BY_GROUP, COUNTS).vectors(histories) is None


def test_settings_are_all_that_sum_to_one_single_parts_first() -> None:
    found = settings_of(3, 4)
    assert len(found) == len({*map(tuple, found.tolist())}) == 5 * 6 // 2
    assert found[:3].tolist() == torch.eye(3).tolist()
    assert (found >= 0).all()
    assert torch.equal(found.sum(dim=1), torch.ones(15, dtype=torch.float64))


def searched(parts: Sequence[Recommender], held_out: HeldOut, groups: Groups) -> FoundWeights:
    return find_weights(
        part_scores(parts, held_out.histories, COUNTS),
        held_out,
        metric="mrr",
        steps=10,
        mask_history=True,
        groups=groups,
    )


def test_found_weights_are_the_best_and_as_good_as_they_say() -> None:
    parts, held_out = [Vectors(1), Vectors(2), POPULAR], hold_out_validation(sequences())
    found = searched(parts, held_out, Groups())
    values = []
    for setting in settings_of(3, 10):
        ranks = by_loops(parts, held_out, PartWeights(setting[None, None]))
        values.append(statistics.fmean(1 / rank for rank in ranks))
    assert found.value == found.of_global == pytest.approx(max(values))
    assert list(found.of_parts) == pytest.approx(values[:3])
    assert found.value > max(found.of_parts)
    best = settings_of(3, 10)[max(range(len(values)), key=values.__getitem__)]
    assert torch.equal(found.weights.values[0, 0], best)
    assert (found.num_settings, found.num_targets) == (66, 40)
    again = searched(parts, held_out, Groups())
    assert torch.equal(again.weights.values, found.weights.values)


def test_by_group_is_never_worse_and_small_groups_keep_what_is_good_for_all() -> None:
    parts, held_out = [Vectors(1), POPULAR], hold_out_validation(sequences())
    groups = Groups(history_ends=[2], count_ends=[2], min_targets=1)
    found = searched(parts, held_out, groups)
    assert found.num_settings == 11 + 2 * 2 * 11
    assert found.value > found.of_global >= max(found.of_parts)
    ranks = by_loops(parts, held_out, found.weights)
    assert found.value == pytest.approx(statistics.fmean(1 / rank for rank in ranks))
    everybody = searched(parts, held_out, Groups())
    small = searched(parts, held_out, Groups([2], [2], min_targets=41))
    expected = everybody.weights.values.expand(2, 2, 2)
    assert torch.equal(small.weights.values, expected)


def test_the_part_that_knows_is_taken_alone_and_test_items_decide_nothing() -> None:
    """Everybody's validation item is 5; afterwards all chose what the other part says."""
    histories = [[1 + user % 4, 6, 5, 8] for user in range(12)]
    knows = Given([0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0])
    wrong = Given([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0])
    found = searched([wrong, knows], hold_out_validation(Sequences.from_lists(histories)), Groups())
    assert found.value == 1.0
    other = [[*items[:3], 7] for items in histories]
    again = searched([wrong, knows], hold_out_validation(Sequences.from_lists(other)), Groups())
    assert torch.equal(found.weights.values, again.weights.values)
    assert found.weights.values[0, 0].tolist() == [0.0, 1.0], "single parts first"
