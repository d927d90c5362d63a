"""Reading an answer's body without ever holding more than was asked for."""

from __future__ import annotations

import zlib

import aiohttp

from mmrec.data.crawler.failure import FetchError

_CHUNK = 1 << 16


async def read_body(response: aiohttp.ClientResponse, max_bytes: int, *, cut: bool) -> bytes:
    """Read the body, unpacked if a server packs it unasked.

    Args:
        response: of a session that does not unpack by itself.
        max_bytes: counted while reading and after unpacking; no header is believed.
        cut: whether a longer body is cut off or refused.

    Raises:
        FetchError: `file_too_large`, or `bad_response` for one that cannot be unpacked.
    """
    packed = response.headers.get("Content-Encoding", "").lower() in {"gzip", "deflate"}
    # Finds out by itself which of the two it is.
    unpacker = zlib.decompressobj(wbits=47) if packed else None
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += _unpacked(unpacker, chunk, max_bytes - len(body) + 1)
        if len(body) > max_bytes:
            # The rest is not waited for.
            response.close()
            if cut:
                return bytes(body[:max_bytes])
            raise FetchError("file_too_large")
    return bytes(body)


def _unpacked(unpacker: zlib._Decompress | None, chunk: bytes, max_bytes: int) -> bytes:
    if unpacker is None:
        return chunk
    try:
        return unpacker.decompress(chunk, max_bytes)
    except zlib.error:
        raise FetchError("bad_response") from None
