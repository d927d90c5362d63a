"""Item vectors of sequences in, one state per position out: dilated causal convolutions.

Shapes: T tokens (real positions), D embedding_dim, n samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.packing import Packing

KERNEL_SIZE = 3
LAYER_NORM_EPS = 1e-8


class CausalConvolution(nn.Module):
    """Convolution of a token with those `dilation` and 2 x `dilation` earlier.

    Where a sequence has no earlier token it sees zeros, as if it were padded with zeros on the
    left. Tokens of a sequence lie side by side, so that an earlier one is found by a shift.
    """

    def __init__(self, embedding_dim: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        # Of the earliest token first: column t * D + i is [:, i, t] of a `Conv1d`.
        self.weights = nn.Linear(KERNEL_SIZE * embedding_dim, embedding_dim)

    def forward(self, tokens: Tensor, packing: Packing, samples: Tensor | None) -> Tensor:
        """Convolve; [T, D] -> [T, D], or [n, D] at the sampled tokens alone."""
        distances = [self.dilation * k for k in reversed(range(KERNEL_SIZE))]
        window = torch.cat(
            [_sampled(_earlier(tokens, packing, distance), samples) for distance in distances],
            dim=1,
        )  # [n, 3 * D]
        convolved: Tensor = self.weights(window)  # [n, D]
        return convolved


class ResidualBlock(nn.Module):
    """Two convolutions, the second of twice the dilation; layer norm, ReLU after each; residual."""

    def __init__(self, embedding_dim: int, dilation: int) -> None:
        super().__init__()
        self.first = CausalConvolution(embedding_dim, dilation)
        self.first_norm = nn.LayerNorm(embedding_dim, eps=LAYER_NORM_EPS)
        self.second = CausalConvolution(embedding_dim, 2 * dilation)
        self.second_norm = nn.LayerNorm(embedding_dim, eps=LAYER_NORM_EPS)

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None) -> Tensor:
        """Transform; [T, D] -> [T, D], or [n, D] of the sampled tokens alone."""
        hidden = F.relu(self.first_norm(self.first(inputs, packing, None)))  # [T, D]
        added = F.relu(self.second_norm(self.second(hidden, packing, samples)))  # [n, D]
        return _sampled(inputs, samples) + added


class ConvolutionalEncoder(nn.Module):
    """NextItNet's residual blocks (Yuan et al., WSDM 2019; type b), without output layer.

    It counts no positions, so a sequence may have any length; a state knows the last
    `receptive_field` items. Weights start as in the authors' code: N(0, .02) within two standard
    deviations.

    Args:
        embedding_dim: D.
        dilations: of each block's first convolution, such as [1, 4, 1, 4]; at least one.
    """

    def __init__(self, *, embedding_dim: int, dilations: Sequence[int]) -> None:
        super().__init__()
        if not dilations or min(dilations) < 1:
            raise ValueError(
                f"dilations are {list(dilations)}; give at least one, each 1 or more, "
                "such as [1, 4]"
            )
        # Two convolutions a block, of dilations d and 2 d.
        self.receptive_field = 1 + (KERNEL_SIZE - 1) * 3 * sum(dilations)
        self.blocks = nn.ModuleList(ResidualBlock(embedding_dim, d) for d in dilations)
        self.apply(_initialise)

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None = None) -> Tensor:
        """Encode the item vectors of tokens; [T, D] -> [T, D].

        With `samples` [n], the states of these tokens only, [n, D]: the last convolution is then
        done for no others.
        """
        *earlier, last = self.blocks
        states = inputs
        for block in earlier:
            states = block(states, packing, None)  # [T, D]
        encoded: Tensor = last(states, packing, samples)  # [n, D]
        return encoded


def _earlier(tokens: Tensor, packing: Packing, distance: int) -> Tensor:
    """Each token's predecessor at that distance, zeros where its sequence has none; [T, D]."""
    if not distance:
        return tokens
    shifted = F.pad(tokens, (0, 0, distance, 0))[: len(tokens)]
    return shifted.masked_fill((packing.columns < distance).unsqueeze(1), 0)


def _sampled(tokens: Tensor, samples: Tensor | None) -> Tensor:
    """[T, D] -> [n, D]."""
    return tokens if samples is None else tokens.index_select(0, samples)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
        nn.init.zeros_(module.bias)
