"""Killed at any moment, beside another writer: what was acknowledged is there, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from mmrec.features.cache.segments import segment_files
from tests.features.cache.worlds import FINGERPRINT, keys_of, open_store, vectors_of

ROUNDS = 24
SEGMENT = 20


def append_forever(root: Path, start: int, acknowledged: Connection) -> None:
    store = open_store(root)
    for begin in range(start, 1 << 30, SEGMENT):
        keys = keys_of(range(begin, begin + SEGMENT))
        store.append(keys, vectors_of(keys))
        acknowledged.send(begin)


def test_kill_at_any_moment_with_two_writers_loses_at_most_what_was_being_written(
    tmp_path: Path,
) -> None:
    context = multiprocessing.get_context("fork")
    rng = random.Random(0)
    promised: set[int] = set()
    for number in range(ROUNDS):
        writers = []
        for start in (number * 100_000, number * 100_000 + 50_000):
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=append_forever, args=(tmp_path, start, writer))
            process.start()
            writers.append((process, reader))
        assert writers[0][1].poll(20)
        time.sleep(rng.random() * 0.02)
        for process, reader in writers:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            while reader.poll():
                try:
                    promised.add(reader.recv())
                except EOFError:
                    break
    wanted = sorted(n for begin in promised for n in range(begin, begin + SEGMENT))
    keys = np.sort(keys_of(wanted))
    vectors = np.zeros((len(keys), FINGERPRINT.dim), np.float16)
    store = open_store(tmp_path)
    assert len(promised) >= ROUNDS
    assert store.fill(keys, vectors).all()
    assert (vectors == vectors_of(keys)).all()
    assert not (store.folder / "damaged").exists()
    # Beyond what was acknowledged there is at most the segment each writer was at.
    assert len(segment_files(store.segments_folder)) <= len(promised) + 2 * ROUNDS
