"""Segments on a DVC remote: a teammate's clone finds them without asking."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mmrec.features.cache.maintenance import compact
from mmrec.features.cache.place import FeatureCache, open_cache
from mmrec.features.cache.remote_files import RemoteError
from mmrec.features.cache.segments import segment_files
from tests.features.cache.teams import (
    FolderTeam,
    Team,
    command,
    dvc,
    encode,
    known,
    make_project,
    push,
    store,
)


@pytest.fixture
def folder_team(tmp_path: Path) -> FolderTeam:
    return FolderTeam(tmp_path / "remote")


def test_the_cache_lies_in_dvcs_cache_folder(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    assert open_cache(project).root == project / ".dvc" / "cache" / "mmrec-features"
    dvc(project, "cache", "dir", "--local", "../shared")
    assert open_cache(project).root == tmp_path / "shared" / "mmrec-features"


def test_a_teammate_fetches_the_segments_that_are_asked_for_and_no_others(
    team: Team, tmp_path: Path
) -> None:
    alice, bob = (make_project(tmp_path / name, team.join) for name in ("alice", "bob"))
    encode(open_cache(alice), range(50), range(50, 80))
    assert known(open_cache(bob), range(80)) == 0
    done = command(alice, "push")
    assert "2 files pushed" in done.stdout, done.stderr
    assert "0 files pushed" in command(alice, "push").stdout
    assert known(open_cache(bob), range(40, 45)) == 5
    assert len(list(store(open_cache(bob)).segments_folder.glob("*.parquet"))) == 1
    assert known(open_cache(bob), range(100)) == 80


def test_what_is_on_the_remote_twice_is_fetched_once(
    folder_team: FolderTeam, tmp_path: Path
) -> None:
    alice, bob = (make_project(tmp_path / name, folder_team.join) for name in ("alice", "bob"))
    cache = open_cache(alice)
    encode(cache, range(9), range(9, 20))
    push(cache)
    compact(store(cache).folder)
    push(cache)
    assert known(open_cache(bob), range(20)) == 20
    fetched = segment_files(store(open_cache(bob)).segments_folder)
    assert len(fetched) < 3  # in order of names: two, or one and the joined one, or that alone


def test_a_segment_that_is_gone_is_made_up_for_by_another_with_its_contents(
    folder_team: FolderTeam, tmp_path: Path
) -> None:
    alice, bob = (make_project(tmp_path / name, folder_team.join) for name in ("alice", "bob"))
    cache = open_cache(alice)
    for numbers in (range(9), range(10), range(11)):
        encode(cache, numbers)
    push(cache)
    first = segment_files(store(cache).segments_folder)[0]
    folder_team.delete(first.name)
    assert known(open_cache(bob), range(9)) == 9


def test_pull_brings_everything(team: Team, tmp_path: Path) -> None:
    alice, bob = (make_project(tmp_path / name, team.join) for name in ("alice", "bob"))
    encode(open_cache(alice), range(9))
    command(alice, "push")
    assert "1 files pulled" in command(bob, "pull").stdout
    cache = open_cache(bob)
    assert known(FeatureCache(cache.root, None), range(9)) == 9
    assert "9 vectors in 1 files" in command(bob, "stats").stdout


def test_a_segment_that_somebody_deleted_on_the_remote_is_encoded_again(
    team: Team, tmp_path: Path
) -> None:
    alice, bob = (make_project(tmp_path / name, team.join) for name in ("alice", "bob"))
    cache = open_cache(alice)
    encode(cache, range(9), range(9, 20))
    push(cache)
    team.delete(sorted(path.name for path in store(cache).segments_folder.iterdir())[0])
    assert known(open_cache(bob), range(20)) in (9, 11)


def test_the_second_level_can_be_switched_off(
    folder_team: FolderTeam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = (make_project(tmp_path / name, folder_team.join) for name in ("alice", "bob"))
    encode(open_cache(alice), range(9))
    push(open_cache(alice))
    monkeypatch.setenv("MMREC_CACHE_REMOTE", "off")
    assert known(open_cache(bob), range(9)) == 0
    monkeypatch.setenv("MMREC_CACHE_REMOTE", "maybe")
    with pytest.raises(ValueError, match="MMREC_CACHE_REMOTE: found 'maybe', allowed: on, off"):
        open_cache(bob)


def test_without_a_project_a_folder_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"no DVC project.*MMREC_CACHE"):
        open_cache(tmp_path)
    monkeypatch.setenv("MMREC_CACHE", str(tmp_path / "here"))
    assert open_cache(tmp_path) == FeatureCache(tmp_path / "here", None)


def test_push_without_a_remote_says_how_to_add_one(tmp_path: Path) -> None:
    done = command(make_project(tmp_path / "alone"), "push")
    assert done.returncode == 1
    assert "dvc remote add --default" in done.stderr


def test_a_remote_whose_package_is_not_installed_is_named_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project(tmp_path / "project")
    dvc(project, "remote", "add", "--default", "elsewhere", "gs://bucket/path")
    assert open_cache(project).remote is None
    assert "requires 'dvc-gs' to be installed" in caplog.text


def test_what_is_damaged_or_foreign_is_not_pushed(folder_team: FolderTeam, tmp_path: Path) -> None:
    alice = make_project(tmp_path / "alice", folder_team.join)
    cache = open_cache(alice)
    encode(cache, range(9), range(9, 20))
    truncated, whole = store(cache).segments_folder.glob("*.parquet")
    truncated.write_bytes(truncated.read_bytes()[:-200])
    truncated.with_name("notes.parquet").write_text("not a segment")
    assert cache.remote is not None
    assert cache.remote.push(truncated.parents[1]) == 1
    assert [path.name for path in folder_team.folder.rglob("*.parquet")] == [whole.name]


def test_a_wrong_remote_in_dvcs_configuration_is_said_in_words(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    with (project / ".dvc" / "config").open("a") as file:
        file.write("[core]\n    remote = nowhere\n")
    with pytest.raises(ValueError, match="nowhere"):
        open_cache(project)
    (project / ".dvc" / "config").write_text("[core\n")
    with pytest.raises(ValueError, match="config"):
        open_cache(project)


def test_a_remote_that_takes_nothing_is_not_waited_for_for_ever(
    folder_team: FolderTeam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(make_project(tmp_path / "alice", folder_team.join))
    encode(cache, range(9))
    released = threading.Event()
    assert cache.remote is not None
    monkeypatch.setattr(type(cache.remote.files._fs), "put_file", lambda *_, **__: released.wait(5))
    monkeypatch.setattr("mmrec.features.cache.remote_files._LONGEST_SILENT_UPLOAD_S", 0.1)
    try:
        with pytest.raises(RemoteError, match=r"could not be written .*no answer for 0\.1 s"):
            push(cache)
    finally:
        released.set()
