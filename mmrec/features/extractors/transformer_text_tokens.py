"""Texts to the token states of any transformers encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import numpy as np
import torch

from mmrec.features.contract import (
    BlocksPlan,
    Fingerprint,
    FloatArray,
    TokenStates,
    canonical_json,
    weights_digest,
)
from mmrec.features.extractors.canonical_batches import batch_sizes, chunks, text_batches
from mmrec.features.extractors.last_blocks import (
    LastBlocks,
    detach_last_blocks,
    drop_unused,
    layer_spec,
    text_tower,
)
from mmrec.features.extractors.transformer_model import (
    TransformerModel,
    check_max_length,
    check_vocabulary,
    libraries,
    load_tokenizer,
    load_transformer,
    token_counts,
    tokenizer_digest,
)

_TOKENIZER_CHUNK: Final = 1024


class TextTokenizer:
    """Texts to token ids, cut to a maximum length, and ids to batches."""

    def __init__(self, tokenizer: Any, *, lowercase: bool, max_length: int) -> None:
        self.max_length = max_length
        self._tokenizer = tokenizer
        self._lowercase = lowercase
        # Tokens are padded behind their end, whatever the model's own habit.
        self._tokenizer.padding_side = "right"

    def settings(self) -> dict[str, object]:
        """Everything that decides which ids a text becomes."""
        return {
            "lowercase": self._lowercase,
            "max_length": self.max_length,
            "tokenizer": tokenizer_digest(self._tokenizer),
        }

    def __call__(self, texts: list[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids of each text, and for each token whether it is a special one."""
        ids: list[list[int]] = []
        special: list[list[int]] = []
        for chunk in chunks(texts, _TOKENIZER_CHUNK):
            found = self._tokenizer(
                [text.lower() for text in chunk] if self._lowercase else chunk,
                truncation=True,
                max_length=self.max_length,
                return_special_tokens_mask=True,
            )
            ids.extend(found["input_ids"])
            special.extend(found["special_tokens_mask"])
        return ids, special

    def batch(self, ids: list[list[int]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask [B, length]."""
        found = self._tokenizer.pad(
            {"input_ids": ids}, padding="max_length", max_length=length, return_tensors="pt"
        )
        return found["input_ids"], found["attention_mask"]


class TransformerTextTokensExtractor:
    """A frozen text encoder: the states of a text's tokens, final or below its last blocks."""

    level: Literal["tokens"] = "tokens"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        below_last: int,
        special_tokens: bool,
        lowercase: bool,
        max_length: int,
        device: str,
    ) -> None:
        """Load the model.

        Args:
            model: hub id, folder or `package:<module>`; of a CLIP or GroupViT the text tower is
                taken.
            revision: branch, tag or commit of a hub id.
            below_last: 0 for final states, k for the input of the last k blocks.
            special_tokens: keep the states of special tokens.
            lowercase: read texts in lower case.
            max_length: tokens of a text that are read, special ones included.
            device: torch device.

        Raises:
            WeightsError: the model cannot be loaded or has not that many blocks or positions.
        """
        loaded = load_transformer(model, revision)
        encoder = text_tower(loaded.module)
        drop_unused(encoder)
        self.last_blocks: LastBlocks = detach_last_blocks(encoder, below_last, model=model)
        loaded.check_complete(encoder, self.last_blocks)
        tokenizer = load_tokenizer(model, revision)
        check_max_length(encoder, tokenizer, max_length, model=model)
        check_vocabulary(encoder, tokenizer, model=model)
        self._tokenizer = TextTokenizer(tokenizer, lowercase=lowercase, max_length=max_length)
        self._special_tokens = special_tokens
        self._device = torch.device(device)
        self._encoder = encoder.to(device)
        self.libraries: Mapping[str, str] = libraries()
        self.dim = int(self._forward([self._tokenizer([""])[0][0]], max_length).shape[2])
        self.blocks_plan = BlocksPlan("text", below_last, loaded.config, num_image_tokens=0)
        self.fingerprint = self._fingerprint(loaded, below_last)

    def _fingerprint(self, loaded: TransformerModel, below_last: int) -> Fingerprint:
        return Fingerprint(
            extractor="transformer_text_tokens",
            version=1,
            model=loaded.label,
            architecture=loaded.architecture,
            weights=weights_digest(self._encoder.state_dict().items()),
            preprocessing=canonical_json(self._tokenizer.settings()),
            pooling=layer_spec(below_last, special_tokens=self._special_tokens),
            normalize=False,
            dim=self.dim,
        )

    def encode(self, contents: Iterable[str]) -> TokenStates:
        """States of the texts' tokens, in the order of the texts."""
        ids, special = self._tokenizer(list(contents))
        states: list[FloatArray] = [np.empty((0, self.dim), np.float32)] * len(ids)
        batches = text_batches(
            token_counts(ids),
            max_length=self._tokenizer.max_length,
            tokens_per_batch=batch_sizes(self._device).tokens,
        )
        for rows, num_real, length in batches:
            found = self._forward([ids[row] for row in rows], length)
            for place, row in enumerate(rows[:num_real].tolist()):
                kept = np.array(special[row]) == 0 if not self._special_tokens else slice(None)
                # A copy: a view would keep the padding of the whole batch in memory.
                states[row] = found[place, : len(ids[row])][kept].copy()
        return TokenStates.of(states, self.dim)

    @torch.inference_mode()
    def _forward(self, ids: list[list[int]], length: int) -> FloatArray:
        tokens, mask = self._tokenizer.batch(ids, length)
        found = self._encoder(
            input_ids=tokens.to(self._device), attention_mask=mask.to(self._device)
        )
        # [B, length, d]
        array: FloatArray = found.last_hidden_state.float().cpu().numpy()
        return array
