"""Space of pictures that no link ends with any more: given back, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mmrec.data.crawler.store import DownloadStore, LinkState

LIVE = {str(n): bytes([n]) * 1000 for n in range(10)}
NEW = {str(n): bytes([100 + n]) * 1100 for n in range(6)}
"""Longer than what they replace."""


def fill(folder: Path, pictures: dict[str, bytes]) -> None:
    with DownloadStore(folder) as store:
        for url, data in pictures.items():
            store.put(url, LinkState("1", "", 1, store.add_picture(data)))


def read(folder: Path) -> dict[str, bytes]:
    with DownloadStore(folder) as store:
        states = {url: store.find(url) for url in LIVE}
        keys = {url: state.content_key for url, state in states.items() if state is not None}
        return {url: store.read(key) for url, key in keys.items() if key is not None}


def bytes_on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("pictures*"))


@pytest.fixture
def wasteful(tmp_path: Path) -> Path:
    """More dead bytes than live ones: six pictures replaced, four gone."""
    fill(tmp_path, LIVE)
    fill(tmp_path, NEW)
    with DownloadStore(tmp_path) as store:
        for url in list(LIVE)[6:]:
            store.put(url, LinkState("2", "http_404", 1))
    return tmp_path


def test_what_links_end_with_is_all_that_stays(wasteful: Path) -> None:
    assert bytes_on_disk(wasteful) == 10_000 + 6_600
    assert read(wasteful) == NEW
    assert bytes_on_disk(wasteful) == 6_600


def test_a_compacted_store_goes_on(wasteful: Path) -> None:
    read(wasteful)
    fill(wasteful, LIVE)
    assert read(wasteful) == LIVE
    fill(wasteful, {url: data + b"!" for url, data in LIVE.items()})
    assert read(wasteful) == {url: data + b"!" for url, data in LIVE.items()}
    assert bytes_on_disk(wasteful) == 10_010


def test_a_store_with_more_live_bytes_than_dead_ones_stays_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path, LIVE)
    fill(tmp_path, {url: LIVE[url][:10] for url in list(LIVE)[:5]})
    file = tmp_path / "pictures.bin"
    before = file.stat().st_mtime_ns
    read(tmp_path)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (10_050, before)


def test_a_picture_of_two_links_stays_as_long_as_one_of_them(tmp_path: Path) -> None:
    fill(tmp_path, {"0": b"same", "1": b"same", "2": bytes(1000)})
    with DownloadStore(tmp_path) as store:
        for url in ("0", "2"):
            store.put(url, LinkState("2", "http_404", 1))
    assert read(tmp_path) == {"1": b"same"}
    assert bytes_on_disk(tmp_path) == 4


KILLED = """
import os, signal, sys
from pathlib import Path
from mmrec.data.crawler.store import DownloadStore

calls = int(sys.argv[3])

def kill(*arguments, **named):
    global calls
    calls -= 1
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)

place, name = {"fsync": (os, "fsync"), "unlink": (Path, "unlink")}[sys.argv[2]]
real = getattr(place, name)
setattr(place, name, kill)
DownloadStore(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("call", "number"), [("fsync", 1), ("fsync", 2), ("unlink", 1)])
def test_a_kill_while_compacting_loses_nothing(wasteful: Path, call: str, number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(wasteful), call, str(number)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    # Both files are there: the one that holds, and one too many.
    assert len(list(wasteful.glob("pictures*.bin"))) == 2
    assert read(wasteful) == NEW
    assert bytes_on_disk(wasteful) == 6_600


def test_a_full_disk_leaves_the_store_as_it_is(
    wasteful: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        store = DownloadStore(wasteful)
    store.__exit__(None, None, None)
    assert "not compacted ([Errno 28] No space left on device)" in caplog.text
    assert bytes_on_disk(wasteful) == 10_000 + 6_600
    assert read(wasteful) == NEW


def test_a_store_of_the_format_before_is_read(tmp_path: Path) -> None:
    fill(tmp_path, LIVE)
    with sqlite3.connect(tmp_path / "links.sqlite") as table:
        table.execute("DROP TABLE compactions")
        table.execute("PRAGMA user_version = 1")
    assert read(tmp_path) == LIVE


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: bytes, start: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with DownloadStore(tmp_path) as store, pytest.raises(OSError, match=r"No space.*pictures\.bin"):
        store.add_picture(b"a picture")
