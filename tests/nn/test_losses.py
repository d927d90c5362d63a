import pytest
import torch
import torch.nn.functional as F

from mmrec.nn.losses import (
    cross_modal_contrastive,
    full_cross_entropy,
    next_item_prediction,
)
from tests import reference

RULES = ["dropped", "zero_logit", "kept"]
DENOMINATORS = ["gca", "literal", "inter_only", "released"]
TARGETS = {
    "one sample": [3],
    "all different": [1, 2, 3, 4, 5],
    "some shared": [1, 2, 1, 3, 2, 1, 4],
    "all shared": [6, 6, 6],
}
TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-10}


def draw(count, size, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, size, 5, generator=generator, dtype=dtype)
    return [part.clone().requires_grad_() for part in drawn]


def assert_same(fast, slow, inputs, dtype):
    fast_gradients = torch.autograd.grad(fast, inputs)
    slow_gradients = torch.autograd.grad(slow, inputs)
    for ours, theirs in zip((fast, *fast_gradients), (slow, *slow_gradients), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("num_views", [1, 2])
def test_nip_equals_the_double_loop(num_views, rule, targets, dtype):
    *views, items = inputs = draw(num_views + 1, len(targets), dtype)
    settings = {"temperature": 0.07, "same_target_negatives": rule}
    targets = torch.tensor(targets)
    fast = next_item_prediction(views, items, targets, **settings)
    slow = reference.next_item_prediction(views, items, targets, **settings)
    assert_same(fast, slow, inputs, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("denominator", DENOMINATORS)
def test_cmcl_equals_the_double_loop(denominator, rule, targets, dtype):
    inputs = draw(2, len(targets), dtype)
    settings = {"temperature": 0.2, "denominator": denominator, "same_target_negatives": rule}
    targets = torch.tensor(targets)
    fast = cross_modal_contrastive(*inputs, targets, **settings)
    slow = reference.cross_modal_contrastive(*inputs, targets, **settings)
    assert_same(fast, slow, inputs, dtype)


def test_every_switch_of_the_contrastive_losses_changes_the_value():
    first, second, items = draw(3, 7, torch.float64)
    targets = torch.tensor(TARGETS["some shared"])
    nip = [
        next_item_prediction(
            [first, second], items, targets, temperature=0.07, same_target_negatives=rule
        ).item()
        for rule in RULES
    ]
    cmcl = [
        cross_modal_contrastive(
            first,
            second,
            targets,
            temperature=0.07,
            denominator=denominator,
            same_target_negatives=rule,
        ).item()
        for denominator in DENOMINATORS
        for rule in RULES
    ]
    assert len(set(nip)) == len(RULES)
    assert len(set(cmcl)) == len(RULES) * len(DENOMINATORS)


def test_cmcl_is_symmetric_in_its_views():
    first, second = draw(2, 7, torch.float64)
    targets = torch.tensor(TARGETS["some shared"])
    settings = {"temperature": 0.07, "denominator": "gca", "same_target_negatives": "dropped"}
    forth = cross_modal_contrastive(first, second, targets, **settings)
    back = cross_modal_contrastive(second, first, targets, **settings)
    torch.testing.assert_close(forth, back)


def test_the_released_cmcl_depends_on_which_view_is_first():
    first, second = draw(2, 7, torch.float64)
    targets = torch.tensor(TARGETS["some shared"])
    settings = {"temperature": 0.07, "denominator": "released", "same_target_negatives": "dropped"}
    forth = cross_modal_contrastive(first, second, targets, **settings)
    back = cross_modal_contrastive(second, first, targets, **settings)
    assert not torch.isclose(forth, back)


def test_contrastive_losses_survive_a_tiny_temperature():
    first, second, items = draw(3, 7, torch.float32)
    targets = torch.tensor(TARGETS["some shared"])
    nip = next_item_prediction(
        [first, second], items, targets, temperature=1e-3, same_target_negatives="dropped"
    )
    cmcl = cross_modal_contrastive(
        first,
        second,
        targets,
        temperature=1e-3,
        denominator="gca",
        same_target_negatives="dropped",
    )
    gradients = torch.autograd.grad(nip + cmcl, (first, second, items))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_cross_entropy_equals_the_loop(dtype):
    (queries,), (table,) = draw(1, 7, dtype), draw(1, 9, dtype, seed=1)
    targets = torch.tensor([1, 8, 3, 3, 1, 5, 2])
    fast = full_cross_entropy(queries, table, targets)
    slow = reference.full_cross_entropy(queries, table, targets)
    assert_same(fast, slow, (queries, table), dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_raised_to_single_before_the_scores(dtype):
    (queries,), (table,) = draw(1, 7, torch.float64), draw(1, 9, torch.float64, seed=1)
    queries, table = (value.detach().to(dtype).requires_grad_() for value in (queries, table))
    targets = torch.tensor([1, 8, 3, 3, 1, 5, 2])
    fast = full_cross_entropy(queries, table, targets)
    slow = F.cross_entropy(queries.float() @ table[1:].float().T, targets - 1)
    assert fast.dtype == torch.float32
    assert_same(fast, slow, (queries, table), torch.float32)


@pytest.mark.parametrize("max_logits", [1, 8, 17, 24, 56])
def test_chunked_cross_entropy_equals_the_whole(max_logits):
    (queries,), (table,) = draw(1, 7, torch.float64), draw(1, 9, torch.float64, seed=1)
    targets = torch.tensor([1, 8, 3, 3, 1, 5, 2])
    chunked = full_cross_entropy(queries, table, targets, max_logits=max_logits)
    whole = F.cross_entropy(queries @ table[1:].T, targets - 1)
    assert_same(chunked, whole, (queries, table), torch.float64)


def test_the_padding_row_is_no_candidate():
    (queries,), (table,) = draw(1, 3, torch.float64), draw(1, 9, torch.float64, seed=1)
    targets = torch.tensor([1, 2, 3])
    loss = full_cross_entropy(queries, table, targets)
    moved = torch.cat([table[:1] + 1e3, table[1:]])
    torch.testing.assert_close(full_cross_entropy(queries, moved, targets), loss)


def test_autocast_changes_no_loss():
    first, second, items = draw(3, 7, torch.float32)
    targets = torch.tensor(TARGETS["some shared"])

    def losses():
        settings = {"temperature": 0.07, "same_target_negatives": "dropped"}
        return (
            next_item_prediction([first, second], items, targets, **settings),
            cross_modal_contrastive(first, second, targets, denominator="gca", **settings),
            full_cross_entropy(first, items, targets),
            full_cross_entropy(first, items, targets, max_logits=14),
        )

    outside = losses()
    with torch.autocast("cpu", torch.bfloat16):
        inside = losses()
    assert inside == outside
