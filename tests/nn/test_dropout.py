import pytest
import torch

from mmrec.nn.dropout import dropout


@pytest.mark.parametrize("probability", [0.1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_share_is_dropped_and_the_rest_scaled_so_that_the_mean_stays(probability, dtype):
    torch.manual_seed(0)
    kept = dropout(torch.ones(400_001, dtype=dtype), probability, training=True)
    assert kept.dtype == dtype
    zeros = (kept == 0).double().mean().item()
    assert zeros == pytest.approx(probability, abs=0.005)
    scales = kept[kept != 0].unique()
    assert len(scales) == 1
    assert scales.item() == pytest.approx(1 / (1 - probability), rel=2e-4)


def test_all_positions_are_dropped_alike_and_apart():
    torch.manual_seed(0)
    zero = dropout(torch.ones(20_000, 3, 5), 0.5, training=True).flatten(1) == 0  # [20000, 15]
    assert (zero.double().mean(dim=0) - 0.5).abs().max() < 0.02
    together = torch.corrcoef(zero.double().T).fill_diagonal_(0)
    assert together.abs().max() < 0.04


def test_the_gradient_is_zero_where_a_value_was_dropped():
    torch.manual_seed(0)
    values = torch.randn(7, 13, dtype=torch.float64, requires_grad=True)
    kept = dropout(values, 0.3, training=True)
    (gradient,) = torch.autograd.grad(kept.sum(), values)
    torch.testing.assert_close(kept, values * gradient)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 1, 7)])
def test_any_shape_and_what_is_no_block_of_memory(shape):
    values = torch.ones(*shape, 2).transpose(0, -1)
    assert dropout(values, 0.5, training=True).shape == values.shape


def test_outside_training_and_without_probability_nothing_happens():
    values = torch.ones(9)
    assert dropout(values, 0.5, training=False) is values
    assert dropout(values, 0.0, training=True) is values


def test_the_draw_follows_the_seed():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(dropout(torch.ones(99), 0.5, training=True))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])
