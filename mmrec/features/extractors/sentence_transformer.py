"""Texts to vectors with any sentence-transformers model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from mmrec.features.contract import (
    Fingerprint,
    FloatArray,
    IntArray,
    canonical_json,
    library_versions,
    text_digest,
    weights_digest,
)
from mmrec.features.extractors.canonical_batches import batch_sizes, chunks, text_batches
from mmrec.features.extractors.hub import WeightsError
from mmrec.features.extractors.sentence_model import SentenceModel, load_sentence_transformer

_TOKENIZER_CHUNK: Final = 1024


class SentenceTransformerExtractor:
    """A frozen sentence-transformers model; agrees with its `encode`."""

    level: Literal["vectors"] = "vectors"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        normalize: bool,
        max_length: int | None,
        device: str,
    ) -> None:
        """Load the model.

        Args:
            model: hub id, folder, or `package:<module>`.
            revision: branch, tag or commit of a hub id.
            normalize: scale every vector to length 1, where the model does not already.
            max_length: tokens of a text that are read; None is the model's own limit.
            device: torch device.

        Raises:
            WeightsError: the model cannot be loaded as it was made, or has not that many positions.
        """
        loaded = load_sentence_transformer(model, revision, device)
        self._model = loaded.module
        self._normalize = normalize
        self._max_length = loaded.limit_length(max_length)
        self._prompt = self._model.prompts.get(self._model.default_prompt_name or "") or None
        dim = self._model.get_embedding_dimension()
        if dim is None:
            raise WeightsError(f"model '{model}': its configuration does not say its dimension")
        self.dim: int = dim
        self.fingerprint = self._fingerprint(loaded)
        self.libraries: Mapping[str, str] = library_versions(
            "sentence-transformers", "transformers", "tokenizers", "torch"
        )

    def _fingerprint(self, loaded: SentenceModel) -> Fingerprint:
        modules: list[Any] = list(self._model)
        pooling = [m.get_config_dict() for m in modules if type(m).__name__ == "Pooling"]
        architecture = [[type(m).__name__, m.get_config_dict()] for m in modules]
        config = modules[0].model.config.to_diff_dict()
        for volatile in ("_name_or_path", "transformers_version"):
            config.pop(volatile, None)
        preprocessing = {
            "max_length": self._max_length,
            "prompt": self._prompt,
            "tokenizer": _tokenizer_digest(self._model.tokenizer),
        }
        return Fingerprint(
            extractor="sentence_transformer",
            version=1,
            model="folder" if Path(loaded.name).is_dir() else loaded.name,
            architecture=text_digest(canonical_json([architecture, config])),
            weights=weights_digest(loaded.weights()),
            preprocessing=canonical_json(preprocessing),
            pooling=canonical_json(pooling),
            normalize=self._normalize,
            dim=self.dim,
        )

    def encode(self, contents: Iterable[str]) -> FloatArray:
        """Vectors [n, dim] of the texts, in their order."""
        texts = list(contents)
        vectors = np.empty((len(texts), self.dim), np.float32)
        batches = text_batches(
            self._num_tokens(texts),
            max_length=self._max_length,
            tokens_per_batch=batch_sizes(self._model.device).tokens,
        )
        for rows, num_real, length in batches:
            features = self._preprocess([texts[row] for row in rows], length)
            vectors[rows[:num_real]] = self._forward(features)[:num_real]
        return vectors

    def _num_tokens(self, texts: list[str]) -> IntArray:
        counts = [
            self._preprocess(chunk, None)["attention_mask"].sum(1).numpy()
            for chunk in chunks(texts, _TOKENIZER_CHUNK)
        ]
        return np.concatenate(counts) if counts else np.empty(0, np.int64)

    def _preprocess(self, texts: list[str], padded_length: int | None) -> dict[str, Any]:
        padding = {"padding": "max_length", "max_length": padded_length} if padded_length else {}
        return self._model.preprocess(
            texts, prompt=self._prompt, processing_kwargs={"text": padding}
        )

    @torch.inference_mode()
    def _forward(self, features: dict[str, Any]) -> FloatArray:
        device = self._model.device
        moved = {k: v.to(device) if torch.is_tensor(v) else v for k, v in features.items()}
        vectors: torch.Tensor = self._model(moved)["sentence_embedding"]
        if self._normalize:
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        array: FloatArray = vectors.float().cpu().numpy()
        return array


def _tokenizer_digest(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = tokenizer.get_vocab() if backend is None else backend.to_str()
    return text_digest(canonical_json(text))
