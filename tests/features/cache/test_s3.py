"""What is special about S3: rights, servers that go away, uploads that end half-way."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmrec.features.cache.place import open_cache
from tests.features.cache.s3_server import BUCKET, User
from tests.features.cache.teams import S3Team, command, encode, known, make_project, push, store


@pytest.fixture
def alice(s3_team: S3Team, tmp_path: Path) -> Path:
    return make_project(tmp_path / "alice", s3_team.join)


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that accepts connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_who_may_read_gets_vectors_and_is_told_what_pushing_lacks(
    s3_team: S3Team, alice: Path, tmp_path: Path
) -> None:
    encode(open_cache(alice), range(9))
    push(open_cache(alice))
    reader = make_project(tmp_path / "reader")
    s3_team.join(reader, s3_team.server.reader)
    assert known(open_cache(reader), range(9)) == 9
    encode(open_cache(reader), range(9, 12))
    before = s3_team.objects()
    done = command(reader, "push")
    assert done.returncode == 1
    assert f"error: {BUCKET}/{s3_team.folder}/mmrec-features/fake-" in done.stderr
    assert "could not be written (PermissionError: Access Denied)" in done.stderr
    assert "dvc remote modify --local" in done.stderr
    assert "Traceback" not in done.stderr
    assert s3_team.objects() == before


def test_wrong_credentials_are_refused_by_name_and_cost_a_run_nothing(
    s3_team: S3Team, alice: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encode(open_cache(alice), range(9))
    push(open_cache(alice))
    s3_team.join(alice, User(s3_team.server.writer.key, "wrong"))
    assert "signature" in command(alice, "push").stderr
    assert "signature" in command(alice, "pull").stderr
    with caplog.at_level(logging.WARNING):
        assert known(open_cache(alice), range(20)) == 9
    assert "going on without it" in caplog.text


def test_a_server_that_says_nothing_is_left_after_a_while_and_not_asked_again(
    s3_team: S3Team,
    alice: Path,
    silent_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmrec.features.cache.remote_files._LONGEST_SILENCE_S", 0.5)
    s3_team.join(alice, url=silent_url)
    cache = open_cache(alice)
    encode(cache, range(9))
    started = time.perf_counter()
    assert known(cache, range(20)) == known(cache, range(30)) == 9
    assert 0.5 < time.perf_counter() - started < 30
    assert caplog.text.count("no answer for 0.5 s (TimeoutError); going on without it") == 1


def test_a_process_ends_without_the_calls_it_has_given_up(
    s3_team: S3Team, alice: Path, silent_url: str
) -> None:
    s3_team.join(alice, url=silent_url)
    script = (
        "import numpy as np; from pathlib import Path\n"
        "from mmrec.features.cache import remote_files; remote_files._LONGEST_SILENCE_S = 0.3\n"
        "from mmrec.features.cache.place import open_cache\n"
        "cache = open_cache(Path())\n"
        "print(cache.remote.fetch('x', np.array([b'k' * 16], 'S16'), Path('none')))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=alice,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=25,
    )
    assert done.stdout == "0\n"


def test_a_push_that_is_killed_leaves_whole_segments_only_and_the_next_one_completes_it(
    s3_team: S3Team, alice: Path, tmp_path: Path
) -> None:
    ranges = [range(start, start + 2_000) for start in range(0, 60_000, 2_000)]
    encode(open_cache(alice), *ranges)
    reached = 0
    for round_number in range(2):
        pushing = subprocess.Popen(
            [sys.executable, "-m", "mmrec.features.cache", "push"],
            cwd=alice,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.DEVNULL,
        )
        # Now after a segment, now after its keys.
        while len(s3_team.objects()) < reached + 4 + round_number and pushing.poll() is None:
            time.sleep(0.002)
        os.kill(pushing.pid, signal.SIGKILL)
        assert pushing.wait() == -signal.SIGKILL
        reached = len(s3_team.objects())
    bob = make_project(tmp_path / "bob", s3_team.join)
    shared = known(open_cache(bob), range(60_000))
    assert 0 < shared < 60_000
    assert shared % 2_000 == 0
    assert not (store(open_cache(bob)).folder / "damaged").exists()
    assert push(open_cache(alice)) == (60_000 - shared) // 2_000
    assert known(open_cache(bob), range(60_000)) == 60_000


def test_an_upload_that_was_not_completed_cannot_be_seen(
    s3_team: S3Team, alice: Path, tmp_path: Path
) -> None:
    cache = open_cache(alice)
    encode(cache, range(9))
    push(cache)
    key = next(key for key in s3_team.objects() if key.endswith(".keys"))
    half = key.replace(Path(key).stem, "half.parquet")
    client = s3_team.server.client()
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=half)["UploadId"]
    client.upload_part(Bucket=BUCKET, Key=half, UploadId=upload, PartNumber=1, Body=b"k" * 32)
    remote = open_cache(alice).remote
    assert remote is not None
    name = store(cache).name
    (tmp_path / "pulled" / "segments").mkdir(parents=True)
    remote.describe(name, tmp_path / "pulled" / "fingerprint.json")
    assert remote.pull(name, tmp_path / "pulled" / "segments") == 1
