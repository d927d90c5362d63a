"""Images and texts to vectors with the towers of an open_clip model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from mmrec.features.contract import Fingerprint, FloatArray, weights_digest
from mmrec.features.extractors.canonical_batches import batch_sizes, encoded_pictures, text_batches

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmrec.features.extractors.open_clip_model import OpenClipModel


class OpenClipImageExtractor:
    """The frozen image tower."""

    level: Literal["vectors"] = "vectors"

    def __init__(self, model: OpenClipModel, *, normalize: bool) -> None:
        """Take a loaded model; `normalize` scales every vector to length 1."""
        self._model = model
        self._normalize = normalize
        self.libraries = model.libraries
        blank = torch.zeros(1, 3, *_image_size(model.module.visual))
        self.dim = int(self._forward(blank).shape[1])
        self.fingerprint = Fingerprint(
            extractor="open_clip_image",
            version=1,
            model=model.name,
            architecture=model.architecture,
            weights=weights_digest(model.module.visual.state_dict().items()),
            preprocessing=model.image_settings,
            pooling="model",
            normalize=normalize,
            dim=self.dim,
        )

    def encode(self, contents: Iterable[Image]) -> FloatArray:
        """Vectors [n, dim] of the pictures, in their order; decodes no more than it needs."""
        size = batch_sizes(_device(self._model.module)).images
        vectors = encoded_pictures(contents, self._model.prepare_image, self._forward, size)
        return np.concatenate([np.empty((0, self.dim), np.float32), *vectors])

    @torch.inference_mode()
    def _forward(self, pictures: torch.Tensor) -> FloatArray:
        module: Any = self._model.module
        vectors = module.encode_image(pictures.to(_device(module)), normalize=self._normalize)
        array: FloatArray = vectors.float().cpu().numpy()
        return array


class OpenClipTextExtractor:
    """The frozen text tower."""

    level: Literal["vectors"] = "vectors"

    def __init__(self, model: OpenClipModel, *, normalize: bool) -> None:
        """Take a loaded model; `normalize` scales every vector to length 1."""
        self._model = model
        self._normalize = normalize
        self._max_length = int(model.tokenizer.context_length)
        self._causal_mask = _causal_mask(model.module)
        self.libraries = model.libraries
        self.dim = int(self._forward(model.tokenizer([""])).shape[1])
        self.fingerprint = Fingerprint(
            extractor="open_clip_text",
            version=1,
            model=model.name,
            architecture=model.architecture,
            weights=weights_digest(model.module.text.state_dict().items()),
            preprocessing=model.text_settings,
            pooling="model",
            normalize=normalize,
            dim=self.dim,
        )

    def encode(self, contents: Iterable[str]) -> FloatArray:
        """Vectors [n, dim] of the texts, in their order."""
        texts = list(contents)
        vectors = np.empty((len(texts), self.dim), np.float32)
        if not texts:
            return vectors
        tokens = self._model.tokenizer(texts)
        if self._causal_mask is None:
            num_tokens = np.full(len(texts), self._max_length)
        else:
            # Behind its last real token a text is padded with zeros.
            positions = torch.arange(1, tokens.shape[1] + 1)
            num_tokens = ((tokens != 0) * positions).amax(1).numpy()
        batches = text_batches(
            num_tokens,
            max_length=self._max_length,
            tokens_per_batch=batch_sizes(_device(self._model.module)).tokens,
        )
        for rows, num_real, length in batches:
            vectors[rows[:num_real]] = self._forward(tokens[rows, :length])[:num_real]
        return vectors

    @torch.inference_mode()
    def _forward(self, tokens: torch.Tensor) -> FloatArray:
        module: Any = self._model.module
        if self._causal_mask is not None:
            length = tokens.shape[1]
            module.text.attn_mask = self._causal_mask[:length, :length]
        vectors = module.encode_text(tokens.to(_device(module)), normalize=self._normalize)
        array: FloatArray = vectors.float().cpu().numpy()
        return array


def _causal_mask(module: Any) -> torch.Tensor | None:
    """The mask of a tower in which padding behind the end changes nothing, or None.

    Such a tower reads the end-of-text position of a causal transformer: the positions behind it
    may be left out, which for a dictionary of words is nine tenths of them.
    """
    text = module.text
    plain = getattr(text, "cls_emb", None) is None and not getattr(text, "use_pad_mask", False)
    mask = getattr(text, "attn_mask", None)
    if plain and mask is not None and getattr(text, "pool_type", None) in {"argmax", "eos"}:
        return torch.as_tensor(mask)
    return None


def _image_size(visual: Any) -> tuple[int, int]:
    size = visual.image_size
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _device(module: torch.nn.Module) -> torch.device:
    return next(module.parameters()).device
