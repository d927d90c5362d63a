"""`mmrec report --user`: what each run makes of a user, or one message why there is no page."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec.cli.main import main
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths, user_pages_of
from mmrec.report.__main__ import own_page
from tests.report.outline import Node, parse
from tests.report.projects import PARAMS, write_project
from tests.report.worlds import World

USER = "user <5>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def world(folder: Path) -> World:
    return write_project(folder)


@pytest.fixture(autouse=True)
def in_project(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world
    monkeypatch.chdir(folder)


def page_at(path: Path) -> Node:
    return parse(path.read_text(encoding="utf-8"))


def ids(node: Node) -> list[str]:
    return [code.text for code in node.find("code")]


def test_the_page_has_the_history_the_held_out_item_and_the_lists_of_all_runs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["report", "--user", USER])
    path = own_page(USER, Paths(Path()))
    assert capsys.readouterr().out == f"user {USER}: {path}\n"
    page = page_at(path)
    items = world.sequences["items"][5].as_py()
    history, held_out, lists = (
        page.find("section", ident=name)[0] for name in ("history", "held-out", "lists")
    )
    assert ids(history) == [world.item_ids[item - 1] for item in items[:-1]]
    assert ids(held_out) == [world.item_ids[items[-1] - 1]]
    (rank,) = [row["rank"] for row in world.ranks.to_pylist() if row["user_index"] == 5]
    ranks = [[cell.words for cell in row.children if cell.tag] for row in held_out.find("tr")[1:]]
    assert [row[:2] for row in ranks] == [
        [name, f"{rank * place:,}"] for place, name in enumerate(ranked_entries(PARAMS), start=1)
    ]
    columns = lists.find("article")
    assert [column.find("h3")[0].text for column in columns] == [*ranked_entries(PARAMS)]
    for place, column in enumerate(columns, start=1):
        expected = [(5 + place + step) % 36 + 1 for step in range(5)]
        assert ids(column) == [world.item_ids[item - 1] for item in expected]
        marked = [ids(card)[0] for card in column.find("li", css="target")]
        assert marked == [world.item_ids[item - 1] for item in expected if item == items[-1]]
    assert "on 5 lists" in columns[4].text
    assert page.find("script") == []


def test_named_runs_alone_are_shown_in_a_file_of_choice(tmp_path: Path) -> None:
    path = tmp_path / "new" / "user.html"
    names = ["demo-mp4sr", "demo-sasrec"]
    main(["report", "--user", USER, "--output", str(path), "--run", names[0], "--run", names[1]])
    page = page_at(path)
    assert [column.find("h3")[0].text for column in page.find("article")] == names
    first = path.read_bytes()
    main(["report", "--user", USER, "--output", str(path), "--run", names[0], "--run", names[1]])
    assert path.read_bytes() == first


def test_a_user_whom_nobody_evaluates_has_a_history_and_no_lists(tmp_path: Path) -> None:
    path = tmp_path / "user.html"
    main(["report", "--user", "user <0>", "--output", str(path)])
    page = page_at(path)
    assert len(ids(page.find("section", ident="history")[0])) == 2
    assert "Nothing is held out of this history" in page.text
    assert page.find("article") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--user", "user 5"], r"user: 'user 5' is not among the 20 users of 'demo'; did you mean"),
        (["--user", USER, "--run", "nope"], "run 'nope': there is demo-pop"),
        (["--run", "demo-sasrec"], "--run and --output are of the page of one user"),
        (["--output", "x.html"], "--run and --output are of the page of one user"),
        (["--user", USER, "--output", "params.yaml"], "--output params.yaml: expected a name that"),
    ],
)
def test_what_cannot_be_shown_is_one_message(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message) as left:
        main(["report", *arguments])
    assert "\n" not in str(left.value)


def test_a_run_that_is_not_evaluated_names_its_stage() -> None:
    Path("data/evaluated/demo-tfidf/ranks.parquet").unlink()
    with pytest.raises(SystemExit, match="`dvc repro evaluate@demo-tfidf`"):
        main(["report", "--user", USER])


def test_no_page_of_a_user_takes_the_place_of_another_ones(folder: Path) -> None:
    paths = Paths(folder)
    ids = ["u1", "a/b", "a_b", "a b", "x" * 101, "x" * 102, "用" * 100, "../../params"]
    pages = [own_page(one, paths) for one in ids]
    assert len({*pages}) == len(ids)
    assert pages[0].name == "user-u1.html"
    for page in pages:
        assert page.parent == user_pages_of(paths)
        assert len(page.name.encode()) < 200
