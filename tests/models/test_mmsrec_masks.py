"""What MMSRec is shown and asked for; the check itself notices the rules of the released code."""

import random

import pytest
import torch

from mmrec.data.batches import Batch
from tests import reference_mmsrec

NUM_ITEMS = 6  # padding included: so few that a random item is often the one it replaces
MASK = NUM_ITEMS
LONGEST = 5
EVERY = range(1, NUM_ITEMS)


def histories(num_users):
    """Of 0 to 8 items."""
    drawn = random.Random(1)
    return [[drawn.choice(EVERY) for _ in range(drawn.randrange(9))] for _ in range(num_users)]


def masked_by_the_rule(rows, *, shares=(0.8, 0.1, 0.1), candidates=lambda _: EVERY):
    """The rows as a batch, masked one item at a time."""
    drawn = random.Random(2)
    shown, targets = ([[0] * LONGEST for _ in rows] for _ in range(2))
    for number, row in enumerate(rows):
        for column, item in enumerate(row):
            is_last, kind = column == len(row) - 1, drawn.random()
            shown[number][column] = item
            if is_last or drawn.random() < 0.2:
                targets[number][column] = item
                if is_last or kind < shares[0]:
                    shown[number][column] = MASK
                elif kind < shares[0] + shares[1]:
                    shown[number][column] = drawn.choice(candidates(item))
    return Batch(torch.tensor(shown), torch.tensor(targets), torch.arange(len(rows)))


def check(batches, originals):
    reference_mmsrec.check_masks(
        reference_mmsrec.rows_of(batches), originals, num_items=NUM_ITEMS, mask_probability=0.2
    )


def test_the_check_accepts_the_rule():
    rows = reference_mmsrec.prefixes(histories(15_000), LONGEST)
    check([masked_by_the_rule(rows)], rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shares": (0.81, 0.09, 0.1)},
        {"shares": (0.8, 0.09, 0.11)},
        {"candidates": lambda _: EVERY[:-1]},
        {"candidates": lambda original: [item for item in EVERY if item != original]},
        {"candidates": lambda _: [*EVERY, MASK]},
    ],
    ids=["81/9/10", "80/9/11", "never the last item", "never the same item", "the mask drawn"],
)
def test_the_check_refuses_other_rules(wrong):
    rows = reference_mmsrec.prefixes(histories(15_000), LONGEST)
    with pytest.raises(AssertionError, match="are expected"):
        check([masked_by_the_rule(rows, **wrong)], rows)


def test_the_check_refuses_rows_left_out_and_last_items_that_are_shown():
    rows = reference_mmsrec.prefixes(histories(15_000), LONGEST)
    batch = masked_by_the_rule(rows)
    with pytest.raises(AssertionError):
        check([batch], rows[1:])
    ends = torch.tensor([len(row) - 1 for row in rows]).unsqueeze(1)
    shown = torch.where(torch.arange(LONGEST) == ends, batch.targets, batch.items)
    with pytest.raises(AssertionError, match="last item is not masked"):
        check([Batch(shown, batch.targets, batch.users)], rows)
