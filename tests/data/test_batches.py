from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.batches import TrainingBatches
from mmrec.data.cutting import cut_batches
from mmrec.data.sequences import Sequences
from mmrec.io import DataError

LISTS = st.lists(st.lists(st.integers(1, 99), max_size=25), min_size=1, max_size=12).filter(
    lambda lists: any(len(items) > 1 for items in lists)
)


def batches_of(lists, batching="dense", length=50, overlap=5, size=64, seed=0):
    return TrainingBatches(
        Sequences.from_lists(lists),
        batching=batching,
        max_sequence_length=length,
        window_overlap=overlap,
        batch_size=size,
        seed=seed,
    )


def samples_of(batches, epoch=1):
    """Every (user, history in the row, target) of an epoch, read off one by one."""
    found = []
    for batch in batches.epoch(epoch):
        for user, items, targets in zip(
            batch.users.tolist(), batch.items.tolist(), batch.targets.tolist(), strict=True
        ):
            found += [
                (user, tuple(items[: column + 1]), target)
                for column, target in enumerate(targets)
                if target
            ]
    return found


def prefixes(lists, length):
    """The samples by definition: each item but a user's first, after what came before."""
    return [
        (user, tuple(items[max(0, end - length) : end]), items[end])
        for user, items in enumerate(lists)
        for end in range(1, len(items))
    ]


@given(LISTS, st.integers(1, 9), st.data())
def test_dense_trains_each_target_once_with_enough_history(lists, length, data):
    overlap = data.draw(st.integers(0, length - 1))
    # Distinct items tell which position a sample stands for.
    lists = [[100 * user + i + 1 for i in range(len(row))] for user, row in enumerate(lists)]
    found = samples_of(batches_of(lists, length=length, overlap=overlap))
    whole = {(user, target): history for user, history, target in prefixes(lists, 10**6)}
    assert Counter((user, target) for user, _, target in found) == Counter(whole.keys())
    for user, history, target in found:
        before = whole[user, target]
        assert history == before[-len(history) :]
        assert min(overlap, len(before)) <= len(history) <= length


@given(LISTS)
def test_dense_and_prefix_train_the_same_samples_within_the_maximum_length(lists):
    dense, prefix = (samples_of(batches_of(lists, kind)) for kind in ("dense", "prefix"))
    assert Counter(dense) == Counter(prefix) == Counter(prefixes(lists, 50))


@given(lists=LISTS, length=st.integers(1, 8))
def test_latest_rows_train_every_position_of_each_users_last_window(lists, length):
    expected = Counter()
    for user, items in enumerate(lists):
        window = items[-length - 1 :]
        for place in range(1, len(window)):
            expected[user, tuple(window[:place]), window[place]] += 1
    assert Counter(samples_of(batches_of(lists, "latest", length))) == expected


@given(LISTS, st.integers(1, 7))
def test_prefix_rows_hold_the_latest_items(lists, length):
    found = samples_of(batches_of(lists, "prefix", length=length, overlap=99))
    assert Counter(found) == Counter(prefixes(lists, length))


@given(LISTS, st.sampled_from(["dense", "prefix"]), st.integers(25, 60))
def test_batches_respect_the_target_budget_and_leave_no_target_alone(lists, kind, size):
    batches = batches_of(lists, kind, size=size)
    counts = [int((batch.targets != 0).sum()) for batch in batches.epoch(3)]
    assert sum(counts) == batches.num_targets
    assert len(counts) == len(batches.epoch(3))
    assert max(counts) <= size + 2
    assert min(counts) >= min(2, batches.num_targets)


def test_padding_is_zero_on_the_right_and_trimmed():
    for batch in batches_of([[1, 2, 3], [4, 5], [6, 7, 8, 9]], size=9).epoch(1):
        valid = batch.items != 0
        assert valid.any(dim=0).all()
        assert (valid[:, :-1] >= valid[:, 1:]).all()
        assert ((batch.targets == 0) | valid).all()


def test_users_with_one_item_or_none_give_no_sample():
    assert samples_of(batches_of([[1], [], [2, 3]])) == [(2, (2,), 3)]


def random_lists(num_users=200):
    generator = np.random.default_rng(0)
    return [generator.integers(1, 99, generator.integers(2, 30)).tolist() for _ in range(num_users)]


def same(first, second):
    return len(first) == len(second) and all(
        torch.equal(one.items, two.items) and torch.equal(one.targets, two.targets)
        for one, two in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("kind", ["dense", "prefix"])
def test_order_depends_on_seed_and_epoch_alone(kind):
    lists = random_lists()
    first, second = (batches_of(lists, kind) for _ in range(2))
    list(second.epoch(1))
    assert same(list(first.epoch(2)), list(second.epoch(2)))
    assert not same(list(first.epoch(2)), list(first.epoch(3)))
    assert not same(list(first.epoch(2)), list(batches_of(lists, kind, seed=1).epoch(2)))


def test_dense_buckets_pad_little_and_still_mix_users():
    epoch = list(batches_of(random_lists(2000), "dense", size=256).epoch(1))
    padding = 1 - sum(int((batch.items != 0).sum()) for batch in epoch) / sum(
        batch.items.numel() for batch in epoch
    )
    assert padding < 0.1
    lengths = [batch.items.shape[1] for batch in epoch]
    assert lengths != sorted(lengths)


def test_prefix_batches_do_not_tell_samples_apart_by_length():
    epoch = list(batches_of(random_lists(2000), "prefix", size=256).epoch(1))
    means = [(batch.items != 0).sum(1).double().mean().item() for batch in epoch]
    everything = np.concatenate([(batch.items != 0).sum(1).numpy() for batch in epoch])
    # Means of 256 lengths drawn at random lie this near to the mean of all.
    assert np.allclose(means[:-1], everything.mean(), atol=5 * everything.std() / 16)


def test_the_overlap_of_windows_is_half_of_them_by_default():
    lists = [list(range(1, 30))]
    assert same(
        list(batches_of(lists, length=10, overlap=None).epoch(1)),
        list(batches_of(lists, length=10, overlap=5).epoch(1)),
    )


def test_digest_changes_with_items_and_settings():
    digests = {
        batches_of([[1, 2, 3]]).digest,
        batches_of([[1, 2, 4]]).digest,
        batches_of([[1, 2, 3]], "prefix").digest,
        batches_of([[1, 2, 3]], size=65).digest,
        batches_of([[1, 2, 3]], seed=1).digest,
    }
    assert len(digests) == 5
    assert batches_of([[1, 2, 3]]).digest in digests


def test_wrong_settings_are_named_with_both_values():
    with pytest.raises(ValueError, match=r"window_overlap \(5\).*max_sequence_length \(5\)"):
        batches_of([[1, 2]], length=5, overlap=5)
    with pytest.raises(ValueError, match=r"batch_size \(3 targets\).*\(4 targets\)"):
        batches_of([[1, 2, 3, 4, 5]], size=3)


def test_nothing_to_train_on_is_a_data_error():
    with pytest.raises(DataError, match="no user has two items"):
        batches_of([[1], [2]])


@given(st.lists(st.integers(1, 8), min_size=1, max_size=60), st.integers(8, 30))
def test_cut_keeps_every_row_in_order_and_a_fair_last_batch(num_targets, size):
    borders = cut_batches(np.array(num_targets), size)
    assert borders[0] == 0
    assert borders[-1] == len(num_targets)
    assert borders == sorted(set(borders))
    totals = [sum(num_targets[first:last]) for first, last in pairwise(borders)]
    assert max(totals) <= size + 2
    assert min(totals) >= min(2, sum(num_targets))
    assert all(total > size - 8 for total in totals[:-2])


@pytest.mark.parametrize(
    ("num_rows", "expected"),
    [(10, [0, 10]), (11, [0, 6, 11]), (16, [0, 10, 16]), (1, [0, 1]), (21, [0, 10, 16, 21])],
)
def test_cut_shares_a_small_last_batch_with_its_neighbour(num_rows, expected):
    assert cut_batches(np.ones(num_rows, dtype=np.int64), 10) in (
        expected,
        [*expected[:-2], expected[-2] - 1, expected[-1]],
    )
