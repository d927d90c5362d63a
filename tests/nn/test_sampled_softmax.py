import pytest
import torch

from mmrec.nn.sampled_softmax import (
    draw_items,
    log_in_batch_weights,
    log_sampled_weights,
    sampled_softmax,
)
from tests import reference

NUM_ITEMS, WIDTH = 12, 3  # padding included


def draw(num_samples, num_candidates, dtype=torch.float64):
    generator = torch.Generator().manual_seed(num_samples)
    queries, table = (
        torch.randn(count, WIDTH, generator=generator, dtype=torch.float64).to(dtype)
        for count in (num_samples, NUM_ITEMS)
    )
    targets = torch.randint(1, NUM_ITEMS, (num_samples,), generator=generator)
    items = torch.randperm(NUM_ITEMS - 1, generator=generator)[:num_candidates] + 1
    weights = torch.rand(num_candidates, generator=generator, dtype=torch.float64) * 5 + 0.1
    return queries.requires_grad_(), table.requires_grad_(), targets, items, weights


def ours(queries, table, targets, items, log_weights):
    return sampled_softmax(
        queries, table[targets], table[items], log_weights, targets=targets, items=items
    )


@pytest.mark.parametrize(("num_samples", "num_candidates"), [(1, 1), (7, 5), (13, 11)])
def test_value_and_gradients_are_those_of_the_formula(num_samples, num_candidates):
    queries, table, targets, items, weights = draw(num_samples, num_candidates)
    fast = ours(queries, table, targets, items, weights.log())
    slow = reference.sampled_softmax(queries, table, targets, items, weights)
    torch.testing.assert_close(fast, slow)
    for one, other in zip(
        *(torch.autograd.grad(loss, (queries, table)) for loss in (fast, slow)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_all_items_drawn_once_from_a_uniform_draw_are_the_full_softmax():
    queries, table, targets, _, _ = draw(9, 1)
    items = torch.arange(1, NUM_ITEMS)
    shares = torch.full((len(items),), 1 / len(items), dtype=torch.float64)
    log_weights = log_sampled_weights(shares, torch.ones_like(items), len(items))
    torch.testing.assert_close(
        ours(queries, table, targets, items, log_weights),
        reference.full_cross_entropy(queries, table, targets),
    )


def test_no_other_candidate_is_no_loss_and_no_gradient():
    queries, table, *_ = draw(3, 1)
    targets = torch.tensor([4, 4, 4])
    loss = ours(queries, table, targets, torch.tensor([4]), torch.zeros(1))
    assert loss == 0
    for gradient in torch.autograd.grad(loss, (queries, table)):
        assert (gradient == 0).all()


def test_logits_are_float32_in_bfloat16():
    queries, table, targets, items, weights = draw(7, 5, torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = ours(queries, table, targets, items, weights.log())
    assert loss.dtype == torch.float32
    expected = ours(queries.float(), table.float(), targets, items, weights.log())
    torch.testing.assert_close(loss, expected)


def test_draws_have_the_shares_asked_for_and_are_never_padding():
    torch.manual_seed(0)
    shares = torch.tensor([0.5, 0.0, 0.2, 0.3], dtype=torch.float64)
    counts = torch.bincount(draw_items(shares.cumsum(0), 20_000), minlength=5)
    assert counts[0] == counts[2] == 0
    torch.testing.assert_close(counts[1:] / 20_000, shares.float(), atol=0.015, rtol=0)


def test_the_weighted_sum_over_draws_is_on_average_the_sum_over_all_items():
    torch.manual_seed(0)
    shares = torch.tensor([0.6, 0.1, 0.25, 0.05], dtype=torch.float64)
    powers = torch.tensor([1.0, 5.0, 0.5, 9.0], dtype=torch.float64)
    sums = []
    for _ in range(3000):
        items, times = torch.unique(draw_items(shares.cumsum(0), 7), return_counts=True)
        weights = log_sampled_weights(shares[items - 1], times, 7).exp()
        sums.append((weights * powers[items - 1]).sum())
    torch.testing.assert_close(torch.stack(sums).mean(), powers.sum(), rtol=0.05, atol=0)


def test_the_weighted_sum_over_a_batch_is_on_average_the_sum_over_all_items():
    torch.manual_seed(0)
    shares = torch.tensor([0.6, 0.1, 0.25, 0.05], dtype=torch.float64)
    powers = torch.tensor([1.0, 5.0, 0.5, 9.0], dtype=torch.float64)
    sums = []
    for _ in range(3000):
        items = torch.unique(draw_items(shares.cumsum(0), 7))
        weights = log_in_batch_weights(shares[items - 1], 7).exp()
        sums.append((weights * powers[items - 1]).sum())
    torch.testing.assert_close(torch.stack(sums).mean(), powers.sum(), rtol=0.05, atol=0)


def test_in_batch_weights_of_rare_items_keep_their_digits():
    shares = torch.tensor([1e-12], dtype=torch.float64)
    expected = -torch.log(1000 * shares)
    torch.testing.assert_close(log_in_batch_weights(shares, 1000), expected)
