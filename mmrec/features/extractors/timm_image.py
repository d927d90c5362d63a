"""Pictures to vectors with any timm backbone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch

from mmrec.features.contract import (
    Fingerprint,
    FloatArray,
    canonical_json,
    library_versions,
    text_digest,
    weights_digest,
)
from mmrec.features.extractors.canonical_batches import batch_sizes, encoded_pictures
from mmrec.features.extractors.fitting import refusing_unfit_backbones, trying_pictures
from mmrec.features.extractors.hub import WeightsError, loading
from mmrec.features.extractors.image_preparation import Preparation
from mmrec.torchvision_schemas import define_missing_operators

if TYPE_CHECKING:
    from PIL.Image import Image

HUB_PREFIX: Final = "hf-hub:"
_FOLDER_PREFIX: Final = "local-dir:"


class TimmImageExtractor:
    """A frozen backbone without its classifier: the pooled features of a picture."""

    level: Literal["vectors"] = "vectors"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        checkpoint: str | None,
        preparation: Preparation | None,
        normalize: bool,
        device: str,
    ) -> None:
        """Load the model.

        Args:
            model: a folder with `config.json` and weights, `hf-hub:<repository>`, or an
                architecture of `timm.list_models()`, optionally with a pretrained tag.
            revision: branch, tag or commit of an `hf-hub:` repository.
            checkpoint: weights file of an architecture; None for its published weights.
            preparation: how pictures become tensors; None is what the weights were trained with.
            normalize: scale every vector to length 1.
            device: torch device.

        Raises:
            WeightsError: no such model, tag or file; says what was looked for and where.
        """
        self._model = load_timm(model, revision, checkpoint).to(device)
        self._device = torch.device(device)
        self._preparation = preparation or _own_preparation(self._model)
        self._normalize = normalize
        self.libraries: Mapping[str, str] = library_versions("timm", "torch", "pillow")
        with trying_pictures(model):
            self.dim = int(self._forward(self._preparation.apply(_blank())[None]).shape[1])
        self.fingerprint = self._fingerprint(model)

    def _fingerprint(self, model: str) -> Fingerprint:
        return Fingerprint(
            extractor="timm_image",
            version=1,
            model="folder" if Path(model).is_dir() else model,
            architecture=text_digest(str(self._model)),
            weights=weights_digest(self._model.state_dict().items()),
            preprocessing=self._preparation.settings,
            pooling="model",
            normalize=self._normalize,
            dim=self.dim,
        )

    def encode(self, contents: Iterable[Image]) -> FloatArray:
        """Vectors [n, dim] of the pictures, in their order; decodes no more than it needs."""
        size = batch_sizes(self._device).images
        vectors = encoded_pictures(contents, self._preparation.apply, self._forward, size)
        return np.concatenate([np.empty((0, self.dim), np.float32), *vectors])

    @torch.inference_mode()
    def _forward(self, pictures: torch.Tensor) -> FloatArray:
        vectors = self._model(pictures.to(self._device))
        if self._normalize:
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        array: FloatArray = vectors.float().cpu().numpy()
        return array


def load_timm(model: str, revision: str | None, checkpoint: str | None) -> Any:
    """A timm model without classifier, in float32, ready to encode.

    Raises:
        WeightsError: no such model, tag or file, or weights of another architecture.
    """
    define_missing_operators()
    import timm

    source = _source(model, revision, checkpoint)
    loaded: Any
    if checkpoint is not None:
        loaded = timm.create_model(source, pretrained=False, num_classes=0)
        _load_checkpoint(loaded, model, Path(checkpoint))
    else:
        hub_name = None if source.startswith(_FOLDER_PREFIX) else _hub_name(source)
        with loading(model, hub_name=hub_name), refusing_unfit_backbones(model):
            # With its classifier first: without one timm lets weights be missing.
            loaded = timm.create_model(source, pretrained=True)
        _check_adapted(loaded, model)
        loaded.reset_classifier(0)
    return loaded.eval().requires_grad_(requires_grad=False)


def _check_adapted(loaded: Any, model: str) -> None:
    """Refuse a model that timm has adapted to its weights: it then allows weights to be missing.

    Raises:
        WeightsError: says which of its settings differ from those of its weights.
    """
    published = loaded.pretrained_cfg
    channels = (published.get("input_size") or (3,))[0]
    pairs = {
        "num_classes": (loaded.num_classes, published.get("num_classes")),
        "channels of a picture": (3, channels),
    }
    for what, (found, expected) in pairs.items():
        if found != expected:
            raise WeightsError(
                f"model '{model}': {what} is {found}, but its weights were made for {expected}; "
                "correct its config.json, or choose another model"
            )


def _source(model: str, revision: str | None, checkpoint: str | None) -> str:
    """The model as timm names it."""
    if Path(model).is_dir():
        found = f"{_FOLDER_PREFIX}{model}"
        _refuse(checkpoint, model, "checkpoint", "brings its own weights")
        _refuse(revision, model, "revision", "is a folder")
        if not (Path(model) / "config.json").is_file():
            raise WeightsError(
                f"model '{model}': no config.json in {Path(model).absolute()}; copy it there with "
                "the weights, or name the architecture and set checkpoint"
            )
        return found
    if model.startswith(HUB_PREFIX):
        _refuse(checkpoint, model, "checkpoint", "brings its own weights")
        return model if revision is None else f"{model}@{revision}"
    _refuse(revision, model, "revision", f"is an architecture; write {HUB_PREFIX}timm/{model}")
    _check_name(model, checkpoint)
    return model


def _refuse(value: str | None, model: str, name: str, why: str) -> None:
    if value is not None:
        raise WeightsError(f"model '{model}' {why}, found {name} '{value}'; set {name} to null")


def _check_name(model: str, checkpoint: str | None) -> None:
    import timm

    known = {*timm.list_models(), *timm.list_models(pretrained=True)}
    if model not in known:
        close = ", ".join(get_close_matches(model, known, n=3)) or "see timm.list_models()"
        raise WeightsError(
            f"model '{model}': neither a folder ({Path(model).absolute()}) nor an architecture "
            f"timm knows; near it: {close}"
        )
    if checkpoint is not None and not Path(checkpoint).is_file():
        raise WeightsError(
            f"model '{model}': no weights file {Path(checkpoint).absolute()}; correct checkpoint"
        )
    if checkpoint is None and timm.get_pretrained_cfg(model) is None:
        raise WeightsError(
            f"model '{model}': timm has no published weights for it; set checkpoint to a file"
        )


def _hub_name(source: str) -> str:
    import timm

    if source.startswith(HUB_PREFIX):
        return source.removeprefix(HUB_PREFIX).partition("@")[0]
    published = timm.get_pretrained_cfg(source)
    return str((published and published.hf_hub_id) or source)


def _load_checkpoint(loaded: Any, model: str, checkpoint: Path) -> None:
    from timm.models import load_state_dict

    with loading(model, hub_name=None, source=f"the file {checkpoint.absolute()}"):
        weights = load_state_dict(str(checkpoint), weights_only=True)
        found = loaded.load_state_dict(weights, strict=False)
    heads = loaded.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    extra = [name for name in found.unexpected_keys if not name.startswith(heads)]
    if found.missing_keys or extra:
        raise WeightsError(
            f"{checkpoint}: not the weights of '{model}': {len(found.missing_keys)} are missing "
            f"({', '.join(found.missing_keys[:3])}), {len(extra)} are unknown "
            f"({', '.join(extra[:3])}); name the architecture they were trained with"
        )


def _own_preparation(model: Any) -> Preparation:
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    config = resolve_data_config(model=model)  # type: ignore[no-untyped-call]
    transform: Any = create_transform(**config, is_training=False)
    return Preparation(transform, canonical_json({"timm": config}))


def _blank() -> Image:
    from PIL import Image

    return Image.new("RGB", (64, 64))
