"""MMSRec's losses, gradients and scores against the straightforward form and against loops."""

import pytest
import torch

from mmrec.data.batches import Batch
from tests import reference_mmsrec
from tests.models import worlds
from tests.models.mmsrec_forms import (
    ARCHITECTURES,
    MASK,
    MODALITIES,
    built,
    loss_of,
    params,
    straightforward,
)

ITEMS = torch.tensor(  # 7 has neither modality, 3 no text, 5 no picture
    [
        [4, MASK, 7, 3, MASK],
        [MASK, 0, 0, 0, 0],
        [5, 5, 12, MASK, 0],
        [2, 9, 7, 1, MASK],
    ]
)
TARGETS = torch.tensor([[4, 2, 0, 0, 7], [4, 0, 0, 0, 0], [0, 5, 0, 12, 0], [0, 0, 0, 0, 4]])
HISTORIES = torch.tensor([[4, 7, 2, 11, 9, 9, 1, 5, 3], [3, 5, 0, 0, 0, 0, 0, 0, 0], [7] + [0] * 8])


def assert_equal(settings, model, world=None, items=ITEMS, targets=TARGETS):
    fast = loss_of(settings, model, world)(items, targets)
    slow = straightforward(settings, model, world=world).loss(items, targets)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-6)
    named = dict(model.named_parameters())
    found = torch.autograd.grad(fast, list(named.values()), allow_unused=True)
    expected = torch.autograd.grad(slow, list(named.values()), allow_unused=True)
    for name, own, other in zip(named, found, expected, strict=True):
        zeros = torch.zeros_like(named[name])
        own, other = (zeros if gradient is None else gradient for gradient in (own, other))
        share, least = (1e-5, 1e-9) if own.dtype == torch.float64 else (1e-4, 1e-6)
        tolerance = max(share * other.abs().max().item(), least)
        torch.testing.assert_close(
            own, other, rtol=0, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradients_equal_the_straightforward_form(architecture, modality, precision):
    settings = params(modality, **architecture)
    assert_equal(settings, built(settings, precision=precision))


@pytest.mark.parametrize("missing", ["exclude", "mask_token"])
@pytest.mark.parametrize(
    "absent", [("text",), ("image",), ("text", "image")], ids=["text", "image", "both"]
)
def test_of_a_modality_that_no_item_has(absent, missing):
    """A feature without rows, which is another thing than a run without the feature."""
    table = {"text": worlds.table([0] * 12, dim=6), "image": worlds.table([0] * 12, dim=9)}
    world = worlds.data(**{name: table[name] for name in absent})
    settings = params(missing=missing)
    assert_equal(settings, built(settings, world=world), world)


@pytest.mark.parametrize(
    ("items", "targets"),
    [
        ([[MASK]], [[3]]),
        ([[MASK]], [[7]]),
        ([[5, MASK]], [[0, 5]]),
        ([[MASK, 2, MASK]] * 3, [[1, 0, 1]] * 3),
        ([[2] * 9 + [MASK]], [[0] * 9 + [2]]),
    ],
    ids=["one item", "one item with nothing", "its own target", "duplicates", "a full row"],
)
@pytest.mark.parametrize("pad_to", ["N", "batch_max"])
def test_of_small_and_repeated_batches(items, targets, pad_to):
    settings = params(pad_to=pad_to)
    assert_equal(
        settings, built(settings), items=torch.tensor(items), targets=torch.tensor(targets)
    )


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_equal_the_straightforward_form(architecture, modality):
    settings = params(modality, **architecture)
    model = built(settings)
    expected = straightforward(settings, model).scores(HISTORIES).detach()
    found = worlds.scores(model, HISTORIES)[:, 1:]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_scores_after_no_history_are_those_of_a_mask_alone():
    settings = params()
    model = built(settings)
    none = torch.zeros(2, 3, dtype=torch.int64)
    expected = straightforward(settings, model).scores(none).detach()
    torch.testing.assert_close(worlds.scores(model, none)[:, 1:], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_is_the_cross_entropy_of_cosines_in_loops(architecture):
    settings = params(**architecture)
    model = built(settings)
    rows, columns = TARGETS.nonzero(as_tuple=True)
    queries, table = model.queries_and_table(ITEMS, rows, columns)
    # A cosine does not see what queries and items are scaled by.
    expected = reference_mmsrec.masked_item_loss(
        queries.detach().numpy(),
        table.detach().numpy(),
        TARGETS[rows, columns].tolist(),
        temperature=settings.architecture.temperature,
    )
    assert loss_of(settings, model)(ITEMS, TARGETS).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_the_slopes_of_the_loss(architecture):
    settings = params(**architecture)
    model = built(settings)
    loss = loss_of(settings, model)
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(ITEMS, TARGETS), parameters)
    generator = torch.Generator().manual_seed(2)
    for _ in range(3):
        directions = [torch.randn(p.shape, generator=generator).double() for p in parameters]
        slope = reference_mmsrec.slope(lambda: loss(ITEMS, TARGETS), parameters, directions)
        found = sum((g * d).sum().item() for g, d in zip(gradients, directions, strict=True))
        assert found == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_several_processes_train_what_one_does(architecture):
    """Also where positions depend on the longest row of a batch, which another process may have."""
    settings = params(**architecture)
    loss = loss_of(settings, built(settings))
    batch = Batch(ITEMS, TARGETS, torch.arange(len(ITEMS)))
    parts = [batch.part(rank, 3) for rank in range(3)]
    assert [part.items.shape[0] for part in parts] == [2, 1, 1]
    total = sum(loss(part.items, part.targets) * part.num_samples for part in parts)
    torch.testing.assert_close(total / batch.num_samples, loss(ITEMS, TARGETS))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_behind_all_histories_changes_no_score(architecture):
    model = built(params(**architecture))
    wider = torch.cat([HISTORIES[1:], torch.zeros(2, 3, dtype=torch.int64)], dim=1)
    narrow = HISTORIES[1:, :2]
    torch.testing.assert_close(worlds.scores(model, wider), worlds.scores(model, narrow))
