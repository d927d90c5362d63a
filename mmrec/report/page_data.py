"""What the code of the page works with: items, maps and lists in, plain lists and numbers out.

Pictures stand in one list, each once; everything else names them by their place in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmrec.report.maps import Maps
from mmrec.report.run_lists import UserList
from mmrec.report.shown_items import ShownItems
from mmrec.report.shown_lists import ShownLists


class _Pictures:
    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, picture: str) -> int:
        """Of a data URI; -1 where there is none."""
        return self.places.setdefault(picture, len(self.places)) if picture else -1


def page_data(
    items: ShownItems | None, maps: Maps | None, lists: ShownLists | None
) -> dict[str, Any]:
    """All of it; equal arguments give equal data."""
    pictures = _Pictures()
    shown = [pictures.place(item.picture) for item in items.items] if items else []
    found = {
        "items": shown,
        "maps": _maps(maps) if maps else None,
        "lists": _lists(lists, pictures) if lists else None,
    }
    return {**found, "pictures": [*pictures.places]}


def _maps(maps: Maps) -> dict[str, Any]:
    return {
        "items": list(maps.drawn),
        "places": {one.run: one.points for one in maps.layouts},
        "times": {one.run: one.times for one in maps.layouts},
    }


def _lists(lists: ShownLists, pictures: _Pictures) -> dict[str, Any]:
    places = {index: place for place, index in enumerate(lists.cards)}
    return {
        "runs": list(lists.runs),
        "cards": [
            [card.item_id, card.title, pictures.place(card.picture)]
            for card in lists.cards.values()
        ],
        "users": [[_list(one, places) for one in own] for own in lists.of_users.values()],
    }


def _list(one: UserList | None, places: Mapping[int, int]) -> Sequence[object] | None:
    if one is None:
        return None
    return [one.rank, places[one.target], [places[index] for index in one.items]]
