"""Scores that are raised by popularity, and the vectors that give them."""

import math

import pytest
import torch

from mmrec.models.popularity_correction import PopularityCorrected, corrected
from mmrec.nn.scoring import score
from tests.models import worlds
from tests.models.cases import SUPERVISED

COUNTS = torch.tensor([0, 3, 0, 1, 7, 2, 9, 0, 1, 1, 4, 5, 30])


@pytest.mark.parametrize("power", [0.75, -0.5])
@pytest.mark.parametrize("name", [name for name, _ in SUPERVISED])
def test_scores_and_vectors_have_the_power_of_the_training_interactions(name, power):
    model = worlds.recommender(worlds.params(name))
    found = corrected(model, COUNTS, power=power)
    items = worlds.sequences(worlds.LENGTHS)
    expected = worlds.scores(model, items)
    for item, count in enumerate(COUNTS.tolist()):
        expected[:, item] += power * math.log(max(count, 1))
    torch.testing.assert_close(worlds.scores(found, items), expected)
    table = found.item_table()
    assert not table[0].any()
    for queries in (
        found.encode(worlds.history(items)),
        found.encode_by(table, worlds.history(items)),
    ):
        torch.testing.assert_close(score(queries, table), expected)


def test_without_a_power_it_is_the_model_itself():
    model = worlds.recommender(worlds.params("sasrec"))
    assert corrected(model, COUNTS, power=0.0) is model
    assert isinstance(corrected(model, COUNTS, power=1.0), PopularityCorrected)
