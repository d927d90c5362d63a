"""MMSRec: who sees whom, what is a candidate, item contrast, and what a pre-training hands on."""

import math

import numpy as np
import pytest
import torch

from mmrec.models.loading import load_pretrained
from tests import reference_mmsrec
from tests.models import worlds
from tests.models.mmsrec_forms import MASK, built, loss_of, params, straightforward
from tests.models.worlds import NUM_ITEMS


def queries(model, items, row=0):
    """States at every step of one of right-padded rows."""
    steps = torch.arange(int((items[row] != 0).sum()))
    return model.queries_and_table(items, torch.full_like(steps, row), steps).queries


@pytest.mark.parametrize("place", range(4))
def test_every_step_sees_every_other(place):
    model = built(params())
    items = torch.tensor([[4, 2, 9, MASK]])
    other = items.clone()
    other[0, place] = 11
    before, after = queries(model, items), queries(model, other)
    changed = (before - after).abs().amax(dim=1)
    assert (changed > 1e-4).all(), changed


def test_an_item_counts_by_its_place_and_not_by_its_neighbours_alone():
    model = built(params())
    found = [worlds.scores(model, torch.tensor([order])) for order in ([4, 2, 9], [2, 4, 9])]
    assert not torch.allclose(*found)


def test_neither_padding_nor_the_mask_is_a_candidate():
    model = built(params())
    found = model.scores(worlds.history(torch.tensor([[4, 2]])))
    assert found.shape == (1, NUM_ITEMS)
    assert found[0, 0] == -math.inf
    table = model.item_table()
    assert table.shape[0] == NUM_ITEMS
    assert not table[0].any()


def test_scores_are_cosines_over_the_temperature():
    model = built(params(temperature=0.05))
    scores = worlds.scores(model, worlds.sequences([3, 9, 1]))[:, 1:]
    assert scores.abs().max() <= 1 / 0.05 + 1e-9
    assert scores.abs().max() > 1


def test_the_history_is_cut_to_make_room_for_the_mask():
    model = built(params())
    assert model.max_sequence_length == 9
