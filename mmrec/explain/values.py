"""Settings as they were and as they are in; the single values that differ out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

_NONE: Final = object()


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """A line for each single value that has changed, is new, or has gone.

    >>> list(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": None}))
    ['a.b: 1 -> 3', 'a.c: 2 -> nothing', 'd: nothing -> null']
    """
    old, new = dict(single_values(before)), dict(single_values(after))
    for name in dict.fromkeys([*old, *new]):
        was, is_now = old.get(name, _NONE), new.get(name, _NONE)
        # DVC keeps in one place as a tuple what it reads as a list in the other.
        if shown(was) != shown(is_now):
            yield f"{name}: {shown(was)} -> {shown(is_now)}"


def single_values(section: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no section, by its dotted path; an empty section is a value."""
    for name, value in section.items():
        path = f"{prefix}.{name}".removeprefix(".")
        if isinstance(value, Mapping) and value:
            yield from single_values(value, path)
        else:
            yield path, value


def shown(value: object) -> str:
    """A value as YAML has it."""
    if value is _NONE:
        return "nothing"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {shown(inner)}" for name, inner in value.items()) + "}"
    return str(value)
