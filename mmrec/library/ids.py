"""Names and ids that a caller gives, checked against those that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import polars as pl

from mmrec.data.spellings import describe_unknown

_SHOWN = 20
"""Names that are listed; of more, how many others there are."""
_COMPARED = 200_000
"""Ids to which a single one is compared letter by letter: a second, about."""


class UnknownIdError(ValueError):
    """Ids that a dataset does not have; the message says which, and what they may be."""


def require_name(what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that there is not.

    Raises:
        ValueError: says what there is.
    """
    names = list(known)
    if name not in names:
        raise ValueError(f"{what} {name!r}: {nearest(name, names)}there is {listed(names)}")


def require_known(where: str, ids: Sequence[str], known: Mapping[str, int]) -> None:
    """Refuse ids of items that a catalogue does not have.

    Args:
        where: what they are of, for the message.
        ids: asked for.
        known: item index by item id.

    Raises:
        UnknownIdError: says which, how many, and how they may be written.
    """
    unknown = [one for one in ids if one not in known]
    if not unknown:
        return
    first = "" if len(unknown) == 1 else " (first: " + ", ".join(map(repr, unknown[:3])) + ")"
    what = f"{unknown[0]!r} is" if len(unknown) == 1 else f"{len(unknown)} of {len(ids)} items are"
    told = describe_unknown(pl.Series(unknown), pl.Series([*known], dtype=pl.String))
    near = nearest(unknown[0], [*known])
    raise UnknownIdError(
        f"{where}: {what} not in the catalogue of {len(known):,} items{first}; "
        f"{near}{told}; take ids as the catalogue has them"
    )


def require_ids(where: str, ids: Iterable[object]) -> None:
    """Refuse what is no list of ids: one id would be read letter by letter.

    Raises:
        TypeError: it is a text, or holds something else than texts.
    """
    if isinstance(ids, str):
        raise TypeError(f"{where}: found the text {ids!r}, expected a list; put it into [ ]")
    for one in ids:
        if not isinstance(one, str):
            raise TypeError(
                f"{where}: found {one!r} ({type(one).__name__}), expected ids, which are texts; "
                "write them as the catalogue has them, in quotes"
            )


def require_once(where: str, ids: Sequence[str]) -> None:
    """Refuse ids of which one is there twice.

    Raises:
        ValueError: names the first.
    """
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise ValueError(f"{where}: found {one!r} twice, expected each once; leave one out")
        seen.add(one)


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint at the most similar one, or nothing where none is similar."""
    found = get_close_matches(name, known, n=1) if len(known) <= _COMPARED else []
    return f"did you mean {found[0]!r}? " if found else ""


def listed(names: Sequence[str]) -> str:
    """Some names for a message."""
    if not names:
        return "none"
    more = f" and {len(names) - _SHOWN:,} others" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
