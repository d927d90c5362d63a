"""The softmax over all items of the batch's sequences: whom a position is set against."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmrec.models.in_batch_sequences import InBatchSequencesSoftmax
from mmrec.models.next_item import QueriesAndCandidates, Samples
from mmrec.nn.processes import Parts
from tests import reference, reference_pmmrec
from tests.models import cases, worlds
from tests.models.worlds import NUM_ITEMS
from tests.reference_mmsrec import numerical_gradient

MASK = NUM_ITEMS
COUNTS = torch.arange(NUM_ITEMS)
SHARES = (COUNTS.double() / COUNTS.sum()).tolist()
# Items are repeated in a row and between rows, targets and others alike.
WHOLE = torch.tensor([[1, 2, 4, 2, 0], [2, 6, 6, 0, 0], [4, 9, 3, 5, 1], [3, 12, 0, 0, 0]])
CORRECTION = pytest.mark.parametrize("correction", [True, False])


def dense():
    """Whole rows, and where in them the targets are."""
    batch = worlds.dense_batch(WHOLE)
    return batch, WHOLE, [(row, column + 1) for row, column in batch.targets.nonzero().tolist()]


def windows():
    """Some positions are another window's to train; their targets are inputs all the same."""
    batch = worlds.dense_batch(WHOLE)
    targets = batch.targets.clone()
    targets[0, 0] = targets[2, 0] = targets[2, 1] = 0
    places = [(row, column + 1) for row, column in targets.nonzero().tolist()]
    return worlds.Batch(batch.items, targets), WHOLE, places


def prefixes():
    """A row for each target: the shorter ones of a user are there, too."""
    batch = worlds.prefix_batch(WHOLE)
    rows, columns = worlds.dense_batch(WHOLE).targets.nonzero(as_tuple=True)
    before = torch.arange(WHOLE.shape[1]) <= columns.unsqueeze(1) + 1
    places = [(row, column + 1) for row, column in enumerate(columns.tolist())]
    return batch, torch.where(before, WHOLE[rows], 0), places


def masked():
    """Masks side by side, at both ends, and before another of the item that they hide."""
    hidden = torch.tensor([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    items = WHOLE.masked_fill(hidden == 1, MASK)
    return worlds.Batch(items, WHOLE * hidden), WHOLE, [tuple(at) for at in hidden.nonzero()]


def replaced():
    """Besides the mask at the end, targets that are shown as they are or as another item."""
    shown, ends = WHOLE.clone(), (WHOLE != 0).sum(dim=1) - 1
    shown[torch.arange(len(WHOLE)), ends] = MASK
    shown[0, 0] = 9
    hidden = (shown == MASK).long()
    hidden[0, 0] = hidden[2, 1] = 1
    return worlds.Batch(shown, WHOLE * hidden), WHOLE, [tuple(at) for at in hidden.nonzero()]


BATCHES = {
    "sasrec": [dense, windows, prefixes],
    "mp4sr": [dense],
    "bert4rec": [masked],
    "mmsrec": [masked, replaced],
}


def build(name, correction=True):
    loss = {"name": "in_batch_sequences", "correction": correction}
    params = worlds.params(name, finetune={"loss": loss})
    return worlds.objective(params, worlds.recommender(params))


@CORRECTION
@pytest.mark.parametrize(
    ("name", "drawn"), [(name, drawn) for name, batches in BATCHES.items() for drawn in batches]
)
def test_value_and_gradients_are_those_of_the_formula(name, drawn, correction):
    objective = build(name, correction).double().eval()
    batch, sequences, places = drawn()
    (fast,) = objective(batch).values()
    rows, columns = batch.targets.nonzero(as_tuple=True)
    slow = reference.in_batch_sequences(
        *objective.recommender.queries_and_table(batch.items, rows, columns),
        sequences.tolist(),
        places,
        SHARES if correction else None,
    )
    torch.testing.assert_close(fast, slow)
    weights = [weight for weight in objective.parameters() if weight.requires_grad]
    for one, other in zip(
        *(torch.autograd.grad(loss, weights, materialize_grads=True) for loss in (fast, slow)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@CORRECTION
def test_value_and_slopes_are_those_of_loops_over_the_slots(correction):
    items, targets = worlds.dense_batch(WHOLE)
    rows, columns = targets.nonzero(as_tuple=True)
    samples = Samples(items, rows, columns, targets[rows, columns], Parts((len(rows),)))
    batch = worlds.sequences_of_batch(WHOLE)
    generator = torch.Generator().manual_seed(0)
    queries, vectors = (
        torch.randn(count, 3, generator=generator, dtype=torch.float64).requires_grad_()
        for count in (len(rows), len(batch.items))
    )
    loss = InBatchSequencesSoftmax(COUNTS, correction=correction).among(
        queries, vectors, batch, samples
    )
    known = queries.detach().numpy(), vectors.detach().numpy()
    places = list(zip(rows.tolist(), columns.tolist(), strict=True))

    def by_loops(of_queries=known[0], of_items=known[1]):
        return reference_pmmrec.next_item_among_slots(
            dict(zip(places, of_queries, strict=True)),
            dict(zip(batch.items.tolist(), of_items, strict=True)),
            [[item for item in row if item] for row in WHOLE.tolist()],
            SHARES if correction else None,
        )

    assert loss.item() == pytest.approx(by_loops(), rel=1e-12)
    slopes = torch.autograd.grad(loss, (queries, vectors))
    expected = (
        numerical_gradient(by_loops, known[0].copy()),
        numerical_gradient(lambda moved: by_loops(of_items=moved), known[1].copy()),
    )
    for found, other in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), other, rtol=1e-5, atol=1e-8)


def scored(table, encoded=None):
    """A model whose score of item i for sample j is table[i, j], and so are its gradients."""

    def queries_and_candidates(_items, rows, _columns, candidates):
        if encoded is not None:
            encoded.append(candidates.tolist())
        return QueriesAndCandidates(torch.eye(len(rows), dtype=table.dtype), table[candidates])

    return SimpleNamespace(queries_and_candidates=queries_and_candidates)


@CORRECTION
@pytest.mark.parametrize("drawn", [dense, windows, prefixes, masked, replaced])
def test_a_position_is_set_against_the_items_of_other_rows_that_are_not_in_its_own(
    drawn, correction
):
    batch, sequences, places = drawn()
    table = torch.zeros(NUM_ITEMS + 1, len(places), dtype=torch.float64, requires_grad=True)
    encoded = []
    loss = InBatchSequencesSoftmax(COUNTS, correction=correction)
    loss(scored(table, encoded), batch).backward()
    rows = [set(row) - {0} for row in sequences.tolist()]
    assert encoded == [sorted(set.union(*rows))]  # each once, neither padding nor masks
    for gradients, (row, column) in zip(table.grad.T, places, strict=True):
        assert gradients.sign().clamp(max=0).nonzero().flatten().tolist() == [
            sequences[row, column]
        ]
        pushed_down = set(gradients.clamp(min=0).nonzero().flatten().tolist())
        assert pushed_down == set.union(*rows) - rows[row]


def loss_of(whole, correction):
    """Of a model that knows nothing."""
    batch = worlds.dense_batch(torch.tensor(whole))
    table = torch.zeros(NUM_ITEMS, int((batch.targets > 0).sum()), dtype=torch.float64)
    return InBatchSequencesSoftmax(COUNTS, correction=correction)(scored(table), batch).item()


def test_an_item_counts_as_often_as_other_rows_have_it():
    # Of 1 -> 2 the others are 3, 3 and 4; of 3 -> 3 and of 3 -> 4 they are 1 and 2.
    found = loss_of([[1, 2, 0], [3, 3, 4]], correction=False)
    assert found == pytest.approx((math.log(4) + math.log(3) + math.log(3)) / 3)


def test_an_item_weighs_one_over_its_share_of_the_training_interactions():
    # Item i has i of them.
    found = loss_of([[1, 2, 0], [3, 3, 4]], correction=True)
    losses = [
        -math.log(1 / 2 / (1 / 2 + 1 / 3 + 1 / 3 + 1 / 4)),
        -math.log(1 / 3 / (1 / 3 + 1 + 1 / 2)),
        -math.log(1 / 4 / (1 / 4 + 1 + 1 / 2)),
    ]
    assert found == pytest.approx(sum(losses) / 3)


def test_an_item_without_training_interactions_weighs_as_one_with_one():
    batch, _, places = dense()
    table = torch.randn(NUM_ITEMS, len(places), generator=torch.Generator().manual_seed(0))
    counts = torch.where(COUNTS % 2 == 0, COUNTS, 0)
    one, other = (
        InBatchSequencesSoftmax(counts, correction=True)(scored(table), batch)
        for counts in (counts, counts.clamp(min=1))
    )
    assert one.isfinite()
    assert one == other


def test_a_row_that_trains_nothing_brings_no_candidates():
    batch, _, places = dense()
    extra = torch.tensor([[7, 8, 1, 0]])
    more = worlds.Batch(
        torch.cat([extra, batch.items]), torch.cat([torch.zeros_like(extra), batch.targets])
    )
    table = torch.randn(NUM_ITEMS, len(places), generator=torch.Generator().manual_seed(0))
    loss = InBatchSequencesSoftmax(COUNTS, correction=True)
    assert loss(scored(table), more) == loss(scored(table), batch)


@CORRECTION
@pytest.mark.parametrize("name", [name for name, _ in cases.SUPERVISED])
def test_a_batch_of_one_row_has_no_loss_and_moves_nothing(name, correction):
    objective = build(name, correction)
    # Of a masked row, the masks are in the same one.
    batch = masked()[0] if cases.CASES[name].masked else dense()[0]
    (loss,) = objective(worlds.Batch(batch.items[2:3], batch.targets[2:3])).values()
    loss.backward()
    assert loss == 0
    gradients = [weight.grad for weight in objective.parameters() if weight.grad is not None]
    assert gradients
    assert not any(gradient.any() for gradient in gradients)
