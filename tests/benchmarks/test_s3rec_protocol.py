"""SASRec ranked as S3-Rec's authors do: seen items at 0, padding and the mask among the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import s3rec_protocol
from benchmarks.s3rec_protocol import WithPaddingAndMask
from mmrec.data.histories import Histories
from mmrec.data.split import HeldOut
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.io import read_json
from mmrec.recommender import History, VectorRecommender


class Fixed(VectorRecommender):
    """Scores that are the same for everybody."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__(num_items=len(scores), max_sequence_length=5)
        self.table = torch.tensor(scores)[:, None]

    def item_table(self) -> Tensor:
        return self.table

    def encode(self, history: History) -> Tensor:
        return torch.ones(len(history.users), 1)


@pytest.mark.parametrize(("target", "rank"), [(2, 1), (4, 6), (5, 7)])
def test_below_zero_one_is_behind_what_was_seen_padding_and_the_mask(
    target: int, rank: int
) -> None:
    scores = [0.0, 3.0, 2.0, -4.0, -1.0, -2.0]
    model = WithPaddingAndMask(Fixed(scores), seed=1)
    assert 0 < abs(float(model.mask)) < 0.1
    history = torch.tensor([1, 3], dtype=torch.int32)
    one = Histories(history, torch.tensor([0]), torch.tensor([0]), torch.tensor([2]))
    held_out = HeldOut(one, torch.tensor([target]))
    assert rank_held_out(model, held_out, mask_history="zero").ranks.tolist() == [rank]


def test_it_trains_and_ranks_both_ways(tmp_path: Path) -> None:
    lines = [f"{user} {' '.join(str((user + step) % 9) for step in range(5))}" for user in range(9)]
    (tmp_path / "Beauty.txt").write_text("\n".join(lines) + "\n")
    results = tmp_path / "found.json"
    asked = [str(tmp_path), "--datasets", "beauty", "--epochs", "1", "--results", str(results)]
    s3rec_protocol.main(s3rec_protocol.parser().parse_args(asked))
    found = read_json(results)
    assert [one["seed"] for one in found["runs"]] == [*s3rec_protocol.SEEDS]
    table = results.with_suffix(".md").read_text()
    assert "| beauty | printed | – | 0.0387 | 0.0605 |" in table
    assert table.count("| beauty | as the authors rank | 3 |") == 1
