"""Pages of settings in Markdown: a JSON schema in, a table for each section out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mmrec.reference.places import (
    FILE,
    Page,
    Place,
    file_page,
    kinds,
    known_sections,
    params_pages,
)
from mmrec.reference.schema import json_schema
from mmrec.reference.takes import Schema, default, takes

_HEADER: Final = ["setting", "takes", "default", "meaning"]

_OF_PARAMS: Final = """Everything that changes a result, and nothing else. `mmrec check` says what
is wrong in a file, and [an editor](../editors.md) does while you write it.

A *name* has up to 100 letters, digits, `-` and `_`, and begins with a letter or a digit. Where a
section is of one of several kinds, its setting `name` says which: `{name: demo, seed: 7, …}`. What
*must be set* has no default."""

_OF_STUDIES: Final = """A file of `studies/`: rows, each trained from several seeds, and what is
shown of them. `mmrec study` trains what is missing and writes the tables."""

_OF_SEARCHES: Final = """A file of `searches/`: which settings of a run are tried. `mmrec tune`
tries them, on validation."""

_OF_MODELS: Final = "Settings that several models have; the others are on the page of each: {}."


def settings_pages() -> dict[str, str]:
    """Texts of all pages, by the names of their files without suffix; the first one leads to all.

    It is every setting that there is in `params.yaml`, in study files and in searches.
    """
    params, study, search = (json_schema(file) for file in ("params", "study", "search"))
    pages = params_pages(params)
    models = [page for page in pages if page.name.startswith("model_")]
    of_models = _OF_MODELS.format(", ".join(f"[{page.title}]({page.name}.md)" for page in models))
    studies = file_page("studies", "Study files", study)
    searches = file_page("searches", "Searches", search)
    return {
        **_written(params, pages, {"params": _OF_PARAMS, "params_models": of_models}),
        **_written(study, [studies], {"studies": _OF_STUDIES}),
        **_written(search, [searches], {"searches": _OF_SEARCHES}),
    }


def _written(schema: Schema, pages: Sequence[Page], intros: Mapping[str, str]) -> dict[str, str]:
    known = known_sections(schema)
    links = {
        place.definition: f"[{_label(known, page, place)}](#{_target(page, place)})"
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
        level = place.depth + (1 if page.places[0].definition == FILE else 2)
        heading = f"{'#' * min(level, 4)} {_heading(known, page, place)}"
        yield f"({_target(page, place)})=\n{heading}"
        if place.paths != [_last_step(place)]:
            yield " · ".join(f"`{path}`" for path in place.paths)
        yield section["description"]
    rows = [
        _row(name, setting, known, links)
        for name, setting in section["properties"].items()
        if name != "name" or not kinds(section)
    ]
    yield table(_HEADER, rows) if rows else "There is nothing to set."


def _row(
    name: str, setting: Schema, known: Mapping[str, Schema], links: Mapping[str, str]
) -> list[str]:
    what = takes(setting, links.__getitem__)
    return [f"`{name}`", what, default(setting), meaning(setting, known)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, whose cells may have bars, in a container that its style goes by."""
    lines = [header, ["---"] * len(header), *rows]
    written = (
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
    return "\n".join(["```{container} settings", *written, "```"])


def meaning(setting: Schema, known: Mapping[str, Schema]) -> str:
    """What a setting is: as it says itself, or as the section says that it holds."""
    if "description" in setting:
        return str(setting["description"])
    section = known.get(str(setting.get("$ref", "")).rpartition("/")[2], {})
    return str(section.get("description", "")).partition("\n\n")[0].replace("\n", " ")


def _label(known: Mapping[str, Schema], page: Page, place: Place) -> str:
    """A section where something takes it."""
    kind = ", ".join(kinds(known[place.definition]))
    return f"`{kind}`" if kind else f"settings{_told_apart(known, page, place)}"


def _heading(known: Mapping[str, Schema], page: Page, place: Place) -> str:
    kind, step = ", ".join(kinds(known[place.definition])), _last_step(place)
    where = f"`{step}`" if step else "A file"
    return f"{where}: {kind}" if kind else f"{where}{_told_apart(known, page, place)}"


def _told_apart(known: Mapping[str, Schema], page: Page, place: Place) -> str:
    """What a section has first, where another one without a name of its kind stands there, too."""
    alike = [
        one for one in page.places if one.paths == place.paths and not kinds(known[one.definition])
    ]
    first = next(iter(known[place.definition]["properties"]), "")
    return f" with `{first}`" if len(alike) > 1 else ""


def _last_step(place: Place) -> str:
    """`clean` of `datasets.<name>.clean`; `text.<name>` of `embed.text.<name>`."""
    *_, before, last = ["", *place.paths[0].split(".")]
    return f"{before}.{last}" if last == "<name>" else last


def _target(page: Page, place: Place) -> str:
    return f"{page.name}-{place.definition}".lower().replace("_", "-")
