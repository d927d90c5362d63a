"""Small packages written to a folder, with what they have for params."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmrec.code.closure import Closure, Code, Layout
from mmrec.code.sources import Symbol

SECTION = "class Section: ...\n"


def write(folder: Path, files: Mapping[str, str]) -> Code:
    """The code of a package `shop`, whose files are named by their paths in it."""
    given = {"__init__.py": "", "params/__init__.py": "", "params/section.py": SECTION, **files}
    for name, text in given.items():
        path = folder / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if not (path.parent / "__init__.py").exists():
            (path.parent / "__init__.py").write_text("")
    return Code(
        Layout(
            root=folder,
            packages=("shop",),
            params="shop.params",
            section=Symbol("shop.params.section", "Section"),
            whole_file=Symbol("shop.params.file", "Params"),
            without_result=("shop.checks",),
        )
    )


def closure(
    folder: Path,
    files: Mapping[str, str],
    *sections: str,
    values: Mapping[str, object] | None = None,
) -> Closure:
    """What running `shop.stage` can depend on."""
    paths = [section.split(".") for section in sections]
    return write(folder, files).closure("shop.stage", paths, values or {})


def names(found: Closure) -> set[str]:
    """The definitions of `shop` in a closure, without those of the stage."""
    lines = (line.partition(" ")[2].removeprefix("shop.") for line in found.text.splitlines())
    return {name for name in lines if not name.startswith("stage:")}
