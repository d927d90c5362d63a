import doctest

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data import borders, split
from mmrec.data.sequences import Sequences
from mmrec.data.split import (
    draw_held_out,
    full_histories,
    hold_out_test,
    hold_out_validation,
    training_part,
    warm_only,
    warm_only_held_out,
)

LISTS = st.lists(st.lists(st.integers(1, 9), max_size=8), max_size=8)


def rows(held_out):
    histories = held_out.histories
    items = histories.padded(torch.arange(histories.num_rows)).tolist()
    return {
        user: ([item for item in padded if item], target)
        for user, padded, target in zip(
            histories.users.tolist(), items, held_out.targets.tolist(), strict=True
        )
    }


def lists_of(sequences):
    return [sequences.of(user) for user in range(sequences.num_users)]


def test_last_item_tests_second_last_validates_rest_trains():
    sequences = Sequences.from_lists([[5, 6, 7, 8], [1, 2, 3]])
    assert lists_of(training_part(sequences)) == [[5, 6], [1]]
    assert rows(hold_out_validation(sequences)) == {0: ([5, 6], 7), 1: ([1], 2)}
    assert rows(hold_out_test(sequences)) == {0: ([5, 6, 7], 8), 1: ([1, 2], 3)}


def test_users_with_fewer_than_three_items_only_train():
    sequences = Sequences.from_lists([[1], [2, 3], [], [4, 5, 6]])
    assert lists_of(training_part(sequences)) == [[1], [2, 3], [], [4]]
    assert set(rows(hold_out_test(sequences))) == set(rows(hold_out_validation(sequences))) == {3}


def test_full_histories_keep_everyone():
    histories = full_histories(Sequences.from_lists([[1, 2, 3], [], [4]]))
    assert histories.users.tolist() == [0, 1, 2]
    assert histories.lengths.tolist() == [3, 0, 1]


def test_some_users_are_drawn_whole_in_order_and_alike_for_a_seed():
    held_out = hold_out_validation(Sequences.from_lists([[n, n + 1, n + 2] for n in range(1, 40)]))
    drawn = rows(draw_held_out(held_out, 10, seed=1))
    assert len(drawn) == 10
    assert list(drawn) == sorted(drawn)
    assert drawn.items() <= rows(held_out).items()
    assert rows(draw_held_out(held_out, 10, seed=1)) == drawn
    assert rows(draw_held_out(held_out, 10, seed=2)) != drawn


def test_everyone_is_drawn_where_no_number_or_more_is_asked_for():
    held_out = hold_out_validation(Sequences.from_lists([[1, 2, 3], [4, 5, 6]]))
    assert draw_held_out(held_out, None, seed=1) is held_out
    assert rows(draw_held_out(held_out, 3, seed=1)) == rows(held_out)


@given(LISTS)
def test_training_part_validation_and_test_targets_make_up_every_sequence(lists):
    sequences = Sequences.from_lists(lists)
    validation, test = rows(hold_out_validation(sequences)), rows(hold_out_test(sequences))
    for user, items in enumerate(lists):
        held_out = [split[user][1] for split in (validation, test) if user in split]
        assert training_part(sequences).of(user) + held_out == items
        if user in test:
            assert validation[user][0] == training_part(sequences).of(user)
            assert test[user][0] == [*validation[user][0], validation[user][1]]


def test_of_what_trains_nothing_is_held_out():
    trains = training_part(Sequences.from_lists([[5, 6, 7, 8], [1, 2, 3]]))
    assert lists_of(training_part(trains)) == [[5, 6], [1]]
    with pytest.raises(ValueError, match="nothing is held out of these sequences"):
        hold_out_test(trains)


@given(LISTS, st.sets(st.integers(1, 9)))
def test_warm_only_equals_deleting_cold_items_from_each_sample(lists, cold):
    is_cold = torch.tensor([item in cold for item in range(10)])
    warm = lists_of(warm_only(Sequences.from_lists(lists), is_cold))
    assert warm == [[item for item in items if item not in cold] for items in lists]
    samples = {
        (user, tuple(item for item in items[:end] if item not in cold), items[end])
        for user, items in enumerate(lists)
        for end in range(1, len(items))
        if items[end] not in cold
    }
    assert {sample for sample in samples if sample[1]} == {
        (user, tuple(items[:end]), items[end])
        for user, items in enumerate(warm)
        for end in range(1, len(items))
    }


@given(LISTS, st.sets(st.integers(1, 9)))
def test_warm_only_held_out_drops_cold_targets_and_empty_histories(lists, cold):
    is_cold = torch.tensor([item in cold for item in range(10)])
    held_out = hold_out_test(Sequences.from_lists(lists))
    expected = {
        user: ([item for item in history if item not in cold], target)
        for user, (history, target) in rows(held_out).items()
        if target not in cold and set(history) - cold
    }
    assert rows(warm_only_held_out(held_out, is_cold)) == expected


def test_examples_in_the_documentation_hold():
    for module in (borders, split):
        found = doctest.testmod(module)
        assert found.attempted >= 1
        assert not found.failed
