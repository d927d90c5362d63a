"""Names that point to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def unknown(path: str, found: str, known: Iterable[str]) -> Iterator[str]:
    """Says of a name that is not known which ones are; nothing of one that is."""
    if found not in known:
        yield f"{path}: found {found!r}, allowed: {', '.join(known) or 'nothing is defined'}"
