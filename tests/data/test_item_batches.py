import pytest
import torch

from mmrec.data.item_batches import ItemBatches
from mmrec.io import DataError


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("num_items", [2, 3, 10, 31])
def test_every_item_comes_once_an_epoch_and_none_alone(num_items, batch_size):
    items = torch.arange(5, 5 + num_items)
    source = ItemBatches(items, batch_size=batch_size, seed=3)
    batches = [batch.items for batch in source.epoch(1)]
    assert torch.cat(batches).sort().values.tolist() == items.tolist()
    assert all(2 <= len(batch) <= max(batch_size + 1, 3) for batch in batches)
    assert len(batches) == len(source.epoch(1))


def test_the_order_is_another_in_each_epoch_and_the_same_for_the_same():
    def source(seed=0):
        return ItemBatches(torch.arange(1, 50), batch_size=8, seed=seed)

    first, again, second, other = (
        torch.cat([batch.items for batch in one.epoch(epoch)]).tolist()
        for one, epoch in ((source(), 1), (source(), 1), (source(), 2), (source(1), 1))
    )
    assert first == again
    assert first != second
    assert first != other


def test_the_digest_says_what_the_batches_hold():
    digests = {
        ItemBatches(torch.arange(first, 9), batch_size=size, seed=seed).digest
        for first, size, seed in ((1, 4, 0), (2, 4, 0), (1, 3, 0), (1, 4, 1))
    }
    assert len(digests) == 4


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_the_parts_of_several_processes_are_the_batch(size):
    batch = next(iter(ItemBatches(torch.arange(1, 8), batch_size=7, seed=0).epoch(1)))
    parts = [batch.part(rank, size) for rank in range(size)]
    assert torch.equal(torch.cat([part.items for part in parts]), batch.items)
    assert sum(int(part.num_samples) for part in parts) == 7


def test_a_single_item_is_refused():
    with pytest.raises(DataError, match="1 items to train on, at least 2 are needed"):
        ItemBatches(torch.tensor([4]), batch_size=8, seed=0)
