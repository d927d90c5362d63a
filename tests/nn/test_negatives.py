import pytest
import torch

from mmrec.nn.negatives import binary_cross_entropy, items_outside
from tests import reference

NUM_ITEMS = 10  # padding included
SEQUENCES = torch.tensor([[3, 1, 3, 9], [0, 0, 0, 0], [5, 6, 7, 0], [1, 2, 2, 1]])


def outside(row):
    """Items a sequence has not, in order."""
    return [item for item in range(1, NUM_ITEMS) if item not in SEQUENCES[row].tolist()]


@pytest.mark.parametrize("row", range(len(SEQUENCES)))
def test_equal_parts_of_the_numbers_give_each_item_outside_and_no_other(row):
    allowed = outside(row)
    numbers = torch.arange(len(allowed) * 7) / (len(allowed) * 7) + 1e-6
    uniform = torch.stack([numbers, torch.zeros_like(numbers)], dim=1)
    drawn = items_outside(SEQUENCES, torch.full((len(numbers),), row), uniform, NUM_ITEMS)
    assert drawn.tolist() == [item for item in allowed for _ in range(7)]


def test_the_ends_of_the_numbers_are_the_first_and_the_last_item_outside():
    below_one = 1 - 2.0**-24
    uniform = torch.tensor([[0.0, 0.0], [below_one, below_one]])
    for row in range(len(SEQUENCES)):
        drawn = items_outside(SEQUENCES, torch.tensor([row, row]), uniform, NUM_ITEMS)
        assert drawn.tolist() == [outside(row)[0], outside(row)[-1]]


def test_samples_of_one_sequence_have_draws_of_their_own():
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(4).repeat_interleave(400)
    drawn = items_outside(
        SEQUENCES, rows, torch.rand(1600, 2, generator=generator), NUM_ITEMS
    ).view(4, 400)
    for row in range(len(SEQUENCES)):
        counts = torch.bincount(drawn[row], minlength=NUM_ITEMS).double()
        expected = 400 / len(outside(row))
        found = counts[outside(row)]
        assert counts.sum() == found.sum()
        assert ((found - expected).abs() < 5 * expected**0.5).all()


def test_a_sequence_with_every_item_leaves_none():
    every = torch.arange(1, NUM_ITEMS).unsqueeze(0)
    uniform = torch.full((1, 2), 0.7)
    assert items_outside(every, torch.tensor([0]), uniform, NUM_ITEMS).tolist() == [0]
    assert items_outside(every[:, 1:], torch.tensor([0]), uniform, NUM_ITEMS).tolist() == [1]


def test_in_a_large_catalogue_every_item_can_be_drawn():
    """A single float32 from 0 to 1 has 2 ** 24 values: it would miss most of 2 ** 27 items."""
    num_items = 2**27 + 2  # one is padding, one is not outside
    uniform = torch.tensor([[0.5, second] for second in (0.0, 0.125, 0.25, 0.375)])
    rows = torch.zeros(4, dtype=torch.int64)
    drawn = items_outside(torch.tensor([[num_items - 1]]), rows, uniform, num_items)
    assert drawn.diff().tolist() == [1, 1, 1]


def test_value_and_gradients_are_those_of_the_formula():
    generator = torch.Generator().manual_seed(0)
    queries, table = (
        torch.randn(rows, 3, generator=generator, dtype=torch.float64).requires_grad_()
        for rows in (6, NUM_ITEMS)
    )
    targets, negatives = torch.tensor([1, 2, 3, 1, 5, 9]), torch.tensor([4, 0, 3, 8, 8, 1])
    fast = binary_cross_entropy(queries, table[targets], table[negatives], negatives > 0)
    slow = reference.binary_cross_entropy(queries, table, targets, negatives)
    torch.testing.assert_close(fast, slow)
    for one, other in zip(
        *(torch.autograd.grad(loss, (queries, table)) for loss in (fast, slow)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_large_products_and_no_samples_are_finite():
    queries = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    vectors = torch.tensor([[1e4], [1e4]])
    loss = binary_cross_entropy(queries, -vectors, vectors, torch.tensor([True, True]))
    assert loss.isfinite()
    none = binary_cross_entropy(queries[:0], vectors[:0], vectors[:0], torch.ones(0).bool())
    none.backward()
    assert none == 0
    assert (queries.grad == 0).all()
