"""An encoder's last blocks in a training: which of them move, and tokens led through them.

Shapes: c contents, b of them of like length, t tokens, P tokens of the longest content, d width of
a state.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor, nn

from mmrec.features.item_rows import rows_between
from mmrec.features.token_table import PackedTokens, TokenTable
from mmrec.nn.packing import Packing
from mmrec.params.tuning import BLOCKS_NEEDED, Tune
from mmrec.recommender import inference


def frozen_parts(last_blocks: nn.Module, tune: Tune) -> tuple[nn.Module, ...]:
    """The parts of an encoder's last blocks that are not trained.

    `top2` trains the two highest blocks and the norm behind them, as published; `bottom10` the
    ten lowest of twelve, as the released code of MMSR does in its place.

    Raises:
        ValueError: there are not as many blocks, or more than one row of them.
    """
    if tune == "all":
        return ()
    if tune == "none":
        return (last_blocks,)
    blocks = getattr(last_blocks, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        raise ValueError(  # noqa: TRY004
            f"tune: found {tune}, but the blocks of this encoder are of several parts; set it to "
            "all or none, and keep as many below the last as are to be trained"
        )
    if len(blocks) < BLOCKS_NEEDED[tune]:
        raise ValueError(
            f"tune: found {tune}, but the states enter {len(blocks)} blocks; raise below_last of "
            "the feature, or train fewer"
        )
    match tune:
        case "top1":
            return tuple(blocks[:-1])
        case "top2":
            return tuple(blocks[:-2])
        case "bottom10":
            return (*blocks[10:], last_blocks.get_submodule("norm"))
        case _:
            assert_never(tune)


def width_behind(last_blocks: nn.Module, table: TokenTable) -> int:
    """Width of a token behind an encoder's last blocks; a ResNet's first doubles it."""
    with_content = (table.counts > 0).nonzero().squeeze(1)[:1]
    if not len(with_content):
        return table.dim
    one = table.gather(with_content)
    one = one._replace(values=one.values.float())
    with inference(last_blocks):
        states = last_blocks(one.values[: one.lengths[0]].unsqueeze(0))
    return int(states.shape[2])


def led_through(last_blocks: nn.Module, tokens: PackedTokens, *, width: int) -> PackedTokens:
    """Tokens behind an encoder's last blocks, contents of similar length side by side.

    Where the blocks change how many tokens a content has, it is by the same number for all:
    a token more in front, or a grid of fewer places.

    Args:
        last_blocks: (states [b, P, d], mask [b, P] or None) -> states [b, P', width].
        tokens: in the type of the blocks.
        width: of a token behind them.
    """
    lengths = tokens.lengths  # [c]
    if not len(lengths):
        return tokens._replace(values=_nothing(last_blocks, tokens.values, width))
    packing = Packing.of_lengths(lengths)
    firsts = lengths.cumsum(0) - lengths
    packed = tokens.values[firsts[packing.sequences] + packing.columns]  # [t, d]
    order = lengths.argsort(stable=True)  # as in the packing
    sizes = [group.num_sequences for group in packing.groups]
    values, changed = [], []
    parts = packing.split(packed.unsqueeze(0))
    ordered = torch.split(lengths[order], sizes)
    for group, part, own in zip(packing.groups, parts, ordered, strict=True):
        states = last_blocks(group.pad(part), group.real)  # [b, P', width]
        changed.append(own + states.shape[1] - group.length)
        places = torch.arange(states.shape[1], device=states.device)
        values.append(states[places < changed[-1].unsqueeze(1)])
    behind = torch.cat(changed)  # [c]
    rank = order.argsort()
    rows, _ = rows_between((behind.cumsum(0) - behind)[rank], behind[rank])
    return PackedTokens(torch.cat(values)[rows], behind[rank], tokens.counts)


def _nothing(last_blocks: nn.Module, like: Tensor, width: int) -> Tensor:
    """No tokens [0, width], and yet a gradient, of zeros, for what is trained."""
    trained = [one.sum() * 0 for one in last_blocks.parameters() if one.requires_grad]
    return like.new_zeros(0, width) + sum(trained, start=like.new_zeros(()))
