"""Decoding in other processes."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process

import pytest

from mmrec.data.crawler.decoding import Decoder
from tests.data.raw_world import jpeg


async def _faults(contents: list[bytes], module: str) -> list[str]:
    async with Decoder(2, module) as decoder:
        return await asyncio.gather(*map(decoder.fault, contents))


def test_a_picture_that_kills_or_hangs_its_decoder_costs_one_picture() -> None:
    contents = [str(n).encode() for n in range(60)]
    contents[5] = contents[6] = contents[31] = b"crash"
    contents[40] = b"hang"
    found = asyncio.run(_faults(contents, "tests.data.crawler.faults"))
    assert {n: reason for n, reason in enumerate(found) if reason} == dict.fromkeys(
        (5, 6, 31, 40), "decoder_crashed"
    )


def test_a_decoder_that_does_not_start_is_no_fault_of_the_pictures() -> None:
    with pytest.raises(RuntimeError, match=r"python -m tests\.data\.no_such does not start"):
        asyncio.run(_faults([jpeg()], "tests.data.no_such"))


def test_every_process_is_seen_to_its_end_whatever_the_others_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    communicate = Process.communicate
    begun, ended = [], []

    async def slowly(process: Process) -> None:
        begun.append(process)
        # So that it still ends when the other's failure ends the decoder.
        await asyncio.sleep(0.3)
        await communicate(process)
        ended.append(process)

    monkeypatch.setattr(Process, "communicate", slowly)
    with pytest.raises(RuntimeError, match="does not start"):
        asyncio.run(_faults([jpeg()], "tests.data.no_such"))
    assert len(begun) == len(ended) == 2
