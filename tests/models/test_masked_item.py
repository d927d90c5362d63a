"""What is masked when, by the rules one row at a time; and what BERT4Rec makes of it."""

import pytest
import torch

from mmrec.data.batches import Batch
from mmrec.data.sequences import Sequences
from mmrec.io import DataError
from mmrec.models.masked_item import MaskedBatches, draw_masks, with_mask, with_mask_behind
from tests.models import worlds

MASK = 40
LISTS = [[(user + step) % 30 + 1 for step in range(user % 9)] for user in range(60)]


def batches(lists=LISTS, **changes):
    settings = {
        "mask": MASK,
        "max_sequence_length": 6,
        "mask_probability": 0.3,
        "last_only_share": 0.4,
        "batch_size": 20,
        "seed": 5,
    }
    return MaskedBatches(Sequences.from_lists(lists), **{**settings, **changes})


def rows_of(source, epoch=1):
    """Rows of an epoch by user: what is read, and what is to be predicted."""
    found = {}
    for batch in source.epoch(epoch):
        for user, items, targets in zip(batch.users, batch.items, batch.targets, strict=True):
            length = int((items != 0).sum())
            assert user.item() not in found
            assert not targets[length:].any()
            found[user.item()] = (items[:length].tolist(), targets[:length].tolist())
    return found


def test_a_row_is_the_latest_items_of_a_user_once_an_epoch_and_a_mask_stands_for_its_target():
    found = rows_of(batches())
    assert set(found) == {user for user, items in enumerate(LISTS) if items}
    for user, (items, targets) in found.items():
        whole = LISTS[user][-6:]  # the oldest of them and the very last item among them
        assert [target or item for item, target in zip(items, targets, strict=True)] == whole
        masked = [item == MASK for item in items]
        assert masked == [target != 0 for target in targets]
        assert any(masked)


def test_the_first_and_the_last_item_are_read_and_trained_in_some_epoch():
    for end in (0, -1):
        seen = [rows_of(batches(), epoch)[8] for epoch in range(1, 30)]
        assert {items[end] == MASK for items, _ in seen} == {True, False}
        assert {targets[end] for _, targets in seen} == {0, LISTS[8][-6:][end]}


def test_masks_are_as_many_as_asked_for():
    lengths = torch.full((20_000,), 10)
    masked = draw_masks(
        lengths,
        mask_probability=0.2,
        last_only_share=0.25,
        generator=torch.Generator().manual_seed(0),
    ).view(-1, 10)
    last_only = masked[:, :9].sum(dim=1) == 0
    # All but the last stay where drawn so, or where none or only the last would be masked anyway.
    by_chance = 0.8**9 * (0.2 + 0.8 / 10)
    assert last_only.float().mean().item() == pytest.approx(0.25 + 0.75 * by_chance, abs=0.01)
    others = masked[:, :9].float().mean().item()
    assert others == pytest.approx(0.75 * (0.2 + 0.8**10 / 10), abs=0.005)
    assert masked.any(dim=1).all()


def test_shares_of_none_and_all():
    def drawn(**shares):
        generator = torch.Generator().manual_seed(0)
        return draw_masks(torch.tensor([3, 1, 4]), generator=generator, **shares)

    last = [False, False, True, True, False, False, False, True]
    assert drawn(mask_probability=0.5, last_only_share=1.0).tolist() == last
    one_each = drawn(mask_probability=0.0, last_only_share=0.0).split([3, 1, 4])
    assert [int(row.sum()) for row in one_each] == [1, 1, 1]


def test_an_epoch_is_the_same_whenever_it_is_asked_for_and_others_differ():
    source = batches()
    first, second = rows_of(source, 1), rows_of(source, 2)
    torch.rand(3)
    assert rows_of(batches(), 1) == first == rows_of(source, 1)
    assert first != second
    assert rows_of(batches(seed=6), 1) != first


def test_several_processes_share_what_one_has():
    for batch in batches().epoch(1):
        parts = [batch.part(rank, 3) for rank in range(3)]
        trained = [part for part in parts if part.num_samples]
        assert torch.equal(torch.cat([part.items for part in trained]), batch.items)
        assert torch.equal(torch.cat([part.targets for part in trained]), batch.targets)
        assert sum(part.num_samples for part in parts) == batch.num_samples


def test_a_batch_has_no_more_targets_than_asked_for_and_rows_of_like_lengths():
    sizes = [int(batch.num_samples) for batch in batches(LISTS * 20).epoch(1)]
    assert len(batches(LISTS * 20).epoch(1)) == len(sizes) > 10
    assert max(sizes) <= 20
    padding = [(batch.items == 0).float().mean() for batch in batches(LISTS * 20).epoch(1)]
    assert sum(padding) / len(padding) < 0.1


def test_the_digest_changes_with_all_that_decides():
    changed = [
        {"mask": 41},
        {"max_sequence_length": 5},
        {"mask_probability": 0.2},
        {"last_only_share": 0.5},
        {"batch_size": 21},
        {"seed": 6},
        {"lists": LISTS[:-1]},
    ]
    assert batches().digest == batches().digest
    assert len({batches().digest, *(batches(**change).digest for change in changed)}) == 8


def test_nothing_to_train_and_rows_beyond_a_batch_are_refused():
    with pytest.raises(DataError, match="no user has an item in the training part"):
        batches([[], []])
    with pytest.raises(ValueError, match=r"batch_size \(5 targets\).*longest row \(6 items\)"):
        batches(batch_size=5)


def test_a_mask_has_a_vector_of_its_own_and_items_theirs():
    items, mask = torch.randn(5, 3, requires_grad=True), torch.randn(3, requires_grad=True)
    found = with_mask(torch.tensor([4, 5, 1]), items, mask)
    assert torch.equal(found, torch.stack([items[4], mask, items[1]]))
    found.sum().backward()
    assert items.grad.sum(dim=1).tolist() == [0, 3, 0, 0, 3]
    assert mask.grad.tolist() == [1, 1, 1]


def test_the_mask_stands_behind_the_last_item_of_every_row():
    found = with_mask_behind(torch.tensor([[7, 8, 0], [0, 0, 0], [1, 2, 3]]), 9)
    assert found.tolist() == [[7, 8, 9, 0], [9, 0, 0, 0], [1, 2, 3, 9]]


def test_the_last_training_item_is_trained_and_what_is_held_out_is_not():
    users = [[1, 2, 3, 4, 5]] * 6
    params = worlds.params("bert4rec")
    world = worlds.data(histories=users)
    training = worlds.training(params, worlds.recommender(params, world=world), world=world)
    read, predicted = set(), set()
    for epoch in range(1, 20):
        for batch in training.batches.epoch(epoch):
            assert isinstance(batch, Batch)
            read |= set(batch.items.flatten().tolist())
            predicted |= set(batch.targets.flatten().tolist())
    assert read == {1, 2, 3, worlds.NUM_ITEMS}
    assert predicted == {0, 1, 2, 3}


def test_chunks_of_batches_mix_rows_anew():
    source = batches(LISTS * 20)
    first, second = (
        [sorted(batch.users.tolist()) for batch in source.epoch(epoch)] for epoch in (1, 2)
    )
    assert not any(users in second for users in first)
