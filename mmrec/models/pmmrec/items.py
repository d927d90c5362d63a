"""PMMRec's items: tokens of text and picture, fused, and what stands for each of them alone.

Shapes: n items asked for, c contents of them, t tokens, M modalities, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, assert_never

import torch
from torch import Tensor, nn

from mmrec.features.token_table import PackedTokens
from mmrec.models.items.tokens import ItemTokens, TokenItemEncoder, mean_or
from mmrec.nn.merge_attention import RaggedTokens
from mmrec.params.training import Modality

Tokens = Literal["all", "class", "others"]
"""Of each content: all, its class token, which is the first, or the tokens that are none.

Of a single token, as of a feature of vectors, that one is all three.
"""


class PmmrecItemEncoder(TokenItemEncoder):
    """A fusion of tokens; in the same pass, a vector of each modality for the contrast.

    Args:
        tokens: of the modalities there are, in the order of the fusion.
        fusion: tokens of n items, a modality after the other -> [n, D].
        fused: which tokens of a modality enter it.
        contrasted: of which tokens the mean stands for the modality.
    """

    def __init__(
        self,
        tokens: Mapping[Modality, ItemTokens],
        fusion: nn.Module,
        *,
        fused: Mapping[Modality, Tokens],
        contrasted: Mapping[Modality, Tokens],
    ) -> None:
        super().__init__(tokens, fusion)
        self.fused_tokens: Final = dict(fused)
        self.contrasted_tokens: Final = dict(contrasted)

    def encode_with_modalities(self, items: Tensor) -> Tensor:
        """Vectors of the items [n], then those of each modality, 0 without; [n, 1 + M, D]."""
        return self.keeping_little(self._encode_with_modalities, items)

    def are_there(self, modality: Modality, items: Tensor) -> Tensor:
        """Which of the items [n] have content of a modality; bool [n]."""
        return self._stream(modality).are_there(items)

    def _encode(self, items: Tensor) -> Tensor:
        return self._fused(self._packed(items))

    def _encode_with_modalities(self, items: Tensor) -> Tensor:
        packed = self._packed(items)
        alone = [
            mean_or(chosen(tokens, self.contrasted_tokens[name]), tokens.values.new_zeros(()))
            for name, tokens in packed.items()
        ]
        return torch.stack([self._fused(packed), *alone], dim=1)

    def _packed(self, items: Tensor) -> dict[Modality, PackedTokens]:
        return {name: self._stream(name).packed(items) for name in self.modalities}

    def _fused(self, packed: Mapping[Modality, PackedTokens]) -> Tensor:
        contents = [chosen(tokens, self.fused_tokens[name]) for name, tokens in packed.items()]
        vectors: Tensor = self.fusion(contents)
        return vectors

    def _stream(self, modality: Modality) -> ItemTokens:
        stream = self.get_submodule(modality)
        assert isinstance(stream, ItemTokens)
        return stream


def chosen(tokens: PackedTokens, which: Tokens) -> RaggedTokens:
    """Some of the tokens; the class token of an item is that of its first content."""
    lengths, counts = tokens.lengths, tokens.counts
    firsts = lengths.cumsum(0) - lengths  # [c]
    match which:
        case "all":
            return RaggedTokens(tokens.values, tokens.of_items())
        case "class":
            has = (counts > 0).long()
            first_contents = (counts.cumsum(0) - counts)[counts > 0]
            return RaggedTokens(tokens.values.index_select(0, firsts[first_contents]), has)
        case "others":
            several = lengths > 1
            is_other = torch.ones(len(tokens.values), dtype=torch.bool, device=lengths.device)
            is_other[firsts[several]] = False
            left = tokens._replace(lengths=lengths - several.long())
            return RaggedTokens(tokens.values[is_other], left.of_items())
        case _:
            assert_never(which)
