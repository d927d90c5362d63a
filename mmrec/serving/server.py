"""An address in, requests to an application answered there until somebody stops it."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

import uvicorn
from starlette.applications import Starlette

from mmrec.serving import limits

_HERE = ("localhost", "127.0.0.1", "[::1]")


def bind(host: str, port: int) -> socket.socket:
    """A socket of an address, before anything slow is begun; 0 is any free port.

    Raises:
        ValueError: the port is in use or not allowed, or there is no such host.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"--port {port}: expected 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # With its protocol: asyncio sends small answers at once only where that is said to be TCP.
        found = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"--host {host}: no such address here ({error})") from None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except OSError as error:
        found.close()
        raise ValueError(_refused(host, port, error)) from None
    return found


def _refused(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"--port {port}: in use on {host} already; name another, or 0 for a free one"
        case errno.EACCES:
            return f"--port {port}: not allowed for this user; name one from 1024 on"
        case _:
            return f"--host {host}: {error.strerror}; name an address of this machine"


def address_of(bound: socket.socket) -> str:
    """Where a browser finds it."""
    host, port, *_ = bound.getsockname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def hosts_of(bound: socket.socket) -> tuple[str, ...]:
    """Names under which a socket of this machine alone may be asked for; none for any.

    A page of another site can have its own name point to this machine, and would be let in.
    """
    host = ip_address(bound.getsockname()[0].partition("%")[0])
    return (*_HERE, str(host)) if host.is_loopback else ()


def make_server(app: Starlette) -> uvicorn.Server:
    """A server of it, to be run with a socket."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=limits.CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
    )
