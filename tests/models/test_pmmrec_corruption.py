"""Corruption of sequences: how many items, which, where they go and what comes in their place."""

from collections import Counter
from itertools import permutations

import pytest
import torch
from scipy.stats import binomtest, chisquare

from mmrec.models.pmmrec import corruption
from mmrec.models.pmmrec.corruption import REPLACED, SHUFFLED, UNCHANGED, Draws, corrupt
from mmrec.nn.processes import Parts
from tests import reference_pmmrec
from tests.models import worlds

SHUFFLE, REPLACE = 0.15, 0.05
FEW = 1e-4
"""Chance of a test of chances to fail where all is right; draws are the same in every run."""


def corrupted(whole, seed=0, **shares):
    """Whole sequences [B, L + 1] as tensors or lists; what is read of them, before and after."""
    whole = torch.as_tensor(whole)
    batch = worlds.sequences_of_batch(whole, num_items=1 << 20)
    items = worlds.dense_batch(whole).items
    torch.manual_seed(seed)
    return items, corrupt(items, batch, Draws.of(items, batch), **shares)


def rows_of(length, count, width=None):
    """Sequences of so many inputs each, no item twice."""
    whole = torch.zeros(count, (width or length) + 1, dtype=torch.int64)
    whole[:, : length + 1] = torch.arange(1, count * (length + 1) + 1).view(count, -1)
    return whole


@pytest.mark.parametrize("width", [None, 20])
@pytest.mark.parametrize("length", range(1, 21))
def test_rows_of_any_length_have_exactly_as_many_of_each_label(length, width):
    _, (_, labels) = corrupted(rows_of(length, 50, width))
    counts = [(labels == label).sum(dim=1) for label in (SHUFFLED, REPLACED)]
    assert counts[0].unique().tolist() == [reference_pmmrec.num_shuffled(length, SHUFFLE)]
    number, chance = reference_pmmrec.num_replaced(length, REPLACE)
    assert set(counts[1].tolist()) <= ({number, number + 1} if chance else {number})
    assert not labels[:, length:].any()


@pytest.mark.parametrize("shares", [(0.15, 0.05), (0.29, 0.35), (0.5, 0.5), (0.0, 0.3), (0.3, 0.0)])
def test_other_shares_and_longer_rows_are_rounded_alike(shares):
    for length in (1, 2, 3, 4, 5, 7, 10, 13, 20, 30, 50, 60):
        _, (after, labels) = corrupted(
            rows_of(length, 3, length + 5), shuffle_share=shares[0], replace_share=shares[1]
        )
        assert not after[:, length:].any()
        shuffled = reference_pmmrec.num_shuffled(length, shares[0]) if shares[0] else 0
        number, chance = reference_pmmrec.num_replaced(length, shares[1])
        assert set((labels == SHUFFLED).sum(dim=1).tolist()) == {shuffled}
        allowed = {number, number + 1} if chance else {number}
        found = set((labels == REPLACED).sum(dim=1).tolist())
        assert found <= {min(count, length - shuffled) for count in allowed}


@pytest.mark.parametrize("length", [1, 4, 9])
def test_of_short_rows_one_is_replaced_as_often_as_its_share_says(length):
    _, (_, labels) = corrupted(rows_of(length, 4000))
    replaced = int((labels == REPLACED).any(dim=1).sum())
    assert binomtest(replaced, 4000, REPLACE * length).pvalue > FEW


@pytest.mark.parametrize("length", [4, 10, 20, 60])
def test_shuffled_items_change_places_and_all_of_them_stay(length):
    items, (after, labels) = corrupted(rows_of(length, 200))
    for before, row, of in zip(items.tolist(), after.tolist(), labels.tolist(), strict=True):
        places = [place for place, label in enumerate(of) if label == SHUFFLED]
        assert all(before[place] != row[place] for place in places)
        assert {before[place] for place in places} == {row[place] for place in places}
        kept = [place for place, label in enumerate(of) if label == UNCHANGED]
        assert all(before[place] == row[place] for place in kept)


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_in_is_in_other_rows_and_not_in_the_own(seed):
    torch.manual_seed(seed)
    whole = worlds.sequences([20, 3, 12, 2, 7, 15], seed=seed) + 0
    items, (after, labels) = corrupted(whole, seed, replace_share=0.6)
    rows = [set(row.tolist()) - {0} for row in whole]
    places = (labels == REPLACED).nonzero().tolist()
    assert places
    for row, column in places:
        assert int(after[row, column]) in set.union(*rows) - rows[row]
    assert torch.equal(after == 0, items == 0)


def test_where_no_other_item_is_none_is_replaced():
    items, (after, labels) = corrupted([[1, 2, 3], [3, 1, 2]], replace_share=1.0)
    assert torch.equal(after, items)
    assert not labels.any()
    _, (after, labels) = corrupted([[1, 2, 3], [3, 1, 4]], shuffle_share=0.0, replace_share=1.0)
    assert after.tolist() == [[4, 4], [2, 2]]
    assert (labels == REPLACED).all()


def test_labels_say_what_is_to_be_seen():
    # All are shuffled; of two like each other, one may come to the place of the other.
    items, (after, labels) = corrupted([[5, 5, 6, 6, 1]] * 300, shuffle_share=1.0)
    assert torch.equal(labels == SHUFFLED, after != items)
    assert (labels == UNCHANGED).any()
    assert not (labels == REPLACED).any()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_all_permutations_without_fixed_points_are_as_likely(count):
    items, (after, _) = corrupted([[*range(1, count + 2)]] * 6000, shuffle_share=1.0)
    expected = [
        order
        for order in permutations(range(1, count + 1))
        if all(item != place for place, item in enumerate(order, start=1))
    ]
    if count < corruption.SHORTEST_SHUFFLED:
        assert torch.equal(after, items)
        return
    found = Counter(map(tuple, after.tolist()))
    assert set(found) == set(expected)
    assert chisquare([found[order] for order in expected]).pvalue > FEW


def test_three_of_twenty_are_led_both_ways_round():
    _, (after, labels) = corrupted(rows_of(20, 3000), replace_share=0.0)
    places = labels.nonzero()[:, 1].view(-1, 3)
    first = after.gather(1, places)[:, 0] == 21 * torch.arange(3000) + 1 + places[:, 1]
    assert binomtest(int(first.sum()), 3000).pvalue > FEW


def test_places_are_drawn_without_regard_to_where_they_are():
    _, (_, labels) = corrupted(rows_of(10, 9000))
    pairs = Counter(map(tuple, (labels == SHUFFLED).nonzero()[:, 1].view(-1, 2).tolist()))
    assert len(pairs) == 45
    assert chisquare(list(pairs.values())).pvalue > FEW
    replaced = Counter((labels == REPLACED).nonzero()[:, 1].tolist())
    assert len(replaced) == 10
    assert chisquare(list(replaced.values())).pvalue > FEW


def test_what_comes_in_is_drawn_by_the_places_that_others_have_it_at():
    # Among the others' places are last ones, which are targets alone; 2 and 3 are one's own.
    other = [7, 4, 9, 9, 2, 9, 4, 3, 1]
    reader = [[3, 2, 6] + [0] * 6] * 20
    seen = Counter()
    for seed in range(40):
        _, (after, labels) = corrupted([*reader, other], seed, replace_share=1.0)
        seen.update(after[:20][labels[:20] == REPLACED].tolist())
    line = [7, 4, 9, 9, 9, 4, 1]
    chances = {item: count / len(line) for item, count in Counter(line).items()}
    assert set(seen) == set(chances)
    expected = [seen.total() * chance for chance in chances.values()]
    assert chisquare([seen[item] for item in chances], expected).pvalue > FEW


def test_rows_that_train_nothing_stay_as_they_are_and_draw_nothing():
    whole = worlds.sequences([9, 6, 12], seed=1)
    batch = worlds.sequences_of_batch(whole)
    items = worlds.dense_batch(whole).items
    torch.manual_seed(3)
    expected = corrupt(items, batch, Draws.of(items, batch), replace_share=0.5)
    extra = torch.tensor([[4, 5, 6, 7, 8] + [0] * 6])
    more = batch._replace(
        sequences=torch.cat([torch.zeros_like(batch.sequences[:1]), batch.sequences])
    )
    items = torch.cat([extra, items])
    torch.manual_seed(3)
    after, labels = corrupt(items, more, Draws.of(items, more), replace_share=0.5)
    assert torch.equal(after[:1], extra)
    assert not labels[0].any()
    assert torch.equal(after[1:], expected.items)
    assert torch.equal(labels[1:], expected.labels)


def test_the_processes_of_a_batch_do_what_one_does(monkeypatch):
    whole = worlds.sequences([9, 6, 12, 5, 8], seed=1)
    batch = worlds.sequences_of_batch(whole)
    items = worlds.dense_batch(whole).items
    torch.manual_seed(3)
    expected = corrupt(items, batch, Draws.of(items, batch))
    for rank, own in enumerate((slice(0, 2), slice(2, 5))):
        monkeypatch.setattr("mmrec.nn.processes.process_rank", lambda rank=rank: rank)
        monkeypatch.setattr(Parts, "of", lambda *_: Parts((2, 3)))
        part = batch._replace(sequences=batch.sequences[own])
        torch.manual_seed(3)
        found = corrupt(items[own], part, Draws.of(items[own], part))
        assert torch.equal(found.items, expected.items[own])
        assert torch.equal(found.labels, expected.labels[own])
