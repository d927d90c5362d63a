"""Two clones and a remote: what one has encoded, the other does not, with another catalogue too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mmrec.io import read_json
from mmrec.study.workspace import make_workspace
from tests.code.project_copy import edit
from tests.e2e.small_shop import ran, small_params, text_of
from tests.e2e.team import dvc, repro, run
from tests.features.cache.s3_server import s3_server
from tests.features.cache.teams import FolderTeam, S3Team, Team

TARGETS = ("embed_text@demo-sentences", "embed_image@demo-clip_image")


def params(max_sentences: int) -> Any:
    """Of a smaller shop, with a run and a model only because there have to be some."""
    data = small_params()
    for section, name in (("models", "popularity"), ("runs", "demo-popularity")):
        data[section] = {name: data[section][name]}
    data["pretrainings"] = {}
    data["recommend"]["run"] = "demo-popularity"
    data["report"]["maps"] = []
    data["datasets"]["demo"]["source"] |= {"num_items": 60, "num_users": 60}
    data["datasets"]["demo"]["clean"]["max_sentences"] = max_sentences
    clip = {"name": "open_clip_text", "model": "mmrec/demo/clip", "pretrained": None}
    for entry in data["embed"]["text"].values():
        entry["extractor"] = {**clip, "normalize": True}
    return data


def clone(folder: Path, max_sentences: int) -> Path:
    return make_workspace(folder, text_of(params(max_sentences)), {})


def encoded(output: str) -> list[int]:
    return [int(n.replace(",", "")) for n in re.findall(r"encoded ([\d,]+)", output)]


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = clone(tmp_path_factory.mktemp("team") / "alice", 2)
    first = encoded(repro(made, *TARGETS))
    assert len(first) == 2
    assert min(first) > 30
    return made


@pytest.fixture(scope="module", params=["folder", "s3"])
def team(request: pytest.FixtureRequest, alice: Path) -> Iterator[Team]:
    """Alice has shared what she ran, over one kind of remote and then over the other."""
    with ExitStack() as servers:
        made: Team
        if request.param == "folder":
            made = FolderTeam(alice.parent / "remote")
        else:
            made = S3Team(servers.enter_context(s3_server()), "project")
        made.join(alice)
        dvc(alice, "push", "--run-cache")
        assert "files pushed" in run(alice, "mmrec.features.cache", "push")
        yield made


def test_a_teammate_runs_nothing_that_was_shared(alice: Path, team: Team, tmp_path: Path) -> None:
    bob = clone(tmp_path / "bob", 2)
    team.join(bob)
    (bob / "dvc.lock").write_bytes((alice / "dvc.lock").read_bytes())
    assert ran(repro(bob, "--pull", "--allow-missing", *TARGETS)) == set()


def test_a_teammate_with_more_sentences_encodes_only_those(
    alice: Path, team: Team, tmp_path: Path
) -> None:
    carol = clone(tmp_path / "carol", 10)
    team.join(carol)
    num_pictures, num_sentences = sorted(encoded(repro(carol, *TARGETS)))
    feature = Path("data", "datasets", "demo", "features", "sentences.json")
    contents = [read_json(folder / feature)["contents"] for folder in (alice, carol)]
    assert num_pictures == 0
    assert num_sentences == contents[1] - contents[0] > 0


def test_a_comment_in_the_code_runs_nothing_else_and_a_change_encodes_nothing(
    alice: Path,
) -> None:
    edit(
        alice,
        "mmrec/features/encode/embed.py",
        ("def embed_sentences(", "# A comment.\n\n\ndef embed_sentences("),
    )
    assert ran(repro(alice, TARGETS[0])) == {"code"}
    edit(
        alice,
        "mmrec/features/encode/embed.py",
        ("def embed_sentences(", "print()\n\n\ndef embed_sentences("),
    )
    output = repro(alice, TARGETS[0])
    assert ran(output) == {"code", TARGETS[0]}
    assert encoded(output) == [0]
