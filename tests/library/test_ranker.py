"""How a run ranks: by a model that no other thread can put back to training."""

from __future__ import annotations

import pytest

from mmrec.library.ranker import kept
from mmrec.recommender import inference
from tests.models import worlds


@pytest.mark.parametrize("name", ["sasrec", "itemknn"])
def test_a_model_that_has_ranked_is_not_in_training(name: str) -> None:
    model = kept(worlds.recommender(worlds.params(name)).train())
    with inference(model):
        pass
    assert not any(part.training for part in model.modules())
