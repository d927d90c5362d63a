"""`mmrec demo tables`: the files are those of a shop, dirty where it is said, and lose nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mmrec.cli.main import main
from mmrec.demo.tables import NUM_ARRIVALS, write_tables

ITEMS, USERS = 60, 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "shop"
    write_tables(ITEMS, USERS, 7, folder)
    return folder


def test_the_log_has_what_the_catalogue_lacks_and_both_have_rows_without_an_id(
    folder: Path,
) -> None:
    items, orders = pl.read_csv(folder / "items.csv"), pl.read_csv(folder / "orders.csv")
    assert items.columns == ["sku", "name", "category", "description"]
    assert orders.columns == ["customer", "sku", "time"]
    assert items["sku"].n_unique() == ITEMS + 1
    assert items["sku"].null_count() > 0
    assert items["name"].null_count() > 0
    assert orders["customer"].null_count() > 0
    unknown = orders.filter(~pl.col("sku").is_in(items["sku"].drop_nulls().implode()))
    assert 0 < unknown.height < 0.05 * orders.height


def test_pictures_are_named_after_items_but_for_one(folder: Path) -> None:
    skus = {*pl.read_csv(folder / "items.csv")["sku"].drop_nulls()}
    names = [path.name for path in (folder / "pictures").iterdir()]
    assert [name for name in names if name.partition("_")[0] not in skus] == ["logo.png"]
    for path in (folder / "pictures").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_arrivals_are_whole_and_known_to_nobody(folder: Path) -> None:
    arrivals = pl.read_csv(folder / "arrivals.csv")
    assert arrivals.height == NUM_ARRIVALS
    assert not arrivals.null_count().sum_horizontal().item()
    assert not {*arrivals["item_id"]} & {*pl.read_csv(folder / "orders.csv")["sku"]}
    for item_id, paths in arrivals.select("item_id", "images").iter_rows():
        for path in paths.split("|"):
            assert path.startswith(f"arrivals/{item_id}_")
            assert (folder / path).is_file()


def test_a_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_tables(ITEMS, USERS, 7, tmp_path / "again")
    for path in folder.rglob("*"):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(folder)
            assert again.read_bytes() == path.read_bytes()


def test_a_folder_with_files_in_it_and_bad_numbers_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    kept = (folder / "items.csv").read_bytes()
    with pytest.raises(SystemExit, match="found files in it; name a new folder"):
        main(["demo", "tables", str(folder), "--seed", "8"])
    assert (folder / "items.csv").read_bytes() == kept
    for option, number in (("--items", "59"), ("--users", "0"), ("--seed", "-1")):
        with pytest.raises(SystemExit, match=f"{option[2:]}: found {number}"):
            main(["demo", "tables", str(tmp_path / "new"), option, number])
    assert not (tmp_path / "new").exists()
