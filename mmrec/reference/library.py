"""The page of the library: what `import mmrec` offers in, what Sphinx tells of it out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Final, get_type_hints

_INTRO: Final = """# Library

All that `import mmrec` offers, and what it gives back. [The library](../library.md) shows it at
work."""


def library_page(offered: Mapping[str, object]) -> str:
    """The whole page, with directives of Sphinx's autodoc.

    Args:
        offered: functions and classes, by their names in `mmrec`.
    """
    functions_first = sorted(offered, key=lambda name: inspect.isclass(offered[name]))
    returned = dict.fromkeys(kind for one in offered.values() for kind in _classes_from(one))
    parts = [_INTRO]
    for name in functions_first:
        parts += _told(name, "mmrec", offered[name])
    for kind in returned:
        parts += _told(kind.__name__, kind.__module__, kind)
    return "\n\n".join(parts) + "\n"


def _classes_from(offered: object) -> Iterator[type]:
    """What a function gives back, if that is a class of ours."""
    if inspect.isfunction(offered):
        kind = get_type_hints(offered)["return"]
        if inspect.isclass(kind) and kind.__module__.startswith("mmrec."):
            yield kind


def _told(name: str, module: str, one: object) -> Iterator[str]:
    yield f"## {name}"
    if inspect.isclass(one):
        kind, options = "autoclass", ":members:\n:inherited-members: object\n"
    else:
        kind, options = "autofunction", ""
    yield f"```{{eval-rst}}\n.. {kind}:: {module}.{name}\n{_indented(options)}```"


def _indented(options: str) -> str:
    return "".join(f"   {line}\n" for line in options.splitlines())
