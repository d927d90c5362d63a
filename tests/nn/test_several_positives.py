from functools import cache

import pytest
import torch

from mmrec.nn.several_positives import Anchors, several_positives_softmax

SIZES = {"one of all": (1, 4), "odd": (9, 5), "chunks": (130, 33), "few candidates": (11, 4)}
LIMITS = [None, 1, 50, 33 * 64]
BELOW = pytest.mark.parametrize("num_below", [1, 2, 3])
WIDTH = 3


def draw(num_anchors, num_candidates, dtype=torch.float64, scale=1.0):
    """Several anchors of some queries; some positives are not there, some excluded are repeated."""
    generator = torch.Generator().manual_seed(num_anchors)
    which = torch.randint(1 + num_anchors // 3, (num_anchors,), generator=generator).sort().values
    which = torch.unique_consecutive(which, return_inverse=True)[1]
    shapes = (int(which[-1]) + 1, WIDTH), (num_candidates, WIDTH)
    queries, candidates = (
        (scale * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype)
        for shape in shapes
    )
    orders = torch.rand(num_anchors, num_candidates, generator=generator).argsort(dim=1)
    is_positive = torch.rand(num_anchors, 3, generator=generator) < 0.6
    is_positive[:, 0] = True
    others = torch.randint(num_candidates, (num_anchors, 2), generator=generator)
    is_candidate = torch.ones(num_candidates, dtype=torch.bool)
    is_candidate[0] = False
    is_positive[:, 1:] &= orders[:, 1:3] != 0
    # The first is there, and so a candidate.
    positives = orders[:, :3]
    first = torch.where(positives[:, :1] == 0, orders[:, 3:4], positives[:, :1])
    positives = torch.cat([first, positives[:, 1:]], dim=1)
    excluded = torch.cat([positives, others], dim=1)
    return {
        "queries": queries.requires_grad_(),
        "candidates": candidates.requires_grad_(),
        "is_candidate": is_candidate,
        "anchors": Anchors(which, positives, is_positive, excluded),
    }


def one_by_one(queries, candidates, is_candidate, anchors, num_below):
    """The formula, anchor by anchor."""
    total = 0
    for which, positives, present, excluded in zip(
        *(column.tolist() for column in anchors), strict=True
    ):
        powers = [torch.exp(queries[which] @ candidate) for candidate in candidates]
        right = [place for place, real in zip(positives, present, strict=True) if real]
        counted = [place for place in right if place in positives[:num_below]]
        below = sum(powers[place] for place in counted)
        for place, real in enumerate(is_candidate.tolist()):
            if real and place not in excluded:
                below = below + powers[place]
        total = total - torch.log(sum(powers[place] for place in right) / below)
    return total / len(anchors.queries)


def with_gradients(loss, world):
    return (loss, *torch.autograd.grad(3 * loss, (world["queries"], world["candidates"])))


@cache
def of_the_formula(sizes, dtype, num_below):
    """Once for all limits, which it knows nothing of."""
    world = draw(*sizes, dtype)
    return with_gradients(one_by_one(**world, num_below=num_below), world)


@BELOW
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("max_logits", LIMITS)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_value_and_gradients_are_those_of_the_formula(sizes, max_logits, dtype, num_below):
    world = draw(*sizes, dtype)
    fast = several_positives_softmax(**world, num_below=num_below, max_logits=max_logits)
    slow = of_the_formula(sizes, dtype, num_below)
    for one, other in zip(with_gradients(fast, world), slow, strict=True):
        torch.testing.assert_close(one, other)


@BELOW
@pytest.mark.parametrize("max_logits", LIMITS)
def test_gradients_are_the_slopes_of_the_value(max_logits, num_below):
    world = draw(9, 6)
    rest = {"num_below": num_below, "max_logits": max_logits}
    rest |= {name: world[name] for name in ("is_candidate", "anchors")}
    assert torch.autograd.gradcheck(
        lambda q, c: several_positives_softmax(q, c, **rest),
        (world["queries"], world["candidates"]),
    )


@pytest.mark.parametrize("trained", ["queries", "candidates"])
def test_what_is_frozen_has_no_gradient_and_costs_the_other_nothing(trained):
    world = draw(9, 6)
    _, *both = with_gradients(several_positives_softmax(**world, num_below=3), world)
    frozen = "candidates" if trained == "queries" else "queries"
    given = {**world, frozen: world[frozen].detach()}
    loss = several_positives_softmax(**given, num_below=3)
    (alone,) = torch.autograd.grad(3 * loss, world[trained])
    assert torch.equal(alone, both[["queries", "candidates"].index(trained)])


def test_a_share_too_small_for_the_type_still_has_its_loss():
    world = draw(40, 9, torch.float32, scale=30.0)
    exact = {
        name: value.detach().double().requires_grad_()
        if name in ("queries", "candidates")
        else value
        for name, value in world.items()
    }
    for one, other in zip(
        with_gradients(several_positives_softmax(**world, num_below=3), world),
        with_gradients(several_positives_softmax(**exact, num_below=3), exact),
        strict=True,
    ):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-4)


def test_logits_of_a_query_are_computed_once_and_never_more_than_allowed(monkeypatch):
    addmm, sizes = torch.addmm, []

    def recorded(bias, queries, candidates):
        sizes.append(len(queries) * len(bias))
        return addmm(bias, queries, candidates)

    monkeypatch.setattr(torch, "addmm", recorded)
    world = draw(130, 33)
    several_positives_softmax(**world, num_below=3)
    assert sizes == [len(world["queries"]) * 33]
    sizes.clear()
    several_positives_softmax(**world, num_below=3, max_logits=100)
    assert max(sizes) <= 100


def test_numbers_that_are_not_finite_reach_the_loss():
    world = draw(9, 6)
    with torch.no_grad():
        world["queries"][0, 1] = torch.nan
    assert several_positives_softmax(**world, num_below=3).isnan()
