"""Loading an open_clip model from a folder, the hub, or the library's own list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mmrec.features.contract import canonical_json, library_versions, text_digest
from mmrec.features.extractors.fitting import refusing_stretched_clips
from mmrec.features.extractors.hub import CustomCodeError, WeightsError, asking_nobody, loading
from mmrec.torchvision_schemas import define_missing_operators

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image
    from torch import Tensor

FOLDER_PREFIX: Final = "local-dir:"
HUB_PREFIX: Final = "hf-hub:"
_CONFIG: Final = "open_clip_config.json"
_SUFFIXES: Final = frozenset({".safetensors", ".bin", ".pth"})
_USUAL_WEIGHTS: Final = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
"""What open_clip looks for in a folder, in this order, before it takes any file."""
_QUICK: Final = "-quickgelu"


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
        pretrained: tag or weights file of an architecture; None for the other two. An
            architecture computes with the activation in its configuration: GELU, or the QuickGELU
            of those whose name ends in `-quickgelu`.
        device: torch device.

    Raises:
        WeightsError: no such model, tag or file, or weights of another activation or size; says
            what was looked for and where.
    """
    define_missing_operators()
    import open_clip

    source = _source(model, pretrained)
    hub_name, elsewhere = _origin(source, pretrained)
    with (
        loading(model, hub_name=hub_name, source=elsewhere),
        asking_nobody(),
        refusing_stretched_clips(model),
    ):
        config = open_clip.get_model_config(source)
        _check_config(config, model)
        # The custom-text form keeps the towers apart and takes texts of any padded length.
        module, prepare = open_clip.create_model_from_pretrained(
            source, pretrained, device=device, force_custom_text=True
        )
        tokenizer = open_clip.get_tokenizer(source)
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
    weights = sorted(path.name for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if not weights:
        raise WeightsError(f"model '{folder}': no weights in {where}; expected {_USUAL_WEIGHTS[0]}")
    if len(weights) > 1 and not set(weights) & set(_USUAL_WEIGHTS):
        raise WeightsError(
            f"model '{folder}': {len(weights)} weights files in {where} ({', '.join(weights)}), "
            f"and none is named as the one to take; name it {_USUAL_WEIGHTS[0]}"
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
    if pretrained is None or (pretrained not in tags and not Path(pretrained).is_file()):
        raise WeightsError(
            f"model '{model}': pretrained is '{pretrained}', expected a weights file or one of: "
            f"{', '.join(tags) or 'no tags exist'}"
        )
    check_activation(model, pretrained)


def check_activation(model: str, pretrained: str) -> None:
    """Refuse published weights under a model that computes with another activation.

    open_clip itself warns, and computes vectors that are a little wrong. Where the weights do not
    say QuickGELU but the configuration does, it was written for them.

    Raises:
        WeightsError: names the model that the weights were made for.
    """
    import open_clip

    published = _published(model, pretrained)
    config = open_clip.get_model_config(model) or {}
    if published.get("quick_gelu", False) and not config.get("quick_gelu", False):
        raise WeightsError(
            f"model '{model}': the weights '{pretrained}' were made with the activation QuickGELU, "
            f"this architecture computes with GELU; set model to {model}{_QUICK}"
        )


def _published(model: str, pretrained: str) -> dict[str, Any]:
    """What open_clip knows of a tag, or of a weights file that kept its published name."""
    import open_clip

    for tag in open_clip.list_pretrained_tags_by_model(model):
        known: dict[str, Any] = open_clip.get_pretrained_cfg(model, tag)
        if pretrained == tag or Path(pretrained).name == known["url"].rpartition("/")[2]:
            return known
    return {}


def _check_config(config: dict[str, Any] | None, model: str) -> None:
    """Refuse a configuration that would have the tokenizer run code from among its files."""
    settings = (config or {}).get("text_cfg", {}).get("tokenizer_kwargs", {})
    if settings.get("trust_remote_code"):
        raise CustomCodeError(model)


def _origin(source: str, pretrained: str | None) -> tuple[str | None, str]:
    """Name on the hub, or None and where else the weights come from."""
    if pretrained is None:
        found = None if source.startswith(FOLDER_PREFIX) else source.removeprefix(HUB_PREFIX)
        return found, "its folder"
    import open_clip

    known = open_clip.get_pretrained_cfg(source, pretrained)
    if hub_name := str(known.get("hf_hub") or "").rstrip("/"):
        return hub_name, ""
    return None, known.get("url") or f"the file {Path(pretrained).absolute()}"


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
