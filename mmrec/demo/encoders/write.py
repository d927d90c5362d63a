"""Encoders to folders as transformers reads them: configuration, weights, tokenizer, processor."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from mmrec.atomic import writing
from mmrec.demo.encoders.clip import demo_clip, demo_clip_processor, demo_clip_tokenizer
from mmrec.demo.encoders.random_weights import (
    CONFIGS,
    PROCESSOR,
    READ_PICTURES,
    READ_TEXT,
    minilm_tokenizer,
    random_encoder,
)
from mmrec.io import DataError
from mmrec.torchvision_schemas import define_missing_operators

CLIP: Final = "clip"
NAMES: Final = (CLIP, *CONFIGS)


def weights_of(name: str) -> str:
    """Where the weights of an encoder come from, in words."""
    return "those of the demo's CLIP" if name == CLIP else "random"


def write_encoders(folder: Path, names: Collection[str] = NAMES) -> list[Path]:
    """Write encoders into folders of their own; one that is there with the same content stays.

    Args:
        folder: of all of them; made where it is missing.
        names: of `NAMES`.

    Returns:
        Their folders, in the order of the names.

    Raises:
        DataError: a folder exists with other content; nothing is written then.
    """
    targets = [folder / name for name in names]
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as temporary, writing(folder, Path(temporary)):
        for name in names:
            _write_encoder(name, Path(temporary) / name)
        for target in targets:
            _check_same(Path(temporary) / target.name, target)
        for target in targets:
            if not target.exists():
                (Path(temporary) / target.name).replace(target)
    return targets


def _write_encoder(name: str, folder: Path) -> None:
    # transformers imports torchvision as soon as it is installed.
    define_missing_operators()
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if name == CLIP:
        demo_clip().save_pretrained(folder)
        demo_clip_tokenizer().save_pretrained(folder)
        _write_processor(demo_clip_processor(), folder)
        return
    random_encoder(name).save_pretrained(folder)
    if name in READ_TEXT:
        minilm_tokenizer().save_pretrained(folder)
    if name in READ_PICTURES:
        _write_processor(PROCESSOR, folder)


def _write_processor(settings: dict[str, Any], folder: Path) -> None:
    text = json.dumps(settings, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")


def _check_same(made: Path, target: Path) -> None:
    """Refuse a folder that is not as it would be written."""
    if not target.exists():
        return
    differing = sorted(
        name
        for name in {path.name for folder in (made, target) for path in folder.glob("*")}
        if not _same_bytes(made / name, target / name)
    )
    if differing or not target.is_dir():
        where = f" ({', '.join(differing)})" if differing else ""
        raise DataError(
            f"{target}: exists with other content than would be written{where}; move it away, or "
            "name another folder"
        )


def _same_bytes(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
