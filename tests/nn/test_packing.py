import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.nn.packing import SHORTEST_LIMIT, Packing

LENGTHS = st.lists(st.integers(min_value=0, max_value=40), min_size=1, max_size=12)
SOME = st.integers(min_value=1, max_value=40)
PAIRS = st.lists(st.tuples(SOME, SOME), min_size=1, max_size=12)


def batch(lengths):
    items = torch.zeros(len(lengths), max(1, *lengths), dtype=torch.int64)
    for row, length in enumerate(lengths):
        items[row, :length] = torch.arange(1, length + 1) + 100 * row
    return items


@given(LENGTHS)
def test_tokens_are_the_real_positions(lengths):
    items = batch(lengths)
    packing = Packing.of(items)
    real = packing.pack(items)
    assert sorted(real[real != 0].tolist()) == sorted(items[items != 0].tolist())
    assert len(real) == sum(max(length, 1) for length in lengths)


@given(LENGTHS)
def test_tokens_are_found_by_position(lengths):
    items = batch(lengths)
    packing = Packing.of(items)
    rows, columns = items.nonzero(as_tuple=True)
    tokens = packing.tokens_at(rows, columns)
    assert torch.equal(packing.pack(items)[tokens], items[rows, columns])
    assert torch.equal(packing.columns[tokens], columns)
    last = [items[row, max(length - 1, 0)].item() for row, length in enumerate(lengths)]
    assert packing.pack(items)[packing.last_tokens()].tolist() == last


@given(LENGTHS)
def test_groups_pad_and_unpad_without_loss(lengths):
    packing = Packing.of(batch(lengths))
    tokens = torch.randn(2, len(packing.places), 3)
    parts = packing.split(tokens)
    returned = [
        group.unpad(group.pad(part)) for group, part in zip(packing.groups, parts, strict=True)
    ]
    assert torch.equal(torch.cat(returned, dim=1), tokens)
    assert packing.longest == max(1, *lengths)


@given(LENGTHS)
def test_a_group_holds_sequences_of_similar_length(lengths):
    packing = Packing.of(batch(lengths))
    for group in packing.groups:
        padded = group.num_sequences * group.length
        assert padded <= max(2 * len(group.places), SHORTEST_LIMIT * group.num_sequences)


@given(LENGTHS)
def test_sequences_may_be_laid_out_by_their_lengths_and_be_empty(lengths):
    packing = Packing.of_lengths(torch.tensor(lengths))
    ordered = sorted(range(len(lengths)), key=lambda row: lengths[row])
    tokens = [(row, column) for row in ordered for column in range(lengths[row])]
    found = zip(packing.sequences.tolist(), packing.columns.tolist(), strict=True)
    assert list(found) == tokens
    assert packing.places.tolist() == [row * max(lengths) + column for row, column in tokens]
    assert sum(group.num_sequences for group in packing.groups) == sum(map(bool, lengths))
    assert packing.longest == max(lengths)
    assert packing.steps.tolist() == packing.columns.tolist()
    assert packing.num_steps.tolist() == lengths


@given(LENGTHS)
def test_a_group_knows_where_it_is_padded(lengths):
    packing = Packing.of_lengths(torch.tensor(lengths))
    for group in packing.groups:
        ones = group.pad(torch.ones(1, len(group.places), 1)).squeeze(-1)
        if group.real is None:
            assert ones.all()
        else:
            assert torch.equal(group.real, ones.bool())
            assert not group.real.all()
            assert group.real.any(dim=1).all()


@given(PAIRS)
def test_pairs_are_laid_out_with_the_same_sequences_in_the_groups_of_both(pairs):
    packings = Packing.of_pairs(*torch.tensor(pairs).unbind(dim=1))
    orders = [list(dict.fromkeys(packing.sequences.tolist())) for packing in packings]
    assert orders[0] == orders[1]
    sizes = [[group.num_sequences for group in packing.groups] for packing in packings]
    assert sizes[0] == sizes[1]
    assert sum(sizes[0]) == len(pairs)
    for packing, lengths in zip(packings, zip(*pairs, strict=True), strict=True):
        tokens = [(row, column) for row in orders[0] for column in range(lengths[row])]
        found = zip(packing.sequences.tolist(), packing.columns.tolist(), strict=True)
        assert list(found) == tokens
        assert packing.places.tolist() == [row * max(lengths) + column for row, column in tokens]
        assert packing.lengths.tolist() == packing.num_steps.tolist() == list(lengths)
        assert packing.tokens_at(packing.sequences, packing.columns).tolist() == [
            *range(len(tokens))
        ]
        assert packing.longest == max(lengths)


@given(PAIRS)
def test_groups_of_pairs_are_similar_in_both_lengths_and_pad_without_loss(pairs):
    for packing in Packing.of_pairs(*torch.tensor(pairs).unbind(dim=1)):
        tokens = torch.randn(2, len(packing.places), 3)
        returned = []
        for group, part in zip(packing.groups, packing.split(tokens), strict=True):
            padded = group.pad(part)
            returned.append(group.unpad(padded))
            num_places = group.num_sequences * group.length
            assert num_places <= max(2 * len(group.places), SHORTEST_LIMIT * group.num_sequences)
            ends = padded[: group.num_sequences, -1].abs().sum(dim=1)
            assert ends.any()  # padded to the longest, no further
        assert torch.equal(torch.cat(returned, dim=1), tokens)


def test_pairs_of_alike_sizes_are_one_group():
    lengths = torch.tensor([9, 16, 3, 12, 1]), torch.tensor([50, 50, 50, 50, 50])
    text, image = Packing.of_pairs(*lengths)
    assert [group.num_sequences for group in text.groups] == [2, 3]
    assert [(group.num_sequences, group.real) for group in image.groups] == [(2, None), (3, None)]


def test_short_beside_long_is_not_grouped_with_long_beside_short():
    text, image = Packing.of_pairs(torch.tensor([1, 40, 2]), torch.tensor([40, 1, 33]))
    assert [(group.num_sequences, group.length) for group in text.groups] == [(2, 2), (1, 40)]
    assert [(group.num_sequences, group.length) for group in image.groups] == [(2, 40), (1, 1)]
