import pyarrow as pa
import pytest
import torch

from mmrec.data.borders import Borders
from mmrec.data.sequences import Sequences
from mmrec.io import DataError
from tests.data.raw_world import sequence_table


def table(users, items):
    return sequence_table(items, users)


def test_a_table_keeps_every_user_even_an_empty_one():
    sequences = Sequences.from_table(table([0, 1, 2], [[3, 1, 2], [], [7]]))
    assert [sequences.of(user) for user in range(3)] == [[3, 1, 2], [], [7]]
    assert sequences.lengths.tolist() == [3, 0, 1]
    assert sequences.items.dtype == torch.int32
    assert sequences.offsets.dtype == torch.int64


def test_table_in_chunks_and_sliced_gives_the_same_sequences():
    whole = table([0, 1, 2], [[3, 1, 2], [5], [7, 8]])
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert [Sequences.from_table(chunked).of(user) for user in range(3)] == [[3, 1, 2], [5], [7, 8]]


def test_empty_table_gives_no_users():
    sequences = Sequences.from_table(table([], []))
    assert (sequences.num_users, len(sequences.items)) == (0, 0)


def test_rows_out_of_user_order_are_refused_with_the_row():
    with pytest.raises(DataError, match="row 1 has user_index 2, expected 1"):
        Sequences.from_table(table([0, 2, 1], [[1], [2], [3]]))


def test_padding_as_an_item_is_refused():
    with pytest.raises(DataError, match="item index 0 found"):
        Sequences.from_table(table([0], [[1, 0, 2]]))


def test_lists_and_table_agree():
    lists = [[4, 4, 1], [2]]
    of_lists, of_table = Sequences.from_lists(lists), Sequences.from_table(table([0, 1], lists))
    assert torch.equal(of_lists.items, of_table.items)
    assert [border.tolist() for border in of_lists.borders] == [
        border.tolist() for border in of_table.borders
    ]


@pytest.mark.parametrize("name", Borders._fields)
@pytest.mark.parametrize("place", [-1, 4])
def test_borders_that_do_not_go_with_the_items_are_refused(name, place):
    whole = table([0, 1], [[1, 2, 3], [4, 5, 6]])
    at = whole.column_names.index(name)
    places = pa.array([whole.column(name)[0].as_py(), place], pa.int32())
    with pytest.raises(DataError, match=rf"row 1 has .*{name} {place}.* and 3 items, expected"):
        Sequences.from_table(whole.set_column(at, whole.schema.field(name), places))
