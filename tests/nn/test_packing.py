import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.nn.packing import SHORTEST_LIMIT, Packing

LENGTHS = st.lists(st.integers(min_value=0, max_value=40), min_size=1, max_size=12)


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
