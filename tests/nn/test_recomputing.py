"""Parts that are computed again for their gradients give those of all at once."""

import pytest
import torch
from torch import nn

from mmrec.nn.recomputing import in_parts


class Rows(nn.Module):
    """Some map of rows, with dropout; notes how many it is given."""

    def __init__(self, drop):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.map = nn.Embedding(20, 6), nn.Linear(6, 4)
        self.drop, self.given = drop, []

    def forward(self, rows):
        self.given.append(len(rows))
        states = nn.functional.dropout(self.table(rows), self.drop)
        return self.map(states).tanh()


def loss_and_gradients(values, rows):
    (values * torch.arange(values.numel()).view(values.shape)).sum().backward()
    return values, [one.grad for one in rows.parameters()]


@pytest.mark.parametrize("size", [1, 3, 7, 8])
def test_values_and_gradients_are_those_of_all_at_once(size):
    asked = torch.tensor([3, 1, 19, 4, 4, 0, 7])
    ours, plain = Rows(0.0), Rows(0.0)
    found = loss_and_gradients(in_parts(ours, asked, size), ours)
    torch.testing.assert_close(found, loss_and_gradients(plain(asked), plain))


def test_a_part_that_is_computed_again_drops_the_same():
    asked = torch.arange(10)
    ours, plain = Rows(0.5), Rows(0.5)
    torch.manual_seed(1)
    found = loss_and_gradients(in_parts(ours, asked, 4), ours)
    torch.manual_seed(1)
    kept = torch.cat([plain(part) for part in asked.split(4)])
    torch.testing.assert_close(found, loss_and_gradients(kept, plain), rtol=0, atol=0)


def test_all_but_the_last_part_are_computed_again_the_last_of_them_first():
    rows = Rows(0.0)
    in_parts(rows, torch.arange(9), 4).sum().backward()
    assert rows.given == [4, 4, 1, 4, 4]
    rows.given.clear()
    in_parts(rows, torch.arange(4), 4).sum().backward()
    assert rows.given == [4]


def test_no_rows_are_no_values():
    rows = Rows(0.0)
    assert in_parts(rows, torch.arange(0), 4).shape == (0, 4)
