"""Feature stages killed, starved of disk and given damaged caches: they go on, and end the same."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from mmrec.features.cache.layout import VectorLayout
from mmrec.features.cache.maintenance import stores
from mmrec.features.cache.segments import read_segment, segment_files
from mmrec.features.cache.store import DESCRIPTION, FeatureStore
from mmrec.features.contract import Fingerprint
from mmrec.io import DataError, read_json
from tests.features import worlds
from tests.stages.killing import (
    LARGEST_SEGMENT,
    NUM_CONTENTS,
    ROOT,
    STAGES,
    Process,
    apart,
    outputs,
    start_the_server,
    write_project,
)

ROUNDS = int(os.environ.get("MMREC_TORTURE_ROUNDS", "5"))
"""Of each stage; two processes are killed in each, and there is a round for every mishap."""


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two clones with the same catalogue."""
    start_the_server()
    folder = tmp_path_factory.mktemp("killed")
    clip = worlds.write_tiny_clip(folder / "clip")
    return write_project(folder / "one", clip), write_project(folder / "two", clip)


def environment(cache: Path) -> dict[str, str]:
    own = {"MMREC_CACHE": str(cache), "MMREC_CACHE_REMOTE": "off", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **own, "MMREC_DEVICE": "cpu"}


def as_dvc_runs(stage: str) -> list[str]:
    return [sys.executable, "-m", f"stages.{stage}", STAGES[stage]]


@pytest.fixture(scope="module")
def undisturbed(
    projects: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """What each stage writes when nothing happens to it; one of them as DVC runs it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(
        as_dvc_runs("embed_image"),
        cwd=projects[0],
        env=environment(folder / "embed_image"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"encoded {NUM_CONTENTS}" in done.stderr
    for stage in ("embed_text", "keywords"):
        process = Process(projects[0], stage, folder / "log").start(folder / stage)
        assert process.wait() == 0
        assert process.said("summary") == [str(NUM_CONTENTS)]
    return {stage: outputs(projects[0], stage) for stage in STAGES}


def fingerprints(cache: Path) -> dict[str, Fingerprint]:
    described = {folder.name: read_json(folder / DESCRIPTION) for folder in stores(cache)}
    return {name: Fingerprint(**found["fingerprint"]) for name, found in described.items()}


def held(cache: Path, known: dict[str, Fingerprint]) -> set[bytes]:
    """Keys of all segments of a cache that are whole and what they should be."""
    found: set[bytes] = set()
    for name, fingerprint in known.items():
        layout = VectorLayout(fingerprint.dim, fingerprint.precision)
        for path in segment_files(cache / name / "segments"):
            with suppress(DataError):
                keys, _ = read_segment(path, fingerprint.to_json().encode(), layout)
                found |= apart(keys.tobytes())
    return found


def truncate_one(folder: Path, kept: Fingerprint, rng: random.Random) -> None:
    path = rng.choice(segment_files(folder / "segments"))
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def add_a_text(folder: Path, kept: Fingerprint, rng: random.Random) -> None:
    (folder / "segments" / f"notes-{rng.random()}.parquet").write_text("not a segment")


def replace_one_by_another_models(folder: Path, kept: Fingerprint, rng: random.Random) -> None:
    """Same contents, same name, other vectors."""
    path = rng.choice(segment_files(folder / "segments"))
    other = FeatureStore(folder.parent, Fingerprint(**{**asdict(kept), "weights": "others"}), {})
    layout = VectorLayout(kept.dim, kept.precision)
    try:
        keys, vectors = read_segment(path, kept.to_json().encode(), layout)
    except DataError:
        return  # an earlier mishap's, which nobody has come upon yet
    other.append(keys, vectors + np.array(1, vectors.dtype))
    (made,) = segment_files(other.segments_folder)
    made.replace(path)
    shutil.rmtree(other.folder)


def spoil_the_description(folder: Path, kept: Fingerprint, rng: random.Random) -> None:
    (folder / DESCRIPTION).write_text(rng.choice(["", "{}", "[1]", '{"fingerprint": ']))


def do_nothing(folder: Path, kept: Fingerprint, rng: random.Random) -> None:
    pass


MISHAPS: list[Callable[[Path, Fingerprint, random.Random], None]] = [
    do_nothing,
    truncate_one,
    add_a_text,
    replace_one_by_another_models,
    spoil_the_description,
]


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_moment_two_at_once_on_damaged_caches_a_stage_goes_on_and_ends_the_same(
    stage: str,
    projects: tuple[Path, Path],
    undisturbed: dict[str, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    rng = random.Random(stage)
    clones = [Process(project, stage, tmp_path / project.name) for project in projects]
    assert clones[0].start(tmp_path / "first").wait() == 0
    known = fingerprints(tmp_path / "first")
    # A store of few words lies beside that of the pictures, and no summary counts it.
    large = {n: f for n, f in known.items() if len(held(tmp_path / "first", {n: f})) > 100}
    mishaps = cycle(rng.sample(MISHAPS, len(MISHAPS)))
    cache = tmp_path / "cache-0"
    num_killed = num_caches = 0
    for _ in range(ROUNDS):
        before = held(cache, known)
        for clone in clones:
            clone.start(cache)
        # Encoding a segment is a step and keeping it another; often, these are the last ones.
        num_left = -(-(NUM_CONTENTS - len(held(cache, large))) // LARGEST_SEGMENT)
        clones[0].wait_for(rng.randrange(2 * num_left + 2))
        for clone in clones:
            time.sleep(rng.random() * 0.05)
            clone.process.kill()
        codes = [clone.wait() for clone in clones]
        num_killed += codes.count(-signal.SIGKILL)
        assert set(codes) <= {0, -signal.SIGKILL}
        for clone, code in zip(clones, codes, strict=True):
            # At most one segment was for nothing, and what was said to be safe is.
            assert 0 <= clone.num_encoded - len(clone.kept) <= LARGEST_SEGMENT
            assert clone.kept <= held(cache, known)
            assert not clone.kept & before
            if code == 0:
                assert outputs(clone.project, stage) == undisturbed[stage]
        if len(held(cache, large)) == NUM_CONTENTS:
            num_caches += 1
            cache = tmp_path / f"cache-{num_caches}"
        for name, fingerprint in known.items():
            if segment_files(cache / name / "segments"):
                next(mishaps)(cache / name, fingerprint, rng)
    # Some ended before their time came.
    assert num_killed >= ROUNDS // 2
    expected = NUM_CONTENTS - len(held(cache, large))
    for clone, num_encoded in zip(clones, [expected, 0], strict=True):
        assert clone.start(cache).wait() == 0
        assert clone.said("summary") == [str(num_encoded)]
        assert outputs(clone.project, stage) == undisturbed[stage]


@pytest.mark.parametrize("largest_file", [1_000, 8_000], ids=["segment", "feature"])
def test_a_file_that_cannot_be_written_to_its_end_is_not_there_and_the_next_run_goes_on(
    largest_file: int,
    projects: tuple[Path, Path],
    undisturbed: dict[str, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    process = Process(projects[0], "embed_image", tmp_path / "log")
    cache = tmp_path / "cache"
    assert process.start(cache, largest_file=largest_file).wait() == 1
    num_kept = len(process.kept)
    assert num_kept == (0 if largest_file == 1_000 else NUM_CONTENTS)
    assert outputs(projects[0], "embed_image") == {}
    assert not list(cache.rglob(".*.tmp"))
    assert process.start(cache).wait() == 0
    assert process.said("summary") == [str(NUM_CONTENTS - num_kept)]
    assert outputs(projects[0], "embed_image") == undisturbed["embed_image"]


def test_a_full_disk_ends_the_stage_in_words_and_the_next_run_goes_on(
    projects: tuple[Path, Path], undisturbed: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    """A disk of its own, which only this process sees."""
    disk = tmp_path / "disk"
    disk.mkdir()
    own_disk = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
    mount = f"mount -t tmpfs -o size=64k tmpfs {disk}"
    try:
        subprocess.run([*own_disk, mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"disks cannot be mounted here: {error}")
    fill = f"{mount}; head -c 52k /dev/zero > {disk}/other"
    stage = shlex.join(as_dvc_runs("embed_image"))
    process = Process(projects[0], "embed_image", tmp_path / "log")
    process.clear()
    done = subprocess.run(
        [*own_disk, f"{fill}; ! {stage}; cp -r {disk}/cache {tmp_path}/kept"],
        cwd=projects[0],
        env=environment(disk / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"error: \S+/disk/cache/\S+: cannot be written \(No space left on device", done.stderr
    )
    assert "Traceback" not in done.stderr
    assert outputs(projects[0], "embed_image") == {}
    assert not list((tmp_path / "kept").rglob(".*.tmp"))
    assert process.start(tmp_path / "kept").wait() == 0
    assert process.said("summary") == [str(NUM_CONTENTS)]
    assert outputs(projects[0], "embed_image") == undisturbed["embed_image"]
