"""Features in, streams of tokens out, whose encoders' last blocks are trained as is asked."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from mmrec.features.levels import vectors_as_tokens
from mmrec.features.token_table import TokenTable
from mmrec.models.data import Feature
from mmrec.models.items.last_blocks import width_behind
from mmrec.models.items.tokens import GridConvolution, ItemTokens, TokenMap
from mmrec.params.optimizer import ParameterGroup
from mmrec.params.training import Modality
from mmrec.params.tuning import Tune
from mmrec.recommender import Training


def tokens_of(feature: Feature) -> TokenTable:
    """Its token states; of a feature of vectors, each vector as a token."""
    return vectors_as_tokens(feature.vectors) if feature.level == "vectors" else feature.tokens


def token_stream(
    feature: Feature,
    tokens: TokenTable,
    modality: Modality,
    *,
    embedding_dim: int,
    tune: Tune,
    projection: type[TokenMap] | type[GridConvolution] = TokenMap,
) -> ItemTokens:
    """Tokens of a feature behind its last blocks and a map to `embedding_dim`.

    Raises:
        ValueError: the feature has no blocks that could be trained.
    """
    last_blocks, width = None, tokens.dim
    if feature.level == "tokens" and feature.has_last_blocks:
        last_blocks = feature.last_blocks()
        width = width_behind(last_blocks, tokens)
    elif tune != "none":
        raise ValueError(
            f"tune: found {tune}, but the {modality} feature has no blocks to train; "
            "name one of token states with below_last above 0, or set tune to none"
        )
    return ItemTokens(tokens, projection(width, embedding_dim), last_blocks, tune)


def with_last_blocks(
    training: Training,
    item_encoder: nn.Module,
    *,
    learning_rate: float | None,
    weight_decay: float | None,
) -> Training:
    """The training of a recommender whose `item_encoder` reads token states.

    Last blocks that are trained get a rate and a decay of their own; token states, which no
    module holds, are named as what batches are trained on.
    """
    streams = {
        name: part for name, part in item_encoder.named_children() if isinstance(part, ItemTokens)
    }
    tuned = tuple(
        f"item_encoder.{name}.last_blocks" for name, part in streams.items() if part.is_tuned
    )
    training = replace(training, read=tuple(part.table.digest for part in streams.values()))
    if not tuned:
        return training
    group = ParameterGroup(prefixes=tuned, learning_rate=learning_rate, weight_decay=weight_decay)
    return replace(training, groups=(group,))
