"""Serves distinct pictures with a latency: `python -m benchmarks.picture_server <how many>`.

Prints its address and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import io
import sys

import numpy as np
from aiohttp import web
from PIL import Image

LATENCY_S = 0.020
_NUM_DRAWINGS = 64


def drawings() -> list[bytes]:
    """JPEGs of 256 x 256 pixels, some 15 kB each."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(_NUM_DRAWINGS):
        coarse = Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((256, 256)).save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files


async def serve(num_pictures: int) -> None:
    """Serve `/0.jpg` and so on; what follows a JPEG's end makes each of them another file."""
    files = drawings()

    async def answer(request: web.BaseRequest) -> web.Response:
        name, _, ending = request.path.lstrip("/").partition(".")
        await asyncio.sleep(LATENCY_S)
        if ending != "jpg" or int(name) >= num_pictures:
            return web.Response(status=404)
        body = files[int(name) % _NUM_DRAWINGS] + name.encode()
        return web.Response(body=body, content_type="image/jpeg")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
