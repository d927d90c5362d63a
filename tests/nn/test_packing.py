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
