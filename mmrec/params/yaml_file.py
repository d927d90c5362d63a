"""Reads a YAML file that people write by hand: plain data, names as text, or one message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    ScalarEvent,
)

MAX_BYTES = 10_000_000
MAX_DEPTH = 50
MAX_VALUES = 100_000
"""With every alias written out: files that YAML could expand without end are refused."""


class YamlFileError(ValueError):
    """The file cannot be read; the message says what was found where, without the file's name."""


def read_yaml(path: Path) -> object:
    """The content of a YAML file, by the parser DVC uses: 1e-3 is a number to both.

    Raises:
        YamlFileError: it is no file, not text, not YAML, or larger than settings can be.
    """
    text = _text(path)
    try:
        _check_shape(text)
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        raise YamlFileError(f"not valid YAML: {_marked(error, text)}") from None
    except YAMLError as error:
        raise YamlFileError(f"not valid YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:
        if isinstance(error, YamlFileError):
            raise
        raise YamlFileError(_not_what_it_looks_like(text) or f"not valid YAML: {error}") from None


def yaml_to_write() -> YAML:
    """What keeps comments and layout, and writes as people do: lines as long as they are, null."""
    yaml = YAML()
    yaml.width = 4096
    yaml.preserve_quotes = True
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _text(path: Path) -> str:
    if not path.exists():
        raise YamlFileError("file not found; run from the folder that holds it")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise YamlFileError(f"found {kind}, expected a text file; put one in its place")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise YamlFileError(
                f"found {size:,} bytes, allowed: {MAX_BYTES:,}; is it another file?"
            )
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlFileError(
            f"not UTF-8: byte {error.start + 1:,} is no part of such a text; save it as UTF-8"
        ) from None
    except OSError as error:
        raise YamlFileError(f"cannot be read: {error.strerror}") from None


@dataclass
class _Shape:
    """Counts of what has been read of a file, aliases written out."""

    values: int = 0
    open: list[tuple[str | None, int]] = field(default_factory=list)
    """Anchor and count at the start of each collection that has not ended."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Values behind each anchor."""

    def read(self, event: Any) -> None:
        anchor = event.anchor if isinstance(event, ScalarEvent | CollectionStartEvent) else None
        match event:
            case AliasEvent():
                if any(event.anchor == name for name, _ in self.open):
                    raise YamlFileError(f"{_line(event)}: *{event.anchor} is inside itself")
                self.values += self.sizes.get(event.anchor, 1)
            case CollectionStartEvent():
                self.open.append((anchor, self.values))
                self.values += 1
            case CollectionEndEvent():
                anchor, start = self.open.pop()
                self._name(anchor, self.values - start)
            case ScalarEvent():
                self.values += 1
                self._name(anchor, 1)

    def _name(self, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self.sizes[anchor] = size


def _check_shape(text: str) -> None:
    """Refuse, before anything is built of it, what would take for ever or all memory."""
    shape = _Shape()
    for event in YAML(typ="safe").parse(text):
        shape.read(event)
        if len(shape.open) > MAX_DEPTH:
            raise YamlFileError(
                f"{_line(event)}: more than {MAX_DEPTH} levels inside each other; a bracket lost?"
            )
        if shape.values > MAX_VALUES:
            raise YamlFileError(
                f"{_line(event)}: more than {MAX_VALUES:,} values with aliases written out; "
                "use fewer aliases"
            )


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _marked(error: MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    said = error.problem or error.context
    if mark is None:
        return str(said)
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    hint = "; indent with spaces, not tabs" if line[: mark.column + 1].endswith("\t") else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}{hint}"


def _not_what_it_looks_like(text: str) -> str | None:
    """The first value that has the form of a number or date and is none."""
    for event in _plain_scalars(text):
        try:
            YAML(typ="safe").load(event.value)
        except ValueError as error:
            shown = event.value if len(event.value) <= 40 else f"{event.value[:40]}…"
            return (
                f"{_line(event)}: found {shown}: {str(error).split(';')[0]}; write text in quotes"
            )
        except YAMLError:
            continue
    return None


def _plain_scalars(text: str) -> Iterator[Any]:
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, ScalarEvent) and event.implicit[0]:
            yield event


# --- names that are text, numbers that fit ------------------------------------------------


def with_text_names(data: object, path: str, wrong: list[str]) -> object:
    """The data with all names as text; to `wrong` goes a line for each that was none.

    A number that 64 bits do not hold gets a line, too: no setting means one.
    """
    if isinstance(data, dict):
        return {
            _text_name(name, path, wrong): with_text_names(inner, f"{path}.{name}", wrong)
            for name, inner in data.items()
        }
    if isinstance(data, list):
        return [with_text_names(inner, f"{path}[{i}]", wrong) for i, inner in enumerate(data)]
    if isinstance(data, int) and data.bit_length() > 63:
        wrong.append(
            f"{path.removeprefix('.')}: found a number of {data.bit_length():,} bits, allowed: 63; "
            "write a smaller one"
        )
        return 0
    return data


def _text_name(name: object, path: str, wrong: list[str]) -> str:
    if isinstance(name, str):
        return name
    written = {None: "null", True: "true", False: "false"}
    text = written[name] if name is None or isinstance(name, bool) else str(name)
    wrong.append(
        f"{path.removeprefix('.') or 'params'}: found the name {text}, which YAML does not read as "
        f'text; write it in quotes: "{text}"'
    )
    return text
