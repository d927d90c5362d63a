"""Texts to vectors with any sentence-transformers model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch

from mmrec.features.canonical import batch_sizes, chunks, text_batches
from mmrec.features.extractor import (
    Fingerprint,
    FloatArray,
    IntArray,
    canonical_json,
    library_versions,
    text_digest,
    weights_digest,
)
from mmrec.features.hub import PACKAGE_PREFIX, WeightsError, loading, package_model_folder
from mmrec.torchvision_schemas import define_missing_operators

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_TOKENIZER_CHUNK: Final = 1024


class SentenceTransformerExtractor:
    """A frozen sentence-transformers model; agrees with its `encode`."""

    level: Literal["vector"] = "vector"

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
        """
        self._model = _load(model, revision, device)
        self._normalize = normalize
        if max_length is not None:
            _check_positions(self._model, model, max_length)
            self._model.max_seq_length = max_length
        self._max_length = _max_length(self._model, model)
        self._prompt = self._model.prompts.get(self._model.default_prompt_name or "") or None
        dim = self._model.get_embedding_dimension()
        if dim is None:
            raise WeightsError(f"model '{model}': its configuration does not say its dimension")
        self.dim: int = dim
        self.fingerprint = self._fingerprint(model)
        self.libraries: Mapping[str, str] = library_versions(
            "sentence-transformers", "transformers", "tokenizers", "torch"
        )

    def _fingerprint(self, model: str) -> Fingerprint:
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
            model="folder" if Path(model).is_dir() else model,
            architecture=text_digest(canonical_json([architecture, config])),
            weights=weights_digest(self._model.state_dict().items()),
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


def _load(model: str, revision: str | None, device: str) -> SentenceTransformer:
    # transformers imports torchvision as soon as it is installed.
    define_missing_operators()
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    name = str(package_model_folder(model)) if model.startswith(PACKAGE_PREFIX) else model
    options: dict[str, Any] = {
        "device": device,
        "revision": revision,
        "model_kwargs": {"dtype": torch.float32},
    }
    with loading(model, hub_name=None if Path(name).is_dir() else model):
        loaded = SentenceTransformer(name, **options)
    return loaded.eval()


def _max_length(loaded: SentenceTransformer, model: str) -> int:
    first = type(loaded[0]).__name__
    if first != "Transformer":
        raise WeightsError(
            f"model '{model}': its first module is {first}, expected Transformer; choose another"
        )
    limit = loaded.max_seq_length
    if limit is None:
        raise WeightsError(f"model '{model}' sets no limit on the length of a text; set max_length")
    return limit


def _check_positions(loaded: SentenceTransformer, model: str, max_length: int) -> None:
    config = getattr(getattr(loaded[0], "model", None), "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and max_length > positions:
        raise WeightsError(
            f"model '{model}' has positions for {positions} tokens, max_length is {max_length}; "
            "lower it"
        )


def _tokenizer_digest(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = tokenizer.get_vocab() if backend is None else backend.to_str()
    return text_digest(canonical_json(text))
