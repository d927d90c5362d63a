"""docs/adding_a_model.md, followed to the letter in a copy of the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmrec.study.workspace import PROJECT, make_workspace
from tests.e2e.team import run

GUIDE = (PROJECT / "docs" / "adding_a_model.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def follow(folder: Path) -> list[str]:
    """Write the guide's files and make its changes; returns the Python files touched."""
    touched = []
    for text in blocks("python"):
        name = re.match(r"# (\S+)\n", text)
        assert name, text
        path = folder / name[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.partition("\n")[2])
        touched.append(name[1])
    for text in blocks("diff"):
        head, _, changes = text.partition("\n")
        path = folder / head.removeprefix("--- ")
        lines = changes.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] == " ")
        after = "".join(line[1:] for line in lines)
        found = path.read_text()
        assert found.count(before) == 1, f"{path} has not {before!r} once"
        path.write_text(found.replace(before, after))
        touched.append(head.removeprefix("--- "))
    return touched


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the guide's model."""
    params = (PROJECT / "params.yaml").read_text()
    models, runs = re.findall(r"^(?:models|runs):\n(.*\n)", blocks("yaml")[0], re.MULTILINE)
    for section, entry in (("models:\n", models), ("runs:\n", runs)):
        assert params.count(f"\n{section}") == 1
        params = params.replace(f"\n{section}", f"\n{section}{entry}")
    folder = make_workspace(tmp_path_factory.mktemp("adding"), params, {})
    assert len(follow(folder)) == 8
    return folder


def test_every_test_of_models_takes_the_new_one_and_passes(project: Path) -> None:
    output = run(project, "pytest", "tests/models", "-k", "markov")
    passed = re.search(r"(\d+) passed", output)
    assert passed
    assert int(passed[1]) > 20


def test_its_code_is_as_ours_has_to_be(project: Path) -> None:
    names = [re.match(r"# (\S+)\n", text)[1] for text in blocks("python")]  # type: ignore[index]
    run(project, "ruff", "check", *names)
    run(project, "ruff", "format", "--check", *names)


def test_its_settings_are_valid(project: Path) -> None:
    run(project, "mmrec.params")
