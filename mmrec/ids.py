"""Names and ids that a caller gives, checked against those that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

_SHOWN = 20
"""Names that are listed; of more, how many others there are."""
_SHOWN_UNKNOWN = 3
_COMPARED = 200_000
"""Ids to which others are compared letter by letter: a second, about."""


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
    if unknown:
        place = f"in the catalogue of {len(known):,} items"
        what = f"{len(unknown)} of {len(ids)} items"
        raise UnknownIdError(f"{where}: {told_unknown(unknown, [*known], what, place)}")


def told_unknown(unknown: Sequence[str], known: Sequence[str], what: str, place: str) -> str:
    """Ids that are not there, and the most similar ones that are, in a sentence.

    Args:
        unknown: the ids, at least one.
        known: those that there are.
        what: how many are unknown, for more than one.
        place: where they are not.

    >>> told_unknown(["A1"], ["a1", "b2"], "1 of 1 items", "in the catalogue")
    "'A1' is not in the catalogue; did you mean 'a1'?"
    >>> told_unknown(["A1", "x"], ["a1", "b2"], "2 of 5 items", "in the catalogue")
    "2 of 5 items are not in the catalogue: 'A1' (did you mean 'a1'?), 'x'"
    """
    shown = [*dict.fromkeys(unknown)][:_SHOWN_UNKNOWN]
    found = most_similar(shown, known)
    usual = "" if found or not known else f"; ids there are such as {known[0]!r}"
    if len(unknown) == 1:
        hint = f"; did you mean {found[shown[0]]!r}?" if found else usual
        return f"{unknown[0]!r} is not {place}{hint}"
    parts = [
        f"{one!r} (did you mean {found[one]!r}?)" if one in found else f"{one!r}" for one in shown
    ]
    others = len({*unknown}) - len(shown)
    more = f" and {others:,} other{'s' if others > 1 else ''}" if others else ""
    return f"{what} are not {place}: {', '.join(parts)}{more}{usual}"


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
    found = most_similar([name], known)
    return f"did you mean {found[name]!r}? " if found else ""


def most_similar(names: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Of each name the one that it is another spelling of, or else the most alike; or none.

    >>> most_similar(["7", " B1", "c3"], ["0007", "b1", "a9"])
    {'7': '0007', ' B1': 'b1'}
    >>> most_similar(["P012"], ["P00102", "P00012"])
    {'P012': 'P00012'}
    """
    spelled: dict[str, str] = {}
    for one in known:
        spelled.setdefault(_plain(one), one)
    is_short = len(known) * len(names) <= _COMPARED
    found = {}
    for name in names:
        alike = _plain(name)
        if alike not in spelled and is_short:
            alike = next(iter(get_close_matches(alike, spelled, n=1)), alike)
        if alike in spelled:
            found[name] = spelled[alike]
    return found


def _plain(name: str) -> str:
    """An id without case, spaces around it, leading zeros of numbers, and a final `.0`."""
    return re.sub(r"(?<!\d)0+(?=\d)|\.0+$", "", name.strip().casefold())


def listed(names: Sequence[str]) -> str:
    """Some names for a message."""
    if not names:
        return "none"
    more = f" and {len(names) - _SHOWN:,} others" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
