"""A small web on loopback that misbehaves in every way a picture server can."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.data.raw_world import jpeg

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """One origin: answers by path, and what was asked of it."""

    answers: dict[str, Answer] = field(default_factory=dict)
    robots: Answer | None = None
    port: int = 0
    tls: ssl.SSLContext | None = None
    requests: list[tuple[str, float]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http{'s' if self.tls else ''}://{host}:{self.port}/{path}"

    @property
    def counts(self) -> Counter[str]:
        """Requests by path, robots.txt left out."""
        return Counter(path for path, _ in self.requests if path != "robots.txt")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        self.requests.append((path, time.monotonic()))
        self.headers.append(dict(request.headers))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if path == "robots.txt":
                return await self.robots(request) if self.robots else web.Response(status=404)
            answer = self.answers.get(path) or self.answers.get("*")
            return await answer(request) if answer else web.Response(status=404)
        finally:
            self.in_flight -= 1


class Web:
    """Serves sites from a thread of its own, each on its own port."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._runners: list[web.AppRunner] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def serve(self, site: Site) -> Site:
        asyncio.run_coroutine_threadsafe(self._serve(site), self._loop).result()
        return site

    async def _serve(self, site: Site) -> None:
        runner = web.ServerRunner(web.Server(site.handle))
        await runner.setup()
        listener = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1, ssl_context=site.tls)
        await listener.start()
        self._runners.append(runner)
        site.port = runner.addresses[0][1]

    def close(self) -> None:
        async def stop() -> None:
            for runner in self._runners:
                await runner.cleanup()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def says(body: bytes = b"", status: int = 200, delay_s: float = 0.0, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(delay_s)
        return web.Response(body=body, status=status, headers=named)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """The first answer to the first request and so on; the last for good."""
    rest = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (rest.pop(0) if len(rest) > 1 else rest[0])(request)

    return answer


def redirects(to: str, status: int = 302) -> Answer:
    return says(status=status, Location=to)


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Promises more than it sends."""
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    await response.write(jpeg()[:100])
    assert request.transport is not None
    request.transport.close()
    return response


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def trickle(request: web.Request) -> web.StreamResponse:
    """A byte now and then: no single read ever takes long."""
    response = web.StreamResponse()
    await response.prepare(request)
    for byte in jpeg():
        await response.write(bytes([byte]))
        await asyncio.sleep(0.2)
    return response


class Endless:
    """Streams on without saying how much there is."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while self.sent < 128 << 20:
            await response.write(bytes(1 << 16))
            self.sent += 1 << 16
        return response


def validated(body: bytes, etag: str) -> Answer:
    """A picture that is sent only to those who do not have it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = {"ETag": etag, "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    return answer


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 400 million pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def packed(data: bytes) -> Answer:
    return says(gzip.compress(data), Content_Encoding="gzip")
