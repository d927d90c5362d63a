"""The pages of the reference as files, which Sphinx reads like those that people write."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from mmrec.reference.library import library_page
from mmrec.reference.settings import settings_pages
from mmrec.reference.terminal import commands_page


def write_reference(
    folder: Path, parsers: Iterable[argparse.ArgumentParser], offered: Mapping[str, object]
) -> None:
    """Write all pages; a page that is as it was is left alone, one that is no more goes.

    Args:
        folder: of these pages and no others.
        parsers: of all commands.
        offered: what `import mmrec` offers, by name.
    """
    pages = settings_pages()
    models = [name for name in pages if name.startswith("model_")]
    sections = [name for name in pages if name.startswith("params_")]
    pages["params"] += _leads_to(sections)
    pages["params_models"] += _leads_to(models)
    pages |= {"commands": commands_page(parsers), "library": library_page(offered)}
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):
        if path.stem not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _leads_to(names: Iterable[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", *names, "```", ""])
