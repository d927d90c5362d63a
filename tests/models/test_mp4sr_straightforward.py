"""The fast path of MP4SR's fine-tuning against the form one writes down first."""

import copy

import pytest
import torch

from benchmarks.straightforward_mp4sr import StraightforwardMp4sr
from mmrec.data.batches import TrainingBatches
from mmrec.data.sequences import Sequences
from tests.models import worlds

LENGTHS = [2, 11, 5, 1, 8, 11]  # items of each user; the model sees 10 at a time


def both_forms(precision):
    """Ours and the straightforward form, with equal parameters of their own, dropout off."""
    params = worlds.params("mp4sr", architecture={"temperature": 0.3})
    model = worlds.recommender(params).to(precision)
    for parameter in model.parameters():  # gates and norms start at values that hide mistakes
        torch.nn.init.normal_(parameter, std=0.5)
    ours = worlds.objective(params, model).eval()
    return ours, StraightforwardMp4sr(copy.deepcopy(model), padded_to=10).eval()


def batches(batching):
    generator = torch.Generator().manual_seed(1)
    num = sum(LENGTHS)
    items = torch.randint(1, worlds.NUM_ITEMS, (num,), generator=generator, dtype=torch.int32)
    offsets = torch.tensor([0, *LENGTHS]).cumsum(0)
    source = TrainingBatches(
        Sequences(items, offsets),
        batching=batching,
        max_sequence_length=10,
        window_overlap=None,
        batch_size=num,
        seed=0,
    )
    return next(iter(source.epoch(1)))


@pytest.mark.parametrize("batching", ["prefix", "dense"])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_loss_and_gradients_equal_the_straightforward_form(precision, batching):
    ours, straightforward = both_forms(precision)
    fast = ours(batches(batching))["next_item"]
    slow = straightforward(batches("prefix"))["next_item"]
    torch.testing.assert_close(fast, slow)
    fast.backward()
    slow.backward()
    gradients = dict(straightforward.recommender.named_parameters())
    for name, parameter in ours.recommender.named_parameters():
        expected = gradients[name].grad
        assert expected.abs().max() > 0, name
        tolerance = {"rtol": 1e-4, "atol": 1e-6} if precision == torch.float32 else {}
        torch.testing.assert_close(parameter.grad, expected, **tolerance)
