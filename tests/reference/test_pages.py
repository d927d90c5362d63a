"""The pages made of the code: nothing is missing on them, and they are left alone or renewed."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

import mmrec
from mmrec.cli.commands import COMMANDS, load
from mmrec.command import parser_of
from mmrec.reference.places import FILE, file_page, kinds, known_sections, params_pages
from mmrec.reference.schema import FileKind, json_schema
from mmrec.reference.settings import settings_pages
from mmrec.reference.site import write_reference
from mmrec.reference.takes import default, takes

OFFERED = {name: getattr(mmrec, name) for name in mmrec.__all__}


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return settings_pages()


@pytest.fixture(scope="module")
def parsers() -> list[argparse.ArgumentParser]:
    return [parser_of(load(name), f"mmrec {name}") for name in COMMANDS]


def sections(text: str) -> dict[str, str]:
    """The part of a page below the target of each section, and the file's own before them."""
    first, *others = re.split(r"^\(([\w-]+)\)=$", text, flags=re.MULTILINE)
    return {FILE.lower(): first, **dict(zip(others[::2], others[1::2], strict=True))}


@pytest.mark.parametrize("file", ["params", "study", "search"])
def test_every_setting_of_every_section_has_a_row_with_a_meaning(
    file: FileKind, pages: dict[str, str]
) -> None:
    schema = json_schema(file)
    names = {"study": "studies", "search": "searches"}
    told = [file_page(names[file], "", schema)] if file in names else params_pages(schema)
    where = {place.definition: page.name for page in told for place in page.places}
    known = known_sections(schema)
    assert where.keys() == known.keys()
    for definition, section in known.items():
        parts = sections(pages[where[definition]])
        (text,) = (
            part for name, part in parts.items() if name.split("-")[-1] == definition.lower()
        )
        rows = {
            cells[0].strip(" `"): cells[-1].strip()
            for line in text.splitlines()
            if line.startswith("| `") and (cells := re.split(r"(?<!\\)\|", line)[1:-1])
        }
        names = [name for name in section["properties"] if name != "name" or not kinds(section)]
        assert list(rows) == names, definition
        assert all(rows.values()), definition


def test_no_section_is_on_two_pages() -> None:
    places = [place for page in params_pages(json_schema("params")) for place in page.places]
    assert len(places) > 90
    assert len({place.definition for place in places}) == len(places)


def test_every_link_within_the_settings_has_its_target(pages: dict[str, str]) -> None:
    text = "\n".join(pages.values())
    targets = re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)
    assert len({*targets}) == len(targets)
    assert {*re.findall(r"\]\(#([\w-]+)\)", text)} <= {*targets}


def test_a_model_has_a_page_of_its_own_and_shares_one_with_others(pages: dict[str, str]) -> None:
    assert "`expert_draws`" in pages["model_mp4sr"]
    assert "`mask_probability`" not in pages["model_mp4sr"]
    assert "`loss`: sampled" in pages["params_models"]
    assert pages["params_models"].count("model_") == len(
        [name for name in pages if name.startswith("model_")]
    )


def test_sections_that_stand_in_one_place_are_told_apart(pages: dict[str, str]) -> None:
    studies = pages["studies"]
    assert "### `rows.<name>` with `model`\n" in studies
    assert "### `rows.<name>` with `ensemble`\n" in studies
    assert "[settings with `ensemble`](#studies-ensemblerow)" in studies
    assert "## A file with `of`\n" in studies


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 2}, "whole number ≥ 2"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number ≥ 0 and < 1"),
        ({"anyOf": [{"type": "boolean"}, {"const": "x"}]}, "`true`, `false` or `x`"),
        ({"type": "array", "minItems": 1, "items": {"type": "string"}}, None),
        ({"type": "array", "prefixItems": [{"type": "number"}] * 3}, "list of 3, each: number"),
        ({"type": "string", "pattern": "^a|b$"}, "text like `^a|b$`"),
        ({}, "any value"),
    ],
)
def test_what_a_setting_takes_is_said_in_words(schema: dict[str, object], said: str | None) -> None:
    assert takes(schema, str) == (said or "list of at least 1, each: text")


def test_a_default_is_as_in_a_file() -> None:
    assert default({}) == "must be set"
    assert default({"default": None}) == "`null`"
    assert default({"default": {}, "$ref": "#/$defs/Other"}) == "as its own"
    assert (
        default({"default": {"name": "step", "of": [1, True]}}) == "`{name: step, of: [1, true]}`"
    )


def test_every_argument_of_every_command_is_on_their_page(
    tmp_path: Path, parsers: list[argparse.ArgumentParser]
) -> None:
    write_reference(tmp_path, parsers, OFFERED)
    text = (tmp_path / "commands.md").read_text()
    for parser in parsers:
        part = text.partition(f"\n## {parser.prog}\n")[2].partition("\n## ")[0]
        assert part
        named = [name for action in parser._actions for name in action.option_strings]
        assert all(f"`{name}`" in part for name in named if name not in {"-h", "--help"})
    assert "### mmrec features cache prune" in text
    assert "| `--metric` | `METRIC` | recall@K, ndcg@K, mrr@K or mrr (ndcg@10) |" in text
    assert "| `--study` |  | of the files of studies/ |" in text
    assert str(Path.cwd()) not in text
    library = (tmp_path / "library.md").read_text()
    assert all(f":: mmrec.{name}\n" in library for name in mmrec.__all__)
    assert ":: mmrec.library.run.Run\n" in library


def test_a_page_that_is_as_it_was_is_left_alone_and_one_that_is_no_more_goes(
    tmp_path: Path, parsers: list[argparse.ArgumentParser]
) -> None:
    write_reference(tmp_path, parsers, OFFERED)
    (tmp_path / "model_of_old.md").write_text("# of old\n")
    (tmp_path / "studies.md").write_text("# of old\n")
    before = (tmp_path / "params.md").stat().st_mtime_ns
    write_reference(tmp_path, parsers, OFFERED)
    assert not (tmp_path / "model_of_old.md").exists()
    assert "`rows`" in (tmp_path / "studies.md").read_text()
    assert (tmp_path / "params.md").stat().st_mtime_ns == before
