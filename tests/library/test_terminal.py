"""`mmrec recommend` and `mmrec similar`: what they print and write, and what they refuse."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from mmrec import Filters
from mmrec.cli import recommend, similar
from mmrec.io import DataError
from mmrec.library.run import Run
from tests.library.worlds import item

HISTORY = f"{item(3)}, {item(7)}"


@pytest.fixture
def here(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for files; the project is the current one."""
    monkeypatch.chdir(shop)
    return tmp_path


def call(command: ModuleType, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args(arguments))


def test_a_list_is_shown_with_titles(
    here: Path, runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    call(recommend, "--run", "itemknn", "--history", HISTORY, "-k", "3")
    lines = capsys.readouterr().out.splitlines()
    expected = runs["itemknn"].recommend([[item(3), item(7)]], 3)
    assert lines[:2] == ["history 0", "rank  item_id      score  title"]
    for line, (_, rank, name, title, score) in zip(lines[2:], expected.rows(), strict=True):
        assert line.split(maxsplit=3) == [str(rank), name, f"{score:.4f}", title]
    call(similar, "--run", "sasrec", "--item", item(3), "--item", item(7), "-k", "2")
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[4], len(lines)) == (f"like {item(3)}", f"like {item(7)}", 8)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_lists_of_users_are_written(suffix: str, here: Path, runs: dict[str, Run]) -> None:
    (here / "users.txt").write_text("u1\n\nu3\n")
    (here / "gone.txt").write_text(f"{item(1)}\n{item(2)}\n")
    options = ("--exclude-file", str(here / "gone.txt"), "--max-per-category", "2", "--keep-seen")
    out = here / f"lists.{suffix}"
    users = ("--users", str(here / "users.txt"))
    call(recommend, "--run", "sasrec", *users, *options, "-k", "4", "--output", str(out))
    filters = Filters(exclude=[item(1), item(2)], max_per_category=2, keep_seen=True)
    expected = runs["sasrec"].recommend(
        runs["sasrec"].histories_of(["u1", "u3"]), 4, filters=filters
    )
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "json": pl.read_json}[suffix]
    found = read(out)
    assert found.drop("score").rows() == expected.drop("score").rows()
    assert found["score"].to_list() == pytest.approx(expected["score"].to_list(), rel=1e-6)


def test_options_mean_what_the_filters_do(
    here: Path, runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    call(
        *(recommend, "--run", "sasrec", "--user", "u3", "-k", "5", "--include"),
        ",".join(item(place) for place in range(9)),
        *("--category", "upper", "--category-field", "shelf", "--diversity", "0.6"),
    )
    shown = re.findall(r"i-\d\d", capsys.readouterr().out)
    filters = Filters(
        include=[item(place) for place in range(9)],
        category="upper",
        categories="shelf",
        diversity=0.6,
    )
    history = runs["sasrec"].histories_of(["u3"])
    assert shown == runs["sasrec"].recommend(history, 5, filters=filters)["item_id"].to_list()


def test_unknown_items_are_skipped_where_that_is_asked_for(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, skipping = ("--run", "sasrec", "--history"), ("--skip-unknown", "-k", "2")
    call(recommend, *plain, HISTORY, "-k", "2")
    expected = capsys.readouterr().out
    call(recommend, *plain, f"{HISTORY},new", *skipping)
    assert capsys.readouterr().out == expected
    with pytest.raises(ValueError, match="history 0: 'new' is not in the catalogue of 18 items"):
        call(recommend, *plain, f"{HISTORY},new")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--history", ""), "history 0: found no items, expected at least one"),
        (("--users", "nobody.txt"), r"--users nobody\.txt: file not found; name one with an id"),
        (("--users", "empty.txt"), r"--users empty\.txt: found no ids; write one in a line"),
        (("--users", "binary.txt"), r"--users binary\.txt: not UTF-8 text .*; save it as such"),
        (("--user", "u3", "--output", "x.xlsx"), r"--output x\.xlsx: expected a name that ends in"),
        (("--user", "u3", "--exclude", "a,b,a"), "exclude: found 'a' twice, expected each once"),
        (("--user", "u3", "--category", "hat"), "category: found 'hat', allowed: lamp, mug, shoe"),
    ],
)
def test_what_is_wrong_is_one_message(
    arguments: tuple[str, ...], says: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "empty.txt").write_text("\n")
    (here / "binary.txt").write_bytes(b"\xff\xfe\x00")
    given = [str(here / one) if one.endswith(".txt") else one for one in arguments]
    with pytest.raises((ValueError, DataError)) as found:
        call(recommend, "--run", "sasrec", *given)
    assert re.search(says, str(found.value).replace(f"{here}/", ""))
    assert "\n" not in str(found.value)


def test_nothing_heavy_is_imported_to_ask_for_help() -> None:
    for command in (recommend, similar):
        parser = argparse.ArgumentParser(description=command.HELP)
        command.add_arguments(parser)
        assert "--max-per-category" in parser.format_help()
        assert not {"torch", "pl", "open_run"} & {*vars(command)}
