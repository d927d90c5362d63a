"""Pages of settings in Markdown: a JSON schema in, a table for each section out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mmrec.params.study import StudyParams
from mmrec.reference.places import (
    FILE,
    Page,
    Place,
    kinds,
    known_sections,
    params_pages,
    study_page,
)
from mmrec.reference.schema import json_schema
from mmrec.reference.takes import Schema, default, takes

_HEADER: Final = "| setting | takes | default | meaning |\n|---|---|---|---|"

_OF_PARAMS: Final = """Everything that changes a result, and nothing else. `mmrec check` says what
is wrong in a file, and [an editor](../editors.md) does while you write it.

A *name* has up to 100 letters, digits, `-` and `_`, and begins with a letter or a digit. Where a
section is of one of several kinds, its setting `name` says which: `{name: demo, seed: 7, …}`. What
*must be set* has no default."""

_OF_STUDIES: Final = """A file of `studies/`: rows, each trained from several seeds, and what is
shown of them ([what a study does](../../README.md#studies))."""

_OF_MODELS: Final = "What several models have; the rest is on the page of each."


def settings_pages() -> dict[str, str]:
    """Texts of all pages, by the names of their files without suffix; the first one leads to all.

    It is every setting that there is in `params.yaml` and in study files.
    """
    params, study = json_schema(), json_schema(StudyParams)
    pages = params_pages(params)
    texts = _written(params, pages, {"params": _OF_PARAMS, "params_models": _OF_MODELS})
    return {**texts, **_written(study, [study_page(study)], {"studies": _OF_STUDIES})}


def _written(schema: Schema, pages: Sequence[Page], intros: Mapping[str, str]) -> dict[str, str]:
    known = known_sections(schema)
    links = {
        place.definition: f"[{_label(known, place)}](#{_target(page, place)})"
        for page in pages
        for place in page.places
    }
    return {
        page.name: "\n\n".join(
            [
                f"# {page.title}",
                *([intros[page.name]] if page.name in intros else []),
                *(text for place in page.places for text in _section(known, page, place, links)),
            ]
        )
        + "\n"
        for page in pages
    }


def _section(
    known: Mapping[str, Schema], page: Page, place: Place, links: Mapping[str, str]
) -> Iterator[str]:
    """Target and heading, where it stands, what it is, its settings."""
    section = known[place.definition]
    if place.definition != FILE:
        yield f"({_target(page, place)})=\n{'#' * min(place.depth + 2, 4)} {_heading(known, place)}"
        if place.paths != [_last_step(place)]:
            yield " · ".join(f"`{path}`" for path in place.paths)
        yield section["description"]
    rows = [
        _row(name, setting, known, links)
        for name, setting in section["properties"].items()
        if name != "name" or not kinds(section)
    ]
    yield "\n".join([_HEADER, *rows]) if rows else "There is nothing to set."


def _row(name: str, setting: Schema, known: Mapping[str, Schema], links: Mapping[str, str]) -> str:
    cells = [
        f"`{name}`",
        takes(setting, links.__getitem__),
        default(setting),
        meaning(setting, known),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def meaning(setting: Schema, known: Mapping[str, Schema]) -> str:
    """What a setting is: as it says itself, or as the section says that it holds."""
    if "description" in setting:
        return str(setting["description"])
    section = known.get(str(setting.get("$ref", "")).rpartition("/")[2], {})
    return str(section.get("description", "")).partition("\n\n")[0].replace("\n", " ")


def _kinds(known: Mapping[str, Schema], place: Place) -> str:
    return ", ".join(kinds(known[place.definition]))


def _label(known: Mapping[str, Schema], place: Place) -> str:
    kind = _kinds(known, place)
    return f"`{kind}`" if kind else "settings"


def _heading(known: Mapping[str, Schema], place: Place) -> str:
    kind = _kinds(known, place)
    return f"`{_last_step(place)}`" + (f": {kind}" if kind else "")


def _last_step(place: Place) -> str:
    """`clean` of `datasets.<name>.clean`; `text.<name>` of `embed.text.<name>`."""
    *_, before, last = ["", *place.paths[0].split(".")] if place.paths else ["", FILE]
    return f"{before}.{last}" if last == "<name>" else last


def _target(page: Page, place: Place) -> str:
    return f"{page.name}-{place.definition}".lower().replace("_", "-")
