import pytest
import torch

from mmrec.nn import attention
from mmrec.nn.attention import causal_attention, two_way_attention

SHAPE = (3, 2, 5, 4)  # sequences, heads, length, width
REAL = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 0, 0, 0], [1, 1, 1, 0, 0]]).bool()


@pytest.fixture(params=["kernel", "by hand"])
def parts(request, monkeypatch):
    """Queries, keys and values that go the one way or the other."""
    torch.manual_seed(0)
    if request.param == "kernel":
        monkeypatch.setattr(attention, "SHORT", 0)
    return torch.randn(3, *SHAPE, dtype=torch.float64).unbind()


def one_by_one(query, key, value, seen):
    """Attention of one position after the other to those it sees: seen [b, query, key]."""
    found = torch.zeros_like(query)
    for row in range(SHAPE[0]):
        for head in range(SHAPE[1]):
            for at in range(query.shape[2]):
                others = seen[row, at].nonzero().squeeze(1)
                scores = key[row, head, others] @ query[row, head, at] / SHAPE[3] ** 0.5
                found[row, head, at] = scores.softmax(0) @ value[row, head, others]
    return found


def test_a_causal_position_sees_itself_and_earlier_ones(parts):
    slow = one_by_one(*parts, torch.ones(3, 5, 5).tril().bool())
    torch.testing.assert_close(causal_attention(*parts, drop=0.0), slow)


def test_both_ways_a_position_sees_all(parts):
    slow = one_by_one(*parts, torch.ones(3, 5, 5).bool())
    torch.testing.assert_close(two_way_attention(*parts, real=None, drop=0.0), slow)


def test_both_ways_padding_is_not_seen_and_what_comes_out_there_is_finite(parts):
    slow = one_by_one(*parts, REAL.unsqueeze(1).expand(-1, 5, -1))
    torch.testing.assert_close(two_way_attention(*parts, real=REAL, drop=0.0), slow)


@pytest.mark.parametrize("length", [1, 3, 8])
def test_both_ways_another_sequence_may_be_attended_to(parts, length):
    _, key, value = parts
    query = torch.randn(*SHAPE[:2], length, SHAPE[3], dtype=torch.float64)
    slow = one_by_one(query, key, value, REAL.unsqueeze(1).expand(-1, length, -1))
    torch.testing.assert_close(two_way_attention(query, key, value, real=REAL, drop=0.0), slow)


def test_both_ways_no_gradient_reaches_padding(parts):
    parts = [part.requires_grad_() for part in parts]
    attended = two_way_attention(*parts, real=REAL, drop=0.0)
    gradients = torch.autograd.grad(attended.transpose(1, 2)[REAL].square().sum(), parts)
    for gradient in gradients:
        by_position = gradient.abs().amax(dim=(1, 3))  # [b, l]
        assert not by_position[~REAL].any()
        assert gradient.isfinite().all()
    assert gradients[2].abs().amax(dim=(1, 3))[REAL].min() > 0


def test_both_ways_dropped_weights_are_zero_and_the_rest_is_scaled_up():
    torch.manual_seed(0)
    length = 64
    query = torch.zeros(2, 1, length, length)
    value = torch.eye(length).expand(2, 1, -1, -1)
    real = torch.arange(length) < torch.tensor([[64], [32]])
    weights = two_way_attention(query, query, value, real=real, drop=0.25)
    for row, num_real in ((0, 64), (1, 32)):
        own = weights[row, 0, :, :num_real] * num_real * 0.75
        assert ((own - 1).abs().lt(1e-5) | own.eq(0)).all()
        assert own.eq(0).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert not weights[1, 0, :, 32:].any()
