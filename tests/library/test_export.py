"""A run in a folder of its own answers as in its project, and notices what is not as it was."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from mmrec import Filters, export_run, open_run
from mmrec.cli import export
from mmrec.io import DataError
from mmrec.library.exported import RUN
from mmrec.library.run import Run
from mmrec.training.sealed_files import sealed
from tests.library.worlds import item

SEEN = [[item(3), item(7)], [item(0)]]


@pytest.fixture(scope="module")
def folder(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of exported runs, far from the project."""
    found = tmp_path_factory.mktemp("exported")
    for name in ("sasrec", "popularity", "tfidf"):
        export_run(name, found / name, project=shop)
    return found


@pytest.mark.parametrize("name", ["sasrec", "popularity", "tfidf"])
def test_an_exported_run_answers_as_in_its_project(
    name: str, folder: Path, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder / name, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    for opened in (open_run("moved"), open_run(tmp_path / "moved"), open_run("./moved")):
        assert opened.name == name
        for filters in (Filters(), Filters(max_per_category=1), Filters(category="lamp")):
            expected = runs[name].recommend(SEEN, 6, filters=filters)
            assert opened.recommend(SEEN, 6, filters=filters).equals(expected)
    assert opened.items.equals(runs[name].items)
    if name == "sasrec":
        assert opened.similar(SEEN[0]).equals(runs[name].similar(SEEN[0]))
        written = pl.read_parquet(folder / name / "item_vectors.parquet")
        assert written.equals(runs[name].item_vectors())


def test_neither_users_nor_interactions_are_in_it(folder: Path, shop: Path) -> None:
    for path in (one for one in (folder / "sasrec").rglob("*") if one.is_file()):
        content = path.read_bytes()
        assert b"user_id" not in content, path
        assert b"u33" not in content, path
    assert pl.read_parquet(folder / "sasrec" / "dataset" / "clean" / "sequences.parquet").is_empty()
    run = open_run(folder / "sasrec")
    with pytest.raises(ValueError, match="users: the run stands apart from its project and has"):
        run.histories_of(["u3"])
    with pytest.raises(ValueError, match="texts: the run stands apart from its project and has"):
        run.recommend(SEEN, filters=Filters(category="upper", categories="shelf"))


def test_the_card_says_what_it_is_and_what_it_is_worth(folder: Path, shop: Path) -> None:
    card = (folder / "sasrec" / "README.md").read_text()
    assert "# sasrec\n\nA sequential recommender (`sasrec`), trained with mmrec on" in card
    run = open_run(folder / "sasrec")
    assert f"with {run.items.height} items, {run.items['is_cold'].sum()} of them cold" in card
    metrics = json.loads((shop / "data" / "runs" / "sasrec" / "metrics.json").read_text())
    row = next(line for line in card.splitlines() if line.startswith("| All users |"))
    recall = next(value for name, value in metrics["all"].items() if name.startswith("recall"))
    assert f"| {metrics['all']['num_users']} users | {recall:.4f} |" in row
    assert str(shop) not in card


def test_every_file_that_is_damaged_or_missing_is_named(folder: Path, tmp_path: Path) -> None:
    whole = sorted(path for path in (folder / "tfidf").rglob("*") if path.is_file())
    assert len(whole) >= 7
    for path in whole:
        own = tmp_path / "damaged"
        shutil.copytree(folder / "tfidf", own)
        broken = own / path.relative_to(folder / "tfidf")
        broken.chmod(0o644)
        broken.write_bytes(path.read_bytes() + b" x")
        with pytest.raises(DataError, match=rf"{broken}: damaged .*; export the run again"):
            open_run(own)
        broken.unlink()
        with pytest.raises(DataError, match=rf"{broken}: file not found; export the run again"):
            open_run(own)
        shutil.rmtree(own)


def test_a_folder_of_another_version_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "sasrec", tmp_path / "old")
    record = json.loads((tmp_path / "old" / RUN).read_text())
    del record["checksum"]
    (tmp_path / "old" / RUN).write_text(json.dumps(sealed({**record, "format": 7})))
    with pytest.raises(DataError, match=r"run\.json: format 7, this version reads 1; export the"):
        open_run(tmp_path / "old")


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(
    shop: Path, folder: Path, tmp_path: Path
) -> None:
    refused = {
        "itemknn": r"run 'itemknn': its model \(itemknn\) is counted anew from the sequences",
        "two": "'two' is an ensemble; export its parts, which are runs",
        "nobody": "run 'nobody': there is ",
    }
    for name, says in refused.items():
        with pytest.raises(ValueError, match=says):
            export_run(name, tmp_path / "new", project=shop)
    with pytest.raises(DataError, match="run 'untrained' is not trained"):
        export_run("untrained", tmp_path / "new", project=shop)
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="there: is there already; name a new folder, or take"):
        export_run("sasrec", tmp_path / "there", project=shop)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_the_terminal_exports_and_says_how_much(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop)
    parser = argparse.ArgumentParser(description=export.HELP)
    export.add_arguments(parser)
    export.run(parser.parse_args(["popularity", str(tmp_path / "popularity")]))
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'popularity'}: ")
    assert open_run(tmp_path / "popularity").name == "popularity"


def test_a_run_of_the_project_goes_before_a_folder_of_its_name(
    shop: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder / "popularity", tmp_path / "sasrec")
    shutil.copytree(folder / "popularity", tmp_path / "apart")
    monkeypatch.chdir(tmp_path)
    assert open_run("sasrec", project=shop).name == "sasrec"
    assert open_run("./sasrec", project=shop).name == "popularity"
    assert open_run("apart", project=shop).name == "popularity"
    with pytest.raises(ValueError, match="apart: new items are encoded by the extractors of the"):
        open_run("apart", project=shop, new_items="new.csv")
    with pytest.raises(DataError, match=r"nothing/run\.json: file not found; export the run again"):
        open_run(tmp_path / "nothing")
