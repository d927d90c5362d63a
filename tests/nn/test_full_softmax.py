import pytest
import torch
import torch.nn.functional as F

from mmrec.nn import full_softmax
from mmrec.nn.full_softmax import MIN_ROWS, mean_cross_entropy

SIZES = {"one of all": (1, 2, 1), "odd": (7, 13, 5), "chunks": (130, 33, 8), "wide": (9, 2, 70)}
LIMITS = [None, 1, 50, 33 * MIN_ROWS]


def draw(num_samples, num_items, width, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    queries, table = (
        (scale * torch.randn(count, width, generator=generator, dtype=torch.float64)).to(dtype)
        for count in (num_samples, num_items)
    )
    targets = torch.randint(1, num_items, (num_samples,), generator=generator)
    return queries.requires_grad_(), table.requires_grad_(), targets


def with_gradients(loss, *inputs):
    return (loss, *torch.autograd.grad(3 * loss, inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("max_logits", LIMITS)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_value_and_gradients_are_those_of_torch(sizes, max_logits, dtype):
    queries, table, targets = draw(*sizes, dtype)
    ours = mean_cross_entropy(queries, table, targets, max_logits=max_logits)
    theirs = F.cross_entropy(queries @ table[1:].T, targets - 1)
    for our, their in zip(
        with_gradients(ours, queries, table),
        with_gradients(theirs, queries, table),
        strict=True,
    ):
        torch.testing.assert_close(our, their)


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("max_logits", LIMITS)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_an_accelerator_keeps_the_logits_of_a_sample_side_by_side(
    sizes, max_logits, scale, monkeypatch
):
    queries, table, targets = draw(*sizes, scale=scale)
    here = with_gradients(
        mean_cross_entropy(queries, table, targets, max_logits=max_logits), queries, table
    )
    layouts = []

    def as_elsewhere(queries, num_candidates, num_samples):
        layouts.append((num_candidates, num_samples))
        return queries.new_empty(num_samples, num_candidates).T

    monkeypatch.setattr(full_softmax, "_memory", as_elsewhere)
    monkeypatch.setattr(full_softmax, "_are_bounded", lambda *_: False)
    there = with_gradients(
        mean_cross_entropy(queries, table, targets, max_logits=max_logits), queries, table
    )
    assert layouts
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(one, other)


def test_memory_is_laid_out_for_its_device():
    layouts = {
        device: full_softmax._memory(torch.empty(0, device=device), 9, 5).stride()
        for device in ("cpu", "meta")
    }
    assert layouts == {"cpu": (5, 1), "meta": (1, 9)}


@pytest.mark.parametrize("max_logits", LIMITS)
def test_gradients_are_the_slopes_of_the_value(max_logits):
    queries, table, targets = draw(5, 6, 3)
    assert torch.autograd.gradcheck(
        lambda q, c: mean_cross_entropy(q, c, targets, max_logits=max_logits),
        (queries, table),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("max_logits", LIMITS)
@pytest.mark.parametrize("scale", [3.0, 10.0, 100.0])
def test_a_share_too_small_for_the_type_still_has_its_loss(scale, max_logits, dtype):
    queries, table, targets = draw(40, 33, 8, dtype, scale)
    ours = mean_cross_entropy(queries, table, targets, max_logits=max_logits)
    theirs = F.cross_entropy(queries @ table[1:].T, targets - 1)
    for our, their in zip(
        with_gradients(ours, queries, table),
        with_gradients(theirs, queries, table),
        strict=True,
    ):
        torch.testing.assert_close(our, their)


@pytest.mark.parametrize("trained", ["queries", "table"])
def test_what_is_frozen_has_no_gradient_and_costs_the_other_nothing(trained):
    queries, table, targets = draw(7, 13, 5)
    both = torch.autograd.grad(
        mean_cross_entropy(queries, table, targets, max_logits=None), (queries, table)
    )
    wanted = {"queries": queries, "table": table}
    inputs = {name: value if name == trained else value.detach() for name, value in wanted.items()}
    loss = mean_cross_entropy(**inputs, targets=targets, max_logits=None)
    (alone,) = torch.autograd.grad(loss, wanted[trained])
    assert torch.equal(alone, both[list(wanted).index(trained)])


def test_a_loss_can_be_followed_back_twice():
    queries, table, targets = draw(7, 13, 5)
    loss = mean_cross_entropy(queries, table, targets, max_logits=None)
    first = torch.autograd.grad(loss, (queries, table), retain_graph=True)
    second = torch.autograd.grad(loss, (queries, table))
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


def test_numbers_that_are_not_finite_reach_the_loss():
    queries, table, targets = draw(7, 13, 5)
    with torch.no_grad():
        queries[3, 1] = torch.nan
    assert mean_cross_entropy(queries, table, targets, max_logits=None).isnan()
