import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.histories import inference_batches
from mmrec.data.sequences import Sequences
from mmrec.data.split import full_histories

LISTS = st.lists(st.lists(st.integers(1, 50), max_size=12), max_size=15)


@given(LISTS, st.integers(1, 8), st.integers(1, 40))
def test_every_user_with_a_history_comes_once_with_the_latest_items(lists, max_length, budget):
    histories = full_histories(Sequences.from_lists(lists))
    seen = {}
    for rows, items in inference_batches(
        histories, max_sequence_length=max_length, token_budget=budget
    ):
        assert items.numel() <= budget or len(items) == 1
        assert (items != 0).any(dim=0).all(), "padding is trimmed to the longest row"
        for row, padded in zip(rows.tolist(), items.tolist(), strict=True):
            assert row not in seen
            seen[row] = [item for item in padded if item]
            assert padded == seen[row] + [0] * (len(padded) - len(seen[row]))
    assert seen == {row: items[-max_length:] for row, items in enumerate(lists) if items}


def test_padded_rows_hold_whole_histories():
    histories = full_histories(Sequences.from_lists([[1, 2, 3], [], [4]]))
    assert histories.padded(torch.tensor([2, 0])).tolist() == [[4, 0, 0], [1, 2, 3]]
    assert histories.padded(torch.tensor([1])).tolist() == [[0]]
    assert histories.padded(torch.tensor([], dtype=torch.int64)).shape == (0, 1)


def test_no_interactions_at_all_give_no_batch():
    histories = full_histories(Sequences.from_lists([[], []]))
    assert list(inference_batches(histories, max_sequence_length=5, token_budget=9)) == []
