"""What MMSRec is shown and asked for; the check itself notices the rules of the released code."""

import random
from collections import Counter

import pytest
import torch

from mmrec.data.batches import Batch
from tests import reference_mmsrec
from tests.models import worlds

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


@pytest.fixture(scope="module")
def rows():
    return reference_mmsrec.prefixes(histories(8_000), LONGEST)


def test_the_check_accepts_the_rule(rows):
    check([masked_by_the_rule(rows)], rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shares": (0.83, 0.07, 0.1)},
        {"shares": (0.8, 0.08, 0.12)},
        {"candidates": lambda _: EVERY[:-1]},
        {"candidates": lambda original: [item for item in EVERY if item != original]},
        {"candidates": lambda _: [*EVERY, MASK]},
    ],
    ids=["83/7/10", "80/8/12", "never the last item", "never the same item", "the mask drawn"],
)
def test_the_check_refuses_other_rules(wrong, rows):
    with pytest.raises(AssertionError, match="are expected"):
        check([masked_by_the_rule(rows, **wrong)], rows)


def test_the_check_refuses_rows_left_out_and_last_items_that_are_shown(rows):
    batch = masked_by_the_rule(rows)
    with pytest.raises(AssertionError):
        check([batch], rows[1:])
    ends = torch.tensor([len(row) - 1 for row in rows]).unsqueeze(1)
    shown = torch.where(torch.arange(LONGEST) == ends, batch.targets, batch.items)
    with pytest.raises(AssertionError, match="last item is not masked"):
        check([Batch(shown, batch.targets, batch.users)], rows)


def trained_on(histories, **finetune):
    """Batches of MMSRec's fine-tuning."""
    world = worlds.data(histories=histories)
    settings = worlds.params("mmsrec", finetune={"batch_size": 512, **finetune})
    return worlds.training(settings, worlds.recommender(settings, world=world), world=world).batches


def prefixes_of(histories):
    """Those of what is not held out: the last two of three or more."""
    trained = [history[:-2] if len(history) > 2 else history for history in histories]
    return reference_mmsrec.prefixes(trained, longest=10)


@pytest.fixture(scope="module")
def long_histories():
    drawn = random.Random(3)
    return [
        [drawn.randrange(1, worlds.NUM_ITEMS) for _ in range(drawn.randrange(16))]
        for _ in range(3000)
    ]


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_epoch_is_every_prefix_once_masked_by_the_rule(long_histories, epoch):
    rows = reference_mmsrec.rows_of(trained_on(long_histories).epoch(epoch))
    reference_mmsrec.check_masks(
        rows,
        prefixes_of(long_histories),
        num_items=worlds.NUM_ITEMS,
        mask_probability=0.2,
    )


@pytest.mark.parametrize(("mask_share", "random_share"), [(0.81, 0.09), (1.0, 0.0), (0.0, 1.0)])
def test_shares_are_as_asked_for(long_histories, mask_share, random_share):
    source = trained_on(
        long_histories, mask_probability=0.5, mask_share=mask_share, random_share=random_share
    )
    reference_mmsrec.check_masks(
        reference_mmsrec.rows_of(source.epoch(1)),
        prefixes_of(long_histories),
        num_items=worlds.NUM_ITEMS,
        mask_probability=0.5,
        shares=(mask_share, random_share, 1 - mask_share - random_share),
    )


def test_epochs_differ_and_one_is_always_the_same(long_histories):
    source = trained_on(long_histories[:100])
    first, again, second = (
        [(batch.items.tolist(), batch.targets.tolist()) for batch in source.epoch(epoch)]
        for epoch in (1, 1, 2)
    )
    assert first == again != second


def test_a_share_of_the_prefixes_is_another_in_every_epoch(long_histories):
    source = trained_on(long_histories, prefix_share=0.25)
    every = prefixes_of(long_histories)
    first, second = (
        [tuple(row.original) for row in reference_mmsrec.rows_of(source.epoch(epoch))]
        for epoch in (1, 2)
    )
    assert len(first) == len(second) == round(len(every) / 4)
    assert not Counter(first) - Counter(map(tuple, every))
    assert first != second
