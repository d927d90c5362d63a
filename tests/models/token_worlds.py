"""Features of token states for the tests of models: of twelve items, and blocks that they enter."""

from functools import partial

import pytest
import torch
from torch import nn

from mmrec.features.extractors.last_blocks import LastBlocks
from mmrec.features.token_table import TokenTable
from mmrec.models.data import Feature

WIDTHS = {"text": 6, "image": 5}
TOKENS = {
    "text": [3, 1, 0, 7, 2, 5, 0, 1, 4, 6, 2, 3],
    "image": [4, 4, 4, 4, 0, 4, 0, 4, 4, 4, 4, 4],
}
"""Of items 1 to 12."""


class Block(nn.Module):
    """A block that mixes the tokens of a content, with dropout."""

    def __init__(self, width):
        super().__init__()
        self.map = nn.Linear(width, width)

    def forward(self, states, bias=None):
        scores = states @ states.transpose(1, 2) + (0 if bias is None else bias[:, 0])
        mixed = self.map(scores.softmax(dim=2) @ states).tanh()
        return states + nn.functional.dropout(mixed, 0.5, self.training)


def token_table(modality, seed=0):
    """Random states, one content for each item that has any."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(TOKENS[modality])
    has = torch.cat([torch.zeros(1, dtype=torch.int64), (lengths > 0).long()])
    lengths = lengths[lengths > 0]
    values = torch.randn(int(lengths.sum()), WIDTHS[modality], generator=generator)
    offsets = torch.cat([torch.zeros(1).long(), has.cumsum(0)])
    token_offsets = torch.cat([torch.zeros(1).long(), lengths.cumsum(0)])
    contents = torch.arange(len(lengths))
    return TokenTable(values, token_offsets, contents, offsets, f"{modality} {seed}")


def blocks_of(modality, num_blocks):
    torch.manual_seed(3)
    width = WIDTHS[modality]
    return LastBlocks(
        "bidirectional", [Block(width) for _ in range(num_blocks)], nn.LayerNorm(width)
    )


def tokens_of(modality, num_blocks=0):
    """A feature of token states that enter so many blocks."""
    return Feature(
        partial(pytest.fail, "vectors are read"),
        partial(token_table, modality),
        partial(blocks_of, modality, num_blocks),
        lambda: "tokens",
        lambda: num_blocks > 0,
    )
