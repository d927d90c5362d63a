"""Serves distinct pictures with a latency: `python -m benchmarks.picture_server <how many>`.

Prints its address and serves until its input ends. It takes its processor time from the same
cores as those who are measured, so it does nothing but what HTTP/1.1 needs of it; `/seconds`
answers how much of that time it took so far.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time

import numpy as np
from PIL import Image

LATENCY_S = 0.020
_NUM_DRAWINGS = 64


def drawings() -> list[bytes]:
    """JPEGs of 256 x 256 pixels, some 22 kB each."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(_NUM_DRAWINGS):
        coarse = Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((256, 256)).save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files


class Connection(asyncio.Protocol):
    """Answers GET requests for `/0.jpg` and so on, one after another.

    Args:
        files: what is served; the picture's number after a JPEG's end makes another file of it.
        num_pictures: how many there are.
    """

    def __init__(self, files: list[bytes], num_pictures: int) -> None:
        self._files = files
        self._num_pictures = num_pictures
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer, after the latency, as soon as the request's head is complete."""
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            head, self._received = self._received, b""
            asyncio.get_running_loop().call_later(LATENCY_S, self._answer, head)

    def _answer(self, head: bytes) -> None:
        name, _, ending = head.split(b" ", 2)[1].lstrip(b"/").partition(b".")
        if name == b"seconds":
            status, body = b"200 OK", str(time.process_time()).encode()
        elif ending == b"jpg" and int(name) < self._num_pictures:
            status, body = b"200 OK", self._files[int(name) % len(self._files)] + name
        else:
            status, body = b"404 Not Found", b""
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )
        if b"connection: close" in head.lower():
            self._transport.close()


async def serve(num_pictures: int) -> None:
    """Serve until the input ends."""
    files = drawings()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(files, num_pictures), "127.0.0.1", 0, backlog=512
    )
    async with server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
