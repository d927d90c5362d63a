"""Loading an open_clip model from a folder, the hub, or the library's own list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mmrec.features.extractor import canonical_json, library_versions, text_digest
from mmrec.features.hub import WeightsError, loading
from mmrec.torchvision_schemas import define_missing_operators

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image
    from torch import Tensor

FOLDER_PREFIX: Final = "local-dir:"
HUB_PREFIX: Final = "hf-hub:"
_CONFIG: Final = "open_clip_config.json"


@dataclass(frozen=True)
class OpenClipModel:
    """A loaded model with its two preparations; both of its extractors may share one."""

    name: str
    """As fingerprints name it: a folder has no name of its own."""
    module: Any
    """A `CustomTextCLIP`: towers are `visual` and `text`."""
    prepare_image: Callable[[Image], Tensor]
    tokenizer: Any
    architecture: str
    """Digest of the configuration."""
    image_settings: str
    text_settings: str
    libraries: dict[str, str]


def load_open_clip(model: str, pretrained: str | None, device: str) -> OpenClipModel:
    """Load a model with its weights, in float32.

    Args:
        model: a folder with `open_clip_config.json` and weights (optionally after `local-dir:`),
            `hf-hub:<repository>`, or an architecture of `open_clip.list_models()`.
        pretrained: tag or weights file of an architecture; None for the other two.
        device: torch device.

    Raises:
        WeightsError: no such model, tag or file; says what was looked for and where.
    """
    define_missing_operators()
    import open_clip

    source = _source(model, pretrained)
    with loading(model, hub_name=_hub_name(source, pretrained)):
        # The custom-text form keeps the towers apart and takes texts of any padded length.
        module, prepare = open_clip.create_model_from_pretrained(
            source, pretrained, device=device, force_custom_text=True
        )
        tokenizer = open_clip.get_tokenizer(source)
        config = open_clip.get_model_config(source)
    config.pop("custom_text", None)
    return OpenClipModel(
        name="folder"
        if source.startswith(FOLDER_PREFIX)
        else f"{source} {pretrained or ''}".strip(),
        module=module.eval(),
        prepare_image=prepare,
        tokenizer=tokenizer,
        architecture=text_digest(canonical_json(config)),
        image_settings=canonical_json(module.visual.preprocess_cfg),
        text_settings=_tokenizer_settings(tokenizer),
        libraries=library_versions("open_clip_torch", "torch", "torchvision", "pillow"),
    )


def _source(model: str, pretrained: str | None) -> str:
    folder = Path(model.removeprefix(FOLDER_PREFIX))
    is_folder = model.startswith(FOLDER_PREFIX) or folder.is_dir()
    if (is_folder or model.startswith(HUB_PREFIX)) and pretrained is not None:
        raise WeightsError(
            f"model '{model}' brings its own weights, found pretrained '{pretrained}'; "
            "set pretrained to null"
        )
    if is_folder:
        _check_folder(folder)
        return f"{FOLDER_PREFIX}{folder}"
    if not model.startswith(HUB_PREFIX):
        _check_name(model, pretrained)
    return model


def _check_folder(folder: Path) -> None:
    where = folder.absolute()
    if not folder.is_dir():
        raise WeightsError(f"model '{folder}': no folder {where}; create it or correct the path")
    config = folder / _CONFIG
    if not config.is_file():
        raise WeightsError(
            f"model '{folder}': {_CONFIG} missing in {where}; copy it there with the weights"
        )
    try:
        complete = "model_cfg" in json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{config}: not valid JSON ({error}); copy it again") from error
    if not complete:
        raise WeightsError(f"{config}: no 'model_cfg' in it; copy the file of the model again")
    if not any(path.suffix in {".safetensors", ".bin", ".pth"} for path in folder.iterdir()):
        raise WeightsError(
            f"model '{folder}': no weights in {where}; expected open_clip_model.safetensors"
        )


def _check_name(model: str, pretrained: str | None) -> None:
    import open_clip

    names = open_clip.list_models()
    if model not in names:
        close = ", ".join(get_close_matches(model, names, n=3)) or "see open_clip.list_models()"
        raise WeightsError(
            f"model '{model}': neither a folder ({Path(model).absolute()}) nor an architecture "
            f"open_clip knows; near it: {close}"
        )
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained not in tags and not (pretrained and Path(pretrained).is_file()):
        raise WeightsError(
            f"model '{model}': pretrained is '{pretrained}', expected a weights file or one of: "
            f"{', '.join(tags) or 'no tags exist'}"
        )


def _hub_name(source: str, pretrained: str | None) -> str | None:
    import open_clip

    if pretrained is None:
        return None if source.startswith(FOLDER_PREFIX) else source.removeprefix(HUB_PREFIX)
    known = open_clip.get_pretrained_cfg(source, pretrained)
    return str(known["hf_hub"]).rstrip("/") if known.get("hf_hub") else pretrained


def _tokenizer_settings(tokenizer: Any) -> str:
    vocabulary = getattr(tokenizer, "encoder", None)
    if vocabulary is None:
        vocabulary = tokenizer.tokenizer.get_vocab()
    settings = {
        "tokenizer": type(tokenizer).__name__,
        "vocabulary": text_digest(canonical_json(vocabulary)),
        "context_length": tokenizer.context_length,
    }
    return canonical_json(settings)
