"""Token encoders of items as a graph can have them: tokens of each feature, then their fusion.

Shapes: n items, r tokens of a feature, d width of a state, D embedding_dim.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.models.items.tokens import FusionOfMeans, ItemTokens, TokenItemEncoder, TokenMap
from mmrec.models.pmmrec.items import PmmrecItemEncoder
from mmrec.nn.merge_attention import MergeAttention
from mmrec.onnx.padded import layered
from mmrec.onnx.rows import real_rows


def refuse_tokens(encoder: TokenItemEncoder) -> str:
    """Why an encoder has no such form; empty where it has."""
    for name, stream in _streams(encoder).items():
        if stream.last_blocks is not None:
            return f"the {name} feature passes through blocks of its extractor"
        if not isinstance(stream.projection, TokenMap):
            return f"the {name} feature is a grid that is convolved"
        several = bool((stream.table.counts > 1).any())
        if several and _chosen(encoder, name) == "others":
            return f"items have several contents of the {name} feature, each with a class token"
    if not isinstance(encoder.fusion, MergeAttention | FusionOfMeans):
        return "co-attention between the tokens of text and pictures is not written as a graph"
    return ""


def _streams(encoder: TokenItemEncoder) -> dict[str, ItemTokens]:
    parts = {name: encoder.get_submodule(name) for name in encoder.modalities}
    return {name: part for name, part in parts.items() if isinstance(part, ItemTokens)}


def _chosen(encoder: TokenItemEncoder, modality: str) -> str:
    """Which tokens of a modality are fused: all, the class token, or the others."""
    if not isinstance(encoder, PmmrecItemEncoder):
        return "all"
    return {str(name): which for name, which in encoder.fused_tokens.items()}[modality]


class TokenTower(nn.Module):
    """Vectors of items by the tokens of their features."""

    def __init__(self, encoder: TokenItemEncoder) -> None:
        super().__init__()
        streams = _streams(encoder)
        self.maps = nn.ModuleList(stream.projection.output for stream in streams.values())
        self.chosen = tuple(_chosen(encoder, name) for name in streams)
        self.fusion = encoder.fusion

    @staticmethod
    def widths(encoder: TokenItemEncoder) -> dict[str, int]:
        """Width of a state of each modality."""
        return {name: stream.projection.width for name, stream in _streams(encoder).items()}

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors [n, D], which are scored and read."""
        contents = []
        for maps, which, rows, counts in zip(
            self.maps, self.chosen, inputs[::2], inputs[1::2], strict=True
        ):
            real = real_rows(rows, counts)
            steps = torch.arange(rows.shape[1], device=rows.device).unsqueeze(0)
            if which == "class":
                real = real & (steps == 0)
            elif which == "others":  # a single token is its own class token, and stays
                real = real & ((steps > 0) | (counts == 1).unsqueeze(1))
            contents.append((maps(rows), real))
        vectors = self._fused(contents)
        return vectors, vectors

    def _fused(self, contents: list[tuple[Tensor, Tensor]]) -> Tensor:
        if isinstance(self.fusion, MergeAttention):
            return _merged(self.fusion, contents)
        assert isinstance(self.fusion, FusionOfMeans)
        means = []
        for (tokens, real), absent in zip(contents, self.fusion.absent, strict=True):
            has = real.any(dim=1, keepdim=True)
            means.append(torch.where(has, _mean(tokens, real), absent))
        fused: Tensor = self.fusion.fusion(torch.stack(means, dim=1))
        return fused


def _merged(fusion: MergeAttention, contents: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Attention among all tokens and a learned one, where there is one; [n, D]."""
    tokens = torch.cat([one for one, _ in contents], dim=1)  # [n, r, D]
    real = torch.cat([one for _, one in contents], dim=1)  # [n, r]
    is_read = fusion.readout == "cls"
    has_cls = ~real.any(dim=1, keepdim=True) | is_read  # [n, 1]
    first = fusion.cls.expand(tokens.shape[0], 1, -1)
    real = torch.cat([has_cls, real], dim=1)
    states = layered(fusion.layers, torch.cat([first, tokens], dim=1), real)  # [n, 1 + r, D]
    return states[:, 0] if is_read else _mean(states, real)


def _mean(tokens: Tensor, real: Tensor) -> Tensor:
    """Mean of the tokens that are real, zeros where none is; [n, r, D], [n, r] -> [n, D]."""
    counts = real.sum(dim=1, keepdim=True).clamp(min=1)
    weights = real.to(tokens.dtype) / counts
    return (weights.unsqueeze(1) @ tokens).squeeze(1)
