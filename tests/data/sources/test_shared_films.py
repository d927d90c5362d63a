"""MovieLens without the films of another list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmrec.data.sources.movielens import MovielensSource
from mmrec.io import DataError

_CATALOGUE = """item_id,title
1,"Promise, The (La Promesse) (1996)"
2,Amélie (2001)
3,Psycho (1960)
4,Psycho (1998)
5,Heat
6,"Titanic (1997)"
7,
"""


def _write_catalogue(folder: Path) -> None:
    (folder / "items.csv").write_text(_CATALOGUE)
    log = "".join(f"{user},{item},{item}\n" for user in (1, 2) for item in range(1, 8))
    (folder / "interactions.csv").write_text(f"user_id,item_id,timestamp\n{log}")
    (folder / "posters").mkdir()
    for item in (1, 3, 4):
        (folder / "posters" / f"{item}.jpg").touch()


def _read(folder: Path, without: str | None = None) -> Any:
    settings: Any = {"layout": "csv", "posters": "posters", "metadata": None}
    return MovielensSource(folder, without=without, **settings).read()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("u.item", "1|{}||||" + "|".join("0" * 19) + "\n"),
        ("movies.dat", "1::{}::Drama\n"),
        ("other.csv", '"{}"\n'),
    ],
)
def test_films_of_another_list_are_left_out_with_all_about_them_and_counted(
    tmp_path: Path, name: str, line: str
) -> None:
    _write_catalogue(tmp_path)
    # A year apart and other brackets; accents; nothing of the second Psycho; a title without year.
    titles = ["The Promise (1995)", "AMELIE (2001)", "Psycho (1960)", "Heat", "Titanic (1953)"]
    head = "title\n" if name == "other.csv" else ""
    text = head + "".join(line.format(title) for title in titles)
    (tmp_path / name).write_text(text, "utf-8")
    raw = _read(tmp_path, name)
    assert raw.items.column("item_id").to_pylist() == ["4", "6", "7"]
    assert raw.interactions.column("item_id").to_pylist() == ["4", "6", "7"] * 2
    assert [ref.item_id for ref in raw.image_refs] == ["4"]
    assert raw.skipped == {
        **_read(tmp_path).skipped,
        "shared_film": 4,
        "interaction_with_shared_film": 8,
        "picture_of_shared_film": 2,
    }


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        (
            "Alien (1979)",
            r"other\.csv: none of 1 titles is of a film of the catalogue \(first: 'Alien \(1979\)';"
            r" the catalogue has 'Promise, .*\); name a list",
        ),
        ("", r"none of 0 titles .*\(first: none;"),
        ("B (1990)", r"all 1 films of the catalogue are among its titles"),
    ],
)
def test_a_list_that_leaves_out_nothing_or_everything_is_refused(
    tmp_path: Path, titles: str, message: str
) -> None:
    _write_catalogue(tmp_path)
    (tmp_path / "other.csv").write_text(f"title\n{titles}\n" if titles else "title\n")
    if titles.startswith("B ("):
        (tmp_path / "items.csv").write_text("item_id,title\n1,The B (1990)\n")
        (tmp_path / "posters" / "3.jpg").unlink()
    with pytest.raises(DataError, match=message):
        _read(tmp_path, "other.csv")
