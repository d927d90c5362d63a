from functools import cache

import pytest
import torch

from mmrec.nn.excluding_softmax import excluding_softmax

SIZES = {"one of all": (1, 1), "odd": (7, 5), "chunks": (130, 33), "narrow": (9, 2)}
LIMITS = [None, 1, 50, 33 * 64]
WIDTH = 3


def draw(num_samples, num_candidates, dtype=torch.float64, scale=1.0):
    """All that is asked for; of three excluded each, some are repeated, some are the target."""
    generator = torch.Generator().manual_seed(num_samples)
    queries, candidates, log_weights = (
        (scale * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype)
        for shape in ((num_samples, WIDTH), (num_candidates, WIDTH), (num_candidates,))
    )
    times = torch.randint(1, 6, (num_candidates,), generator=generator)
    targets, *excluded = torch.randint(num_candidates, (4, num_samples), generator=generator)
    return {
        "queries": queries.requires_grad_(),
        "candidates": candidates.requires_grad_(),
        "log_weights": log_weights,
        "times": times,
        "targets": targets,
        "excluded": torch.stack(excluded, dim=1),
    }


def one_by_one(queries, candidates, log_weights, times, targets, excluded):
    """The formula, sample by sample."""
    total = 0
    for query, target, own in zip(queries, targets.tolist(), excluded.tolist(), strict=True):
        powers = [
            torch.exp(weight + query @ candidate)
            for weight, candidate in zip(log_weights, candidates, strict=True)
        ]
        below = powers[target]
        for other, often in enumerate(times.tolist()):
            if other not in (target, *own):
                below = below + often * powers[other]
        total = total - torch.log(powers[target] / below)
    return total / len(queries)


def with_gradients(loss, world):
    return (loss, *torch.autograd.grad(3 * loss, (world["queries"], world["candidates"])))


@cache
def of_the_formula(sizes, dtype):
    """Once for all limits, which it knows nothing of."""
    world = draw(*sizes, dtype)
    return with_gradients(one_by_one(**world), world)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("max_logits", LIMITS)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_value_and_gradients_are_those_of_the_formula(sizes, max_logits, dtype):
    world = draw(*sizes, dtype)
    fast = with_gradients(excluding_softmax(**world, max_logits=max_logits), world)
    for one, other in zip(fast, of_the_formula(sizes, dtype), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("max_logits", LIMITS)
def test_gradients_are_the_slopes_of_the_value(max_logits):
    world = draw(7, 9)
    rest = {name: world[name] for name in ("log_weights", "times", "targets", "excluded")}
    assert torch.autograd.gradcheck(
        lambda q, c: excluding_softmax(q, c, **rest, max_logits=max_logits),
        (world["queries"], world["candidates"]),
    )


def test_a_candidate_that_is_there_twice_is_as_two_of_the_same():
    world = draw(6, 4)
    world["times"] = torch.tensor([1, 2, 1, 1])
    world["excluded"] = world["targets"].unsqueeze(1)
    twice = {
        **world,
        "times": torch.ones(5, dtype=torch.int64),
        "log_weights": torch.cat([world["log_weights"], world["log_weights"][1:2]]),
    }
    # Of whoever's target it is, the second of the two is excluded.
    second = torch.where(world["targets"] == 1, 4, world["targets"]).unsqueeze(1)
    twice["excluded"] = torch.cat([world["excluded"], second], dim=1)
    twice["candidates"] = torch.cat([world["candidates"], world["candidates"][1:2]])
    for one, other in zip(
        with_gradients(excluding_softmax(**world), world),
        with_gradients(excluding_softmax(**twice), world),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_what_excludes_all_others_has_no_loss_and_no_gradient():
    world = draw(4, 3)
    world["excluded"] = torch.tensor([[0, 1, 2]]).expand(4, 3)
    loss, *gradients = with_gradients(excluding_softmax(**world), world)
    assert loss == 0
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("trained", ["queries", "candidates"])
def test_what_is_frozen_has_no_gradient_and_costs_the_other_nothing(trained):
    world = draw(7, 5)
    _, *both = with_gradients(excluding_softmax(**world), world)
    frozen = "candidates" if trained == "queries" else "queries"
    loss = excluding_softmax(**{**world, frozen: world[frozen].detach()})
    (alone,) = torch.autograd.grad(3 * loss, world[trained])
    assert torch.equal(alone, both[["queries", "candidates"].index(trained)])


def test_a_share_too_small_for_the_type_still_has_its_loss():
    world = draw(40, 9, torch.float32, scale=30.0)
    exact = {
        name: value.detach().double().requires_grad_() if value.is_floating_point() else value
        for name, value in world.items()
    }
    for one, other in zip(
        with_gradients(excluding_softmax(**world), world),
        with_gradients(excluding_softmax(**exact), exact),
        strict=True,
    ):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-4)


def test_logits_are_float32_even_under_autocast():
    world = draw(7, 5, torch.float32)
    expected = with_gradients(excluding_softmax(**world), world)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = with_gradients(excluding_softmax(**world), world)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_numbers_that_are_not_finite_reach_the_loss():
    world = draw(7, 5)
    with torch.no_grad():
        world["queries"][3, 1] = torch.nan
    assert excluding_softmax(**world).isnan()


def test_no_more_logits_exist_than_are_allowed(monkeypatch):
    addmm, sizes = torch.addmm, []

    def recorded(bias, queries, table):
        sizes.append(len(queries) * table.shape[1])
        return addmm(bias, queries, table)

    monkeypatch.setattr(torch, "addmm", recorded)
    excluding_softmax(**draw(130, 33), max_logits=100)
    assert max(sizes) <= 100
    assert sum(sizes) == 130 * 33
