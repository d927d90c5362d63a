"""Details and pictures of one Amazon product, in every layout; what is not taken is counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any, Literal

from mmrec.data.sources.record import Record, encodable

Layout = Literal[2014, 2018, 2023]
Images = Literal["none", "large", "hi_res"]

NOT_TAKEN = (
    "details_unreadable",
    "detail_is_table",
    "detail_is_item_id",
    "picture_without_link",
    "picture_repeated",
)
"""Reasons that `details` and `links` count: of the whole details, a detail, a picture."""

_ITEM_ID = ("asin", "parent asin")


def details(record: Record, item_id: str, skipped: Counter[str]) -> str | None:
    """Details as `name: value`, a paragraph each; the item's own id says nothing about it.

    The hub's loader keeps the object of 2023 as a JSON string. Names of 2018 are cut out of a
    page with line breaks and colons.
    """
    found = record.values.get("details")
    if isinstance(found, str) and found.strip():
        try:
            found = encodable(json.loads(found))
        except (ValueError, RecursionError):
            found = [found]
    if not found:
        return None
    if not isinstance(found, Mapping):
        skipped["details_unreadable"] += 1
        return None
    lines = []
    for key, value in found.items():
        name, text = " ".join(key.split()).rstrip(": "), _printed(value)
        if text is None:
            # Ranks in shops and the like.
            skipped["detail_is_table"] += 1
        elif name.casefold() in _ITEM_ID or (text and text == item_id):
            skipped["detail_is_item_id"] += 1
        elif text:
            lines.append(f"{name}: {text}" if name else text)
    return "\n\n".join(lines)


def _printed(value: Any) -> str | None:
    """A detail as text, empty where there is nothing; None if it is a table of its own."""
    match value:
        case None:
            return ""
        case str():
            return " ".join(value.split())
        case list():
            parts = [_printed(element) for element in value]
            return None if None in parts else ", ".join(part for part in parts if part)
        case Mapping():
            return None
    return json.dumps(value)


def links(record: Record, layout: Layout, images: Images, skipped: Counter[str]) -> list[str]:
    """Links of all pictures of a product, each once."""
    if images == "none":
        return []
    match layout:
        case 2014:
            found = record.links("imUrl")
        case 2018:
            sizes = (record.links(key) for key in ("imageURLHighRes", "imageURL", "image"))
            found = next(filter(None, sizes), [])
        case 2023:
            found = _links_2023(record, images, skipped)
    distinct = list(dict.fromkeys(found))
    skipped["picture_repeated"] += len(found) - len(distinct)
    return distinct


def _links_2023(record: Record, images: Images, skipped: Counter[str]) -> list[str]:
    sizes = ("hi_res", "large", "thumb") if images == "hi_res" else ("large", "hi_res", "thumb")
    found = []
    for picture in _pictures(record):
        link = next((picture[name] for name in sizes if picture.get(name)), None)
        if link is None:
            skipped["picture_without_link"] += 1
        elif isinstance(link, str):
            found.append(link)
        else:
            raise _wrong_pictures(record)
    return found


def _pictures(record: Record) -> Iterable[Mapping[str, Any]]:
    """An object per picture: as the file has them, or as the hub's loader turns them, by size."""
    found = record.values.get("images") or []
    if isinstance(found, Mapping):
        columns = [values or [] for values in found.values()]
        if not all(isinstance(values, list) for values in columns):
            raise _wrong_pictures(record)
        return [dict(zip(found, row, strict=True)) for row in zip_longest(*columns)]
    if not isinstance(found, list) or not all(isinstance(one or {}, Mapping) for one in found):
        raise _wrong_pictures(record)
    return [one or {} for one in found]


def _wrong_pictures(record: Record) -> Exception:
    return record.wrong(
        "images", "a list of pictures with hi_res, large and thumb, or an object of such lists"
    )
