"""The best items of a row: against sorting whole rows, with ties, masks and short catalogues."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmrec.evaluation.top_items import FEW, GROUP, rounds
from mmrec.evaluation.top_items import top_items as of_rounds
from mmrec.nn.scoring import score

INF = float("inf")


def top_items(scores: Tensor, length: int) -> Tensor:
    found = rounds(scores)
    assert torch.equal(found[-1].amax(dim=0), scores.amax(dim=1))
    return of_rounds(found, length)


def slow(scores: Tensor, length: int) -> list[list[int]]:
    lists = []
    for row in scores.tolist():
        order = sorted(range(1, len(row)), key=lambda item: (-row[item], item))
        items = [item for item in order if row[item] > -INF][:length]
        lists.append(items + [0] * (length - len(items)))
    return lists


SIZES = [2, 5, GROUP, GROUP + 1, 3 * GROUP, 7 * GROUP + 5, 2000, 3 * GROUP**2, FEW * GROUP + 7]


def padded(scores: Tensor) -> Tensor:
    scores[:, 0] = -INF
    return scores


@pytest.mark.parametrize("num_items", SIZES)
@pytest.mark.parametrize("length", [1, 3, 10, 40])
@pytest.mark.parametrize("kinds", [2, 5, 100_000])
def test_lists_are_those_of_sorting_everything(num_items: int, length: int, kinds: int) -> None:
    generator = torch.Generator().manual_seed(num_items * length)
    shape = (20, num_items)
    scores = (torch.randint(-kinds, kinds, shape, generator=generator)).float() / 7
    scores[torch.rand(shape, generator=generator) < 0.3] = -INF
    for one in (padded(scores), padded(scores.T.contiguous().T)):
        assert top_items(one, length).tolist() == slow(one, length)


def test_negative_zero_is_zero_and_tiny_numbers_are_told_apart() -> None:
    scores = padded(torch.tensor([[0.0, -0.0, 0.0, -0.0, -1e-45, 1e-45, -1e-38, 3e38, -3e38]]))
    assert top_items(scores, 8).tolist() == [[7, 5, 1, 2, 3, 4, 6, 8]]


def test_equal_scores_everywhere_give_the_first_items() -> None:
    assert top_items(padded(torch.full((3, 500), -2.5)), 4).tolist() == [[1, 2, 3, 4]] * 3


def test_nothing_left_is_an_empty_list() -> None:
    assert top_items(torch.full((2, 90), -INF), 3).tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_scores_of_half_precision_are_compared_as_they_are(kind: torch.dtype) -> None:
    scores = padded(torch.randn(5, 300, generator=torch.Generator().manual_seed(0)).to(kind))
    assert top_items(scores, 10).tolist() == slow(scores.float(), 10)


def test_scores_as_models_give_them() -> None:
    generator = torch.Generator().manual_seed(0)
    table, queries = (torch.randn(size, 8, generator=generator) for size in (777, 33))
    scores = score(queries, table)
    assert top_items(scores, 20).tolist() == slow(scores, 20)
