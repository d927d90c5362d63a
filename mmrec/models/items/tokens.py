"""Items by the tokens of their features: gathered, led through what is trained, fused.

Shapes: N items incl. padding, n items asked for, c contents of them, b of like length, t tokens,
P tokens of the longest content, d width of a state, M modalities, D embedding_dim.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.features.token_table import PackedTokens, TokenTable
from mmrec.models.items.encoder import ItemEncoder
from mmrec.models.items.last_blocks import frozen_parts, led_through
from mmrec.nn.merge_attention import RaggedTokens
from mmrec.nn.recomputing import in_parts
from mmrec.nn.transformer import initialise
from mmrec.params.training import Modality
from mmrec.params.tuning import Tune

TOKENS_AT_ONCE: Final = 1 << 14
"""Of the items that are encoded together for retrieval, at most."""
STATES_KEPT: Final = 1 << 21
"""Values of states of a training step on a CPU for which what gradients need is kept, at most.

With two blocks of both encoders and merge attention that is some 220 bytes a value.
"""


class TokenItemEncoder(ItemEncoder):
    """Tokens of each modality, then a fusion of them all.

    Its parts have the names of the modalities, and `fusion`.

    A step of the published size would keep tens of gigabytes for its gradients. On a CPU little is
    kept, and the rest computed again for a third more time; a GPU has such memory, and keeps all.

    Args:
        tokens: of the modalities there are, in the order of the fusion.
        fusion: tokens of n items, a modality after the other -> [n, D].
    """

    def __init__(self, tokens: Mapping[Modality, ItemTokens], fusion: nn.Module) -> None:
        super().__init__()
        self.modalities = tuple(tokens)
        for modality, own in tokens.items():
            self.add_module(modality, own)
        self.fusion = fusion
        self.num_items = max(own.table.num_items for own in tokens.values())
        most = sum(own.table.most_tokens for own in tokens.values())
        self.items_at_once = max(1, TOKENS_AT_ONCE // max(1, most))
        widest = max(own.width_kept for own in tokens.values())
        self.items_kept = max(1, STATES_KEPT // max(1, most * widest))

    def encode(self, items: Tensor) -> Tensor:
        """Vectors of the items [n]; [n, D]."""
        return self.keeping_little(self._encode, items)

    def keeping_little(self, encode: Callable[[Tensor], Tensor], items: Tensor) -> Tensor:
        """What `encode` makes of each of the items [n] by itself, computed again where it must."""
        if not torch.is_grad_enabled() or items.device.type != "cpu":
            return encode(items)
        return in_parts(encode, items, self.items_kept)

    def _encode(self, items: Tensor) -> Tensor:
        contents = [self.get_submodule(modality)(items) for modality in self.modalities]
        fused: Tensor = self.fusion(contents)
        return fused

    def encode_all(self) -> Tensor:
        """Vectors of the whole catalogue; [N, D]. Its tokens are in memory at once."""
        device = next(self.parameters()).device
        return self.encode(torch.arange(self.num_items, device=device))


class ItemTokens(nn.Module):
    """Tokens of one modality of any items: kept states, some last blocks, a map to one width.

    The table is data and stays on the host. Blocks that are not trained are as the extractor has
    them: without gradient, and without dropout in training too.

    Args:
        table: kept states, or vectors as such.
        projection: to [t, D].
        last_blocks: (states [b, P, d], mask [b, P] or None) -> final states, where the kept ones
            enter any.
        tune: which of the blocks are trained.
    """

    def __init__(
        self,
        table: TokenTable,
        projection: TokenMap | GridConvolution,
        last_blocks: nn.Module | None = None,
        tune: Tune = "none",
    ) -> None:
        super().__init__()
        self.table = table
        self.last_blocks = last_blocks
        self.projection = projection
        self._frozen = () if last_blocks is None else frozen_parts(last_blocks, tune)
        for part in self._frozen:
            part.requires_grad_(requires_grad=False).eval()

    @property
    def width_kept(self) -> int:
        """Of what gradients need of a token: in blocks that are trained, and in a fusion."""
        in_blocks = max(self.table.dim, self.projection.width) if self.is_tuned else 0
        return max(in_blocks, self.projection.embedding_dim)

    @property
    def is_tuned(self) -> bool:
        """Some of its blocks are trained."""
        return self.last_blocks is not None and any(
            one.requires_grad for one in self.last_blocks.parameters()
        )

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but frozen blocks."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, items: Tensor) -> RaggedTokens:
        """Tokens of the items [n]; an item may have none."""
        tokens = self.packed(items)
        return RaggedTokens(tokens.values, tokens.of_items())

    def packed(self, items: Tensor) -> PackedTokens:
        """The same, content after content."""
        tokens = self.table.gather(items)
        dtype = next(self.projection.parameters()).dtype
        tokens = tokens._replace(values=tokens.values.to(dtype))
        if self.last_blocks is not None:
            tokens = led_through(self.last_blocks, tokens, width=self.projection.width)
        return tokens._replace(values=self.projection(tokens))

    def are_there(self, items: Tensor) -> Tensor:
        """Whether the items [n] have any content; bool [n]."""
        return (self.table.counts[items.cpu()] > 0).to(items.device)


class TokenMap(nn.Module):
    """A dense map of each token, Xavier-normal."""

    def __init__(self, width: int, embedding_dim: int) -> None:
        super().__init__()
        self.width, self.embedding_dim = width, embedding_dim
        self.output = nn.Linear(width, embedding_dim)
        initialise(self, "xavier_normal")

    def forward(self, tokens: PackedTokens) -> Tensor:
        """Map; [t, d] -> [t, D]."""
        mapped: Tensor = self.output(tokens.values)
        return mapped


class GridConvolution(nn.Module):
    """A convolution of 3 x 3 over the grid of a picture, then ReLU (MMSR's map of a ResNet)."""

    def __init__(self, width: int, embedding_dim: int) -> None:
        super().__init__()
        self.width, self.embedding_dim = width, embedding_dim
        self.output = nn.Conv2d(width, embedding_dim, kernel_size=3, padding=1, bias=False)

    def forward(self, tokens: PackedTokens) -> Tensor:
        """Convolve; [t, d] -> [t, D].

        Raises:
            ValueError: the tokens of a picture are no square.
        """
        num_tokens = len(tokens.values) // max(1, len(tokens.lengths))
        side = math.isqrt(num_tokens)
        if (tokens.lengths != side * side).any():
            raise ValueError(
                f"image_projection: convolution reads the square grid of a picture, found "
                f"{num_tokens} tokens of one; embed without special_tokens, or set it to linear"
            )
        grids = tokens.values.view(-1, side, side, self.width).permute(0, 3, 1, 2)
        convolved = F.relu(self.output(grids))  # [c, D, side, side]
        return convolved.permute(0, 2, 3, 1).flatten(0, 2)


class FusionOfMeans(nn.Module):
    """The mean token of each modality, or a learned vector where there is none, then a fusion.

    Args:
        fusion: [n, M, D] -> [n, D].
        num_modalities: M.
        embedding_dim: D.
    """

    def __init__(self, fusion: nn.Module, *, num_modalities: int, embedding_dim: int) -> None:
        super().__init__()
        self.fusion = fusion
        self.absent = nn.Parameter(torch.empty(num_modalities, embedding_dim).normal_(std=0.02))

    def forward(self, contents: Sequence[RaggedTokens]) -> Tensor:
        """Fuse the contents of n items, a modality after the other; [n, D]."""
        means = [mean_or(*one) for one in zip(contents, self.absent, strict=True)]
        fused: Tensor = self.fusion(torch.stack(means, dim=1))
        return fused


def mean_or(tokens: RaggedTokens, absent: Tensor) -> Tensor:
    """Mean token of each item, or what stands for it where it has none [D]; [n, D]."""
    vectors, counts = tokens
    owners = torch.repeat_interleave(counts, output_size=len(vectors))
    sums = vectors.new_zeros(len(counts), vectors.shape[1]).index_add(0, owners, vectors)
    counts = counts.unsqueeze(1)
    return torch.where(counts > 0, sums / counts.clamp(min=1), absent)  # [n, D]
