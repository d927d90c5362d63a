"""A file that is damaged on the remote: told, never taken, and put right by the next push."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from mmrec.features.cache.maintenance import compact
from mmrec.features.cache.place import FeatureCache, open_cache
from mmrec.features.cache.segments import segment_files
from tests.features.cache.teams import (
    FolderTeam,
    command,
    encode,
    known,
    make_project,
    push,
    store,
)
from tests.features.cache.worlds import keys_of, vectors_of


@pytest.fixture
def team(tmp_path: Path) -> FolderTeam:
    return FolderTeam(tmp_path / "remote")


@pytest.fixture
def alice(team: FolderTeam, tmp_path: Path) -> FeatureCache:
    """Has pushed the contents 0…8."""
    cache = open_cache(make_project(tmp_path / "alice", team.join))
    encode(cache, range(9))
    push(cache)
    return cache


@pytest.fixture
def bob(team: FolderTeam, tmp_path: Path) -> FeatureCache:
    return open_cache(make_project(tmp_path / "bob", team.join))


def carol(team: FolderTeam, tmp_path: Path) -> FeatureCache:
    return open_cache(make_project(tmp_path / "carol", team.join))


def on_remote(team: FolderTeam, suffix: str = ".parquet") -> Path:
    (path,) = team.folder.rglob(f"*{suffix}")
    return path


def flip(path: Path) -> None:
    """Damage that leaves the size as it is."""
    data = bytearray(path.read_bytes())
    needle = (vectors_of(keys_of([7])) if path.suffix == ".parquet" else keys_of([7])).tobytes()
    data[data.index(needle) + 3] ^= 1
    path.write_bytes(bytes(data))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("damage", [flip, truncate])
def test_a_damaged_segment_is_told_and_the_next_push_replaces_it_for_everybody(
    damage, team: FolderTeam, alice, bob, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = on_remote(team).read_bytes()
    damage(on_remote(team))
    with caplog.at_level(logging.WARNING):
        assert known(bob, range(9)) == 0
    assert str(on_remote(team)) in caplog.text
    assert "`python -m mmrec.features.cache push` after that run" in caplog.text
    assert not segment_files(store(bob).segments_folder)
    assert known(bob, range(9)) == 0
    encode(bob, range(9))
    assert push(bob) == 1
    assert push(bob) == 0
    assert len(on_remote(team).read_bytes()) == len(sound)
    assert known(carol(team, tmp_path), range(9)) == 9
    assert alice is not None


def test_what_was_encoded_again_in_other_segments_mends_it_too(
    team: FolderTeam, alice, bob, tmp_path: Path
) -> None:
    name = on_remote(team).name
    flip(on_remote(team))
    assert known(bob, range(9)) == 0
    encode(bob, range(4), range(4, 12))
    compact(store(bob).folder)
    assert push(bob) == 2
    assert name in {path.name for path in team.folder.rglob("*.parquet")}
    assert known(carol(team, tmp_path), range(12)) == 12
    assert known(alice, range(9)) == 9


def test_what_only_a_part_is_known_of_stays_and_is_told(
    team: FolderTeam, alice, bob, tmp_path: Path
) -> None:
    flip(on_remote(team))
    before = on_remote(team).read_bytes()
    assert known(bob, range(9)) == 0
    encode(bob, range(4))
    done = command(tmp_path / "bob", "push")
    assert "1 files pushed" in done.stdout
    assert "still damaged, as not all of its contents are in this cache" in done.stderr
    assert before in [path.read_bytes() for path in team.folder.rglob("*.parquet")]
    # Who has them notices by the size alone, without having met it.
    assert known(alice, range(9)) == 9


def test_who_has_the_contents_replaces_a_truncated_file_without_having_met_it(
    team: FolderTeam, alice, bob
) -> None:
    truncate(on_remote(team))
    assert push(alice) == 1
    assert known(bob, range(9)) == 9
    assert push(alice) == 0


def test_a_push_replaces_no_sound_file(team: FolderTeam, alice, bob) -> None:
    damaged = on_remote(team)
    sound = damaged.read_bytes()
    flip(damaged)
    assert known(bob, range(9)) == 0
    # Somebody else has mended it meanwhile, and what is here is damaged.
    damaged.write_bytes(sound)
    encode(bob, range(9))
    (here,) = segment_files(store(bob).segments_folder)
    truncate(here)
    assert push(bob) == 0
    assert damaged.read_bytes() == sound
    assert push(alice) == 0


def test_a_damaged_local_segment_goes_over_no_damaged_one_either(
    team: FolderTeam, alice, bob, caplog: pytest.LogCaptureFixture
) -> None:
    flip(on_remote(team))
    before = on_remote(team).read_bytes()
    assert known(bob, range(9)) == 0
    encode(bob, range(9))
    truncate(segment_files(store(bob).segments_folder)[0])
    assert push(bob) == 0
    assert on_remote(team).read_bytes() == before
    assert "still damaged" in caplog.text
    assert alice is not None


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(b"some")])
def test_damaged_keys_are_told_and_replaced(
    damage, team: FolderTeam, alice, bob, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = on_remote(team, ".keys")
    sound = keys.read_bytes()
    damage(keys)
    assert known(bob, range(9)) == 0
    assert f"{keys}: damaged" in caplog.text
    encode(bob, range(9))
    assert push(bob) == 1
    assert keys.read_bytes() == sound
    assert known(carol(team, tmp_path), range(9)) == 9
    assert alice is not None


@pytest.mark.parametrize("suffix", [".parquet", ".keys"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_no_file_on_the_remote_is_told_never_opened_and_replaced(
    kind: str,
    suffix: str,
    team: FolderTeam,
    alice,
    bob,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = on_remote(team, suffix)
    aside = path.rename(tmp_path / "aside")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(aside)
    assert known(bob, range(9)) == 0
    assert str(path) in caplog.text
    encode(bob, range(9))
    assert push(bob) == 1
    assert path.is_file()
    assert not path.is_symlink()
    assert known(carol(team, tmp_path), range(9)) == 9
    assert alice is not None


def test_pull_tells_what_is_damaged_and_brings_the_rest(
    team: FolderTeam, alice, tmp_path: Path
) -> None:
    damaged = on_remote(team)
    encode(alice, range(9, 20))
    push(alice)
    flip(damaged)
    make_project(tmp_path / "bob", team.join)
    done = command(tmp_path / "bob", "pull")
    assert "1 files pulled" in done.stdout, done.stderr
    assert str(damaged) in done.stderr
