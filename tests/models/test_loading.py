import pytest
import torch
from torch import nn

from mmrec.models.loading import load_pretrained
from tests.models import worlds


def build(stage, seed, name="mp4sr"):
    return worlds.recommender(worlds.params(name), stage, seed=seed)


def test_fine_tuning_starts_from_everything_pre_trained_and_fresh_ids():
    pretrained, model = build("pretrain", 0), build("finetune", 1)
    ids = model.item_ids.detach().clone()
    report = load_pretrained(model, pretrained.state_dict())
    assert report.loaded == sorted(pretrained.state_dict())
    assert report.fresh == ["item_ids"]
    assert report.unused == []
    assert torch.equal(model.item_ids, ids)
    for name, value in pretrained.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


def test_what_the_model_lacks_is_reported_as_unused():
    weights = build("finetune", 0).state_dict()
    assert load_pretrained(build("pretrain", 1), weights).unused == ["item_ids"]


def test_loading_nothing_is_refused():
    with pytest.raises(ValueError, match="none of the 2 pre-trained parameters"):
        load_pretrained(build("finetune", 0), nn.Linear(2, 2).state_dict())
    with pytest.raises(ValueError, match="none of the 0 pre-trained parameters"):
        load_pretrained(build("finetune", 0), {})


def test_another_shape_is_refused_and_leaves_the_model_as_it_was():
    model = build("finetune", 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    weights = {name: value + 1 for name, value in before.items()}
    weights["sequence_encoder.positions"] = torch.zeros(99, 8)
    with pytest.raises(
        ValueError, match=r"sequence_encoder.positions has shape \(99, 8\).*\(10, 8\)"
    ):
        load_pretrained(model, weights)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
