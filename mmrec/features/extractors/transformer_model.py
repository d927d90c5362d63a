"""Loading the parts of a transformers model from a folder, an installed package, or the hub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from logging import ERROR
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from mmrec.features.contract import IntArray, canonical_json, library_versions, text_digest
from mmrec.features.extractors.checkpoint_report import (
    REPORTING,
    checkpoint_report,
    lacking_message,
)
from mmrec.features.extractors.hub import WeightsError, loading, model_source
from mmrec.features.extractors.image_preparation import Preparation, processor_preparation
from mmrec.torchvision_schemas import define_missing_operators

_VOLATILE: Final = (
    "_name_or_path",
    "architectures",
    "dtype",
    "transformers_version",
)
NO_LIMIT: Final = 1_000_000
"""A tokenizer that knows no limit says a number beyond this one."""


@dataclass(frozen=True)
class TransformerModel:
    """A loaded model, and which of its weights its checkpoint lacks."""

    name: str
    """As the user named it."""
    module: Any
    architecture: str
    """Digest of the configuration."""
    config: dict[str, Any]
    """The configuration without names, folders and versions."""
    _missing: dict[int, str]

    @property
    def label(self) -> str:
        """The name for fingerprints: a folder has none of its own."""
        return "folder" if Path(self.name).is_dir() else self.name

    def check_complete(self, *parts: nn.Module) -> None:
        """Refuse parts whose weights the checkpoint lacks: they would be random numbers.

        Raises:
            WeightsError: names the first of them.
        """
        tensors = [t for part in parts for t in (*part.parameters(), *part.buffers())]
        lacking = [self._missing[id(tensor)] for tensor in tensors if id(tensor) in self._missing]
        if lacking:
            raise WeightsError(lacking_message(self.name, lacking))


def load_transformer(model: str, revision: str | None) -> TransformerModel:
    """Load a model with its weights, in float32; nothing is unpickled, no code of its own is run.

    Raises:
        WeightsError: no such model or file; says what was looked for and where.
    """
    # transformers imports torchvision as soon as it is installed.
    define_missing_operators()
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # The report of unused heads is theirs; what matters is checked by `check_complete`.
    level = logging.get_verbosity()
    logging.set_verbosity(ERROR)
    source = model_source(model)
    try:
        with loading(model, hub_name=_hub_name(source)):
            module, found = AutoModel.from_pretrained(
                source,
                revision=revision or "main",
                dtype=torch.float32,
                trust_remote_code=False,
                **REPORTING,
            )
    finally:
        logging.set_verbosity(level)
    report = checkpoint_report(module, found)
    report.check_fits(model)
    return TransformerModel(
        name=model,
        module=module.eval().requires_grad_(requires_grad=False),
        architecture=text_digest(canonical_json(_settings(module.config.to_diff_dict()))),
        # By way of JSON, so that it is the same when it was written and read.
        config=json.loads(canonical_json(_settings(module.config.to_dict()))),
        _missing=report.lacking(),
    )


def load_tokenizer(model: str, revision: str | None) -> Any:
    """The tokenizer of a model.

    Raises:
        WeightsError: it has none.
    """
    define_missing_operators()
    from transformers import AutoTokenizer

    source = model_source(model)
    with loading(model, hub_name=_hub_name(source)):
        return AutoTokenizer.from_pretrained(
            source, revision=revision or "main", trust_remote_code=False
        )


def load_preparation(model: str, revision: str | None) -> Preparation:
    """The image processor of a model.

    Raises:
        WeightsError: it has none.
    """
    define_missing_operators()
    from transformers import AutoImageProcessor

    source = model_source(model)
    with loading(model, hub_name=_hub_name(source)):
        # Pillow's results are the same on every device and in every version.
        auto: Any = AutoImageProcessor
        processor = auto.from_pretrained(
            source, revision=revision or "main", backend="pil", trust_remote_code=False
        )
    return processor_preparation(processor)


def check_max_length(encoder: Any, tokenizer: Any, max_length: int, *, model: str) -> None:
    """Refuse to read more tokens than the model has positions, or its tokenizer gives.

    Raises:
        WeightsError: says the model's limit.
    """
    limit = tokenizer.model_max_length
    refuse_beyond(
        num_positions(encoder) if limit is None else min(num_positions(encoder), limit),
        max_length,
        model=model,
    )


def check_vocabulary(encoder: Any, tokenizer: Any, *, model: str) -> None:
    """Refuse a tokenizer that gives ids for which a model has no embedding.

    Raises:
        WeightsError: says how many both have.
    """
    try:
        table = encoder.get_input_embeddings()
    except NotImplementedError:  # GroupViT does not say which it is
        table = getattr(getattr(encoder, "embeddings", None), "token_embedding", None)
    needed = max(tokenizer.get_vocab().values(), default=-1) + 1
    if isinstance(table, nn.Embedding) and needed > table.num_embeddings:
        raise WeightsError(
            f"model '{model}': its tokenizer has {needed:,} tokens, the model embeddings for "
            f"{table.num_embeddings:,}; the two do not belong together: copy both again, or name "
            "the tokenizer the model was trained with"
        )


def refuse_beyond(limit: int, max_length: int, *, model: str) -> None:
    """Refuse a `max_length` beyond what a model reads.

    Raises:
        WeightsError: says the limit.
    """
    if limit < NO_LIMIT and max_length > limit:
        raise WeightsError(
            f"model '{model}': max_length is {max_length}, but it reads at most {limit} tokens; "
            f"set max_length to {limit} or less"
        )


def num_positions(encoder: Any) -> int:
    """Tokens of a text that a transformers model has positions for; `NO_LIMIT` or more if any."""
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, nn.Embedding):
        limit = getattr(encoder.config, "max_position_embeddings", None)
        # XLNet says -1 where it means any number.
        return NO_LIMIT if limit is None or limit < 0 else int(limit)
    # RoBERTa counts positions from behind its padding index.
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)


def tokenizer_digest(tokenizer: Any) -> str:
    """Digest of everything that decides which tokens a text becomes."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = tokenizer.get_vocab() if backend is None else _untruncated(backend)
    return text_digest(canonical_json(text))


def libraries() -> dict[str, str]:
    """Versions of what the extractors of this kind run on."""
    return library_versions("transformers", "tokenizers", "torch", "pillow")


def token_counts(ids: list[list[int]]) -> IntArray:
    """Number of tokens of each text."""
    return np.array([len(one) for one in ids], np.int64)


def _untruncated(backend: Any) -> str:
    """Truncation and padding are set by every call, and are no part of a tokenizer."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    text: str = copy.to_str()
    return text


def _settings(config: Any) -> Any:
    if isinstance(config, dict):
        return {k: _settings(v) for k, v in config.items() if k not in _VOLATILE}
    return config


def _hub_name(source: str) -> str | None:
    return None if Path(source).is_dir() else source
