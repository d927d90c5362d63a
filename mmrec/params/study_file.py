"""A file of `studies/` in, a study out: as it is written, or as another one with changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mmrec.params.section import Section
from mmrec.params.study import StudyError, StudyParams, changed
from mmrec.params.study_rows import is_kind_of_row
from mmrec.params.yaml_file import YamlFileError, read_yaml


class ChangedStudy(Section):
    """A file that is another one but for what it changes, such as the split."""

    of: str
    """The other study's name, that of its file without `.yaml`."""
    change: dict[str, Any]
    """What replaces settings of that file, nested as there."""


def load_study(path: Path, *, seeds: Sequence[int] | None = None) -> StudyParams:
    """Read a file of `studies/`.

    Args:
        path: the file.
        seeds: in place of those that it names.

    Raises:
        StudyError: there is no such file, or what is in it is not allowed.
    """
    known = sorted(file.stem for file in path.parent.glob("*.yaml"))
    if not path.is_file():
        raise StudyError(f"no study '{path.stem}' in {path.parent}; there are {', '.join(known)}")
    content = _content(path)
    try:
        if _is_changed(content):
            own = ChangedStudy.model_validate(content)
            content = changed(_changed_one(path, own.of, known), own.change)
        if seeds and isinstance(content, dict):
            content = {**content, "seeds": [*seeds]}
        return StudyParams.model_validate(content)
    except ValidationError as error:
        raise StudyError("\n".join([f"{path.name}:", *_lines(error)])) from None


def _content(path: Path) -> object:
    try:
        return read_yaml(path)
    except YamlFileError as error:
        raise StudyError(f"{path.name}: {error}") from None


def _is_changed(content: object) -> bool:
    return isinstance(content, dict) and "of" in content


def _changed_one(path: Path, name: str, known: list[str]) -> dict[str, Any]:
    """What the file says that another one changes, which says it all itself."""
    if name not in known:
        raise StudyError(
            f"{path.name}:\n  of: found '{name}', allowed: {', '.join(known)} (files of "
            f"{path.parent})"
        )
    content = _content(path.with_name(f"{name}.yaml"))
    if not isinstance(content, dict) or _is_changed(content):
        raise StudyError(
            f"{path.name}:\n  of: found '{name}', which is no study by itself; name the one that "
            "it changes"
        )
    return content


def _lines(error: ValidationError) -> Iterator[str]:
    for details in error.errors():
        place = ".".join(str(step) for step in details["loc"] if not is_kind_of_row(step))
        message = details["msg"].removeprefix("Value error, ")
        yield f"  {place}: {message}" if place else f"  {message}"
