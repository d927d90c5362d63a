import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.nn.augmentation import draw_drop_probability, drop_items, swap_modalities

SEQUENCES = st.lists(
    st.lists(st.integers(min_value=1, max_value=50), min_size=1, max_size=9), min_size=1, max_size=6
)


def padded(sequences):
    items = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        items[row, : len(sequence)] = torch.tensor(sequence)
    return items


def survivors(row):
    return row[row != 0].tolist()


def is_subsequence(part, whole):
    rest = iter(whole)
    return all(item in rest for item in part)


@given(SEQUENCES, st.floats(min_value=0, max_value=1), st.integers(min_value=0, max_value=99))
def test_dropping_keeps_the_first_item_and_the_order(sequences, probability, seed):
    torch.manual_seed(seed)
    dropped = drop_items(padded(sequences), probability)
    for row, sequence in zip(dropped.items, sequences, strict=True):
        kept = survivors(row)
        assert kept[0] == sequence[0]
        assert is_subsequence(kept, sequence)
        assert row[: len(kept)].tolist() == kept  # shifted left, padding only behind


def test_dropping_nothing_is_the_identity():
    items = padded([[5, 7, 9], [3]])
    dropped = drop_items(items, 0.0)
    assert torch.equal(dropped.items, items)
    assert dropped.positions.tolist() == [[0, 1, 2], [0, 0, 0]]


def test_dropping_everything_leaves_the_first_item():
    dropped = drop_items(padded([[5, 7, 9], [3]]), 1.0)
    assert dropped.items.tolist() == [[5], [3]]
    assert dropped.positions.tolist() == [[0, 0, 0], [0, 0, 0]]


@given(st.integers(min_value=0, max_value=99))
def test_up_to_an_old_positions_new_place_are_the_survivors_of_that_prefix(seed):
    torch.manual_seed(seed)
    sequence = list(range(10, 19))
    dropped = drop_items(padded([sequence]), 0.5)
    kept = survivors(dropped.items[0])
    for column, item in enumerate(sequence):
        prefix = dropped.items[0, : dropped.positions[0, column] + 1]
        assert prefix.tolist() == [survivor for survivor in kept if survivor <= item]


def test_items_are_dropped_at_the_rate_asked_for():
    torch.manual_seed(0)
    dropped = drop_items(torch.ones(2000, 11, dtype=torch.int64), 0.2)
    share = 1 - (dropped.items.sum() - 2000) / 20000
    assert share == pytest.approx(0.2, abs=0.015)


def test_the_uniform_schedule_stays_below_the_probability():
    torch.manual_seed(0)
    drawn = [draw_drop_probability(0.2, "uniform") for _ in range(500)]
    assert 0 <= min(drawn) < 0.02
    assert 0.18 < max(drawn) <= 0.2
    assert draw_drop_probability(0.2, "fixed") == 0.2


def test_swapping_with_probability_zero_is_the_identity():
    text, image = torch.randn(2, 8, 3)
    swapped = swap_modalities(text, image, 0.0)
    assert torch.equal(swapped[0], text)
    assert torch.equal(swapped[1], image)


def test_swapping_with_probability_one_exchanges_the_streams():
    text, image = torch.randn(2, 8, 3)
    swapped = swap_modalities(text, image, 1.0)
    assert torch.equal(swapped[0], image)
    assert torch.equal(swapped[1], text)


def test_both_streams_together_hold_the_same_vectors_at_every_position():
    torch.manual_seed(0)
    text, image = torch.randn(2, 200, 3)
    first, second = swap_modalities(text, image, 0.3)
    exchanged = (first == image).all(dim=1)
    assert torch.equal(first, torch.where(exchanged.unsqueeze(1), image, text))
    assert torch.equal(second, torch.where(exchanged.unsqueeze(1), text, image))
    assert exchanged.float().mean().item() == pytest.approx(0.3, abs=0.1)
