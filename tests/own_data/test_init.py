"""`mmrec init`: what it takes columns for, what it writes, and what it cannot tell."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmrec.cli.main import main
from mmrec.io import read_json
from mmrec.own_data import names
from mmrec.params.file import load_params
from mmrec.params.sources import TabularSourceParams
from mmrec.paths import Paths
from stages import clean, crawl
from tests.own_data import tables


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the source, below the project that is worked in."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "sources" / "books"
    folder.mkdir(parents=True)
    return folder


def init(items: Path, log: Path, *more: str) -> Any:
    """Call it, and read what it wrote."""
    main(["init", "--items", str(items), "--interactions", str(log), *more])
    return load_params(Path("params.yaml"))


def source(params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    (dataset,) = params.datasets.values()
    assert isinstance(dataset.source, TabularSourceParams)
    assert dataset.source.interactions is not None
    assert dataset.source.items is not None
    return dataset.source.interactions.model_dump(), dataset.source.items.model_dump()


@pytest.mark.parametrize(("make", "log", "items"), tables.WANTED)
def test_columns_are_taken_for_what_they_are(
    folder: Path,
    make: Callable[[Path], tuple[Path, Path]],
    log: dict[str, Any],
    items: dict[str, Any],
) -> None:
    files = make(folder)
    more = ["--pictures", str(folder / "pictures")] if items["image_folder"] else []
    params = init(*files, *more)
    assert source(params) == (log, items)
    assert {*params.datasets} == {"books"}
    assert params.datasets["books"].files == "data/sources/books"
    pictures = bool(items["image_folder"] or items["image_files"])
    assert (params.datasets["books"].keywords.name == "open_clip") == pictures
    assert (params.recommend.run == "books-mp4sr") == pictures
    assert params.recommend.run in params.runs


def test_what_is_written_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = init(*tables.semicolons(folder))
    said = capsys.readouterr().out
    assert "time (s)          ts" in said
    assert "? image_urls: 'img' has addresses of pictures" in said
    assert "params.yaml: written; next `mmrec check params.yaml`" in said
    assert params.report.categories == ["bags", "hats", "shoes"]
    paths = Paths(Path())
    crawl.main(params, paths, "books")
    clean.main(params, paths, "books")
    kept = read_json(paths.dataset("books").clean_summary)["steps"][-1]
    assert kept["users"] == tables.NUM_USERS
    assert kept["interactions"] == len(tables.events())


def test_a_column_that_nearly_all_items_have_alike_is_no_text(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, log = tables.semicolons(folder)
    lines = items.read_text().splitlines()
    more = ["Shipping;Colour", *("Ships within two days;red hue" for _ in lines[1:])]
    more[1] = "Ships next week;red hue"
    for place in range(len(more) // 2, len(more)):
        more[place] = more[place].replace("red", "blue")
    items.write_text("\n".join(f"{line};{added}" for line, added in zip(lines, more, strict=True)))
    params = init(items, log)
    assert source(params)[1]["texts"] == ["Beschreibung", "category", "Colour"]
    assert params.datasets["books"].clean.text_fields[1:] == ["Beschreibung", "category", "Colour"]
    why = "98% of its values are 'Ships within two days'"
    assert f"Shipping: left out, {why}" in Path("params.yaml").read_text()
    assert re.search(rf"left out +Shipping +{why}", capsys.readouterr().out)


def test_a_file_that_is_there_is_replaced_only_if_that_is_asked_for(folder: Path) -> None:
    files = tables.tabs(folder)
    Path("params.yaml").write_text("mine\n")
    with pytest.raises(SystemExit, match=r"params\.yaml exists and would be lost.*--force"):
        init(*files)
    assert Path("params.yaml").read_text() == "mine\n"
    init(*files, "--force", "--name", "my shoes")
    assert {*load_params(Path("params.yaml")).datasets} == {"my-shoes"}


def test_what_cannot_be_told_is_said_with_the_line_to_change(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, log = folder / "items.csv", folder / "log.csv"
    items.write_text("number,words\n1,a pot\n2,a pan\n")
    log.write_text("a,b,c\nx,8,5\ny,9,5\n")
    init(items, log)
    said = capsys.readouterr().out
    written = Path("params.yaml").read_text().splitlines()
    asked = [line for line in said.splitlines() if line.startswith("! ")]
    assert [line.split(": ")[1] for line in asked] == ["user_id", "item_id", "item_id"]
    for line in asked:
        place, _, setting = line.removeprefix("! params.yaml, line ").partition(": ")
        assert written[int(place) - 1].strip().startswith(setting)
        assert setting.endswith("CHANGE_ME")
    assert "? item_id: no column of the log has values of a column of the catalogue" in said
    assert "? user_id: name the column of users; the log has a, b, c" in said
    assert "? timestamp: no column reads as times" in said
    assert "? title: name its column; the catalogue has number, words" in said
    assert "- users and items are not counted while columns are missing" in said


def test_numbers_of_users_and_grades_are_not_taken_for_those_of_items(folder: Path) -> None:
    items, log = folder / "movies.csv", folder / "ratings.csv"
    items.write_text("movieId,title\n" + "".join(f"{n},Film {n}\n" for n in range(1, 90)))
    # All users and grades are numbers of films; one of the films that are rated is missing.
    rows = [
        f"{1 + user},{item or 700},{grade},{int(time.timestamp())}\n"
        for user, item, time, grade in tables.events()
    ]
    log.write_text("userId,movieId,rating,timestamp\n" + "".join(rows))
    found, _ = source(init(items, log))
    assert found["user_id"] == "userId"
    assert found["item_id"] == "movieId"
    assert found["rating"] == "rating"
    assert found["timestamp"] == "timestamp"


def test_ids_that_are_written_in_two_ways_are_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, log = tables.tabs(folder)
    log.write_text(log.read_text().replace("\tB0", "\tb0"))
    init(items, log)
    said = capsys.readouterr().out
    assert "such as 'b0" in said
    assert "in lower case, 100% would match" in said


def test_short_histories_are_kept(folder: Path) -> None:
    items, log = tables.semicolons(folder)
    lines = log.read_text().splitlines()
    log.write_text("\n".join([lines[0], *lines[1::2]]))
    (dataset,) = init(items, log).datasets.values()
    assert dataset.clean.user_core == 3


def test_of_very_many_items_a_step_scores_a_sample(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrec.own_data.recipe._LARGE", tables.NUM_ITEMS)
    monkeypatch.setattr("mmrec.own_data.recipe._MOST_SCORES", tables.NUM_ITEMS)
    params = init(*tables.parquet(folder))
    trained = {name: model.finetune for name, model in params.models.items() if model.finetune}
    losses = {name: settings.loss.name for name, settings in trained.items()}
    assert losses == {"sasrec": "sampled", "mp4sr": "in_batch", "mp4sr-new": "in_batch"}
    assert params.models["sasrec"].finetune.validation_users == 2000
    assert not params.ensembles


def test_of_many_users_some_judge_an_epoch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mmrec.own_data.recipe._MANY", tables.NUM_USERS)
    params = init(*tables.parquet(folder))
    assert params.models["sasrec"].finetune.validation_users == 10_000
    assert params.models["sasrec"].finetune.loss.name == "full"
    assert "an epoch is judged by 10,000 users of 30" in capsys.readouterr().out


def test_where_most_items_are_rare_runs_rank_together(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = init(*tables.parquet(folder))
    assert [*params.ensembles] == ["books-together"]
    said = capsys.readouterr().out
    assert f"- 30 users, 40 items, {len(tables.events())} interactions" in said
    assert "items have fewer than 10 interactions: `books-together` ranks by" in said
    assert "fewer than 10 interactions: `books-together` ranks" in Path("params.yaml").read_text()


def test_without_pictures_text_ranks_with_ids_and_words(folder: Path) -> None:
    (ensemble,) = init(*tables.semicolons(folder)).ensembles.values()
    assert [part.run for part in ensemble.parts] == ["books-sasrec", "books-text", "books-tfidf"]


def test_where_items_are_well_known_no_runs_rank_together(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, log = tables.semicolons(folder)
    head, *lines = log.read_text().splitlines()
    others = [f"{copy}{line}" for copy in range(1, 4) for line in lines]
    log.write_text("\n".join([head, *lines, *others]))
    assert not init(items, log).ensembles
    assert "interactions: no runs rank together" in capsys.readouterr().out


def test_a_model_for_new_items_stays_where_there_are_some(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, log = tables.tabs(folder)
    pictures = ["--pictures", str(folder / "pictures")]
    assert "books-both" not in init(items, log, *pictures).runs
    assert "- 2% of the items have no interaction: no model is set" in capsys.readouterr().out
    more = "".join(f"\nC0{n:03}\tA new hat\t1" for n in range(10))
    items.write_text(items.read_text() + more)
    assert "books-both" in init(items, log, *pictures, "--force").runs
    assert "- 22% of the items have no interaction: `books-both`" in capsys.readouterr().out


def test_a_first_look_takes_minutes_in_place_of_the_published_settings(folder: Path) -> None:
    files = tables.tabs(folder)
    pictures = ["--pictures", str(folder / "pictures"), "--force"]
    published, quick = init(*files, *pictures), init(*files, *pictures, "--quick")
    assert {*published.runs} - {*quick.runs} == {"books-transitions", "books-meanvectors"}
    assert quick.runs.items() <= published.runs.items()
    for params, large in ((published, True), (quick, False)):
        text = params.embed.text["books-sentences"].extractor.model
        mp4sr = params.models["mp4sr"]
        assert text.startswith("package:") is not large
        assert (mp4sr.pretrain.epochs > 100) == (mp4sr.finetune.epochs > 100) == large
        assert (mp4sr.pretrain.batching == "prefix") == large
    without = init(*files, "--force", "--quick")
    assert {one.finetune.epochs for one in without.models.values() if one.finetune} == {10}


def test_rows_without_an_id_are_no_users_and_no_items(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, log = tables.tabs(folder)
    items.write_text(items.read_text() + "\n\tNothing\t5")
    log.write_text(log.read_text() + "\n\tB0001\t3.0\t2021-03-01T12:00:00")
    init(items, log, "--pictures", str(folder / "pictures"))
    assert f"30 of {tables.NUM_ITEMS} items have one" in capsys.readouterr().out
    assert f"{tables.NUM_USERS} of {tables.NUM_USERS} users" in Path("params.yaml").read_text()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"items\.csv: not found; check the path"),
        ("", r"items\.csv: the file is empty"),
        ("a,a\n1,2\n", r"items\.csv: column 'a' stands twice in the header"),
        ("a,b\n", r"items\.csv: found no rows below the names"),
        ("PK\x03\x04", r"items\.csv: expected a table, found an Excel workbook"),
    ],
)
def test_a_file_that_is_no_table_is_named(folder: Path, content: str | None, says: str) -> None:
    _, log = tables.tabs(folder)
    items = folder / "items.csv"
    if content is not None:
        items.write_text(content)
    with pytest.raises(SystemExit, match=says):
        init(items, log)
    assert not Path("params.yaml").exists()


def test_files_outside_the_project_are_refused_with_where_to_put_them(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    items, log = tables.tabs(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(SystemExit, match="mkdir -p data/sources/shop"):
        init(items, log)
    with pytest.raises(SystemExit, match="mkdir -p data/sources/toys"):
        init(items, log, "--name", "toys")
    Path("data/sources/toys").symlink_to(items.parent)
    linked = Path("data/sources/toys")
    params = init(linked / items.name, linked / log.name, "--pictures", str(linked / "pictures"))
    assert params.datasets["toys"].files == "data/sources/toys"
    assert source(params)[1]["image_folder"] == "pictures"


def test_names_are_compared_without_case_and_marks() -> None:
    assert doctest.testmod(names).attempted >= 2
    assert not doctest.testmod(names).failed
