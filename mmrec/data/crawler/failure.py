"""Why a request brought no picture, and whether another may."""

from __future__ import annotations

import email.utils
import random
import socket
from datetime import UTC, datetime

import aiohttp

from mmrec.data.crawler.addresses import AddressError

_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING = frozenset(
    {"timeout", "connection", "truncated", "host_unavailable", "robots_unavailable"}
)
_OF_HOST = frozenset(
    {
        "timeout",
        "connection",
        "truncated",
        "host_not_found",
        "host_unavailable",
        "bad_certificate",
        "tls",
        "address_not_allowed",
    }
)
_LONGEST_BACKOFF_S = 60.0


class FetchError(Exception):
    """A request or the picture in its answer failed.

    Args:
        reason: short, for the row of the link.
        transient: whether another try may succeed.
        sent: whether a request was made at all.
    """

    def __init__(self, reason: str, *, transient: bool = False, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient
        self.sent = sent


def is_transient(status: int) -> bool:
    """Whether a status says that the same request may succeed later."""
    return status in _TRANSIENT_STATUS or status >= 520


def may_pass(reason: str) -> bool:
    """Whether what kept a link from its picture says nothing about the picture itself."""
    if reason.startswith("http_"):
        return is_transient(int(reason.removeprefix("http_")))
    return reason in _PASSING


def is_of_host(reason: str) -> bool:
    """Whether a failure would be that of any request to the same host."""
    return reason in _OF_HOST


def failure_of(error: Exception) -> FetchError:
    """The failure that an exception of the HTTP client stands for."""
    match error:
        case TimeoutError():
            return FetchError("timeout", transient=True)
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, AddressError):
            return FetchError("address_not_allowed", sent=False)
        case aiohttp.ClientConnectorDNSError() if _is_unknown_name(error):
            return FetchError("host_not_found", sent=False)
        case aiohttp.ClientConnectorCertificateError():
            return FetchError("bad_certificate", sent=False)
        case aiohttp.ClientSSLError():
            return FetchError("tls")
        case aiohttp.ClientPayloadError():
            return FetchError("truncated", transient=True)
        case aiohttp.ClientResponseError():
            return FetchError("bad_response")
        # Before anything is sent, the client refuses an address that it cannot ask.
        case ValueError():
            return FetchError("bad_url", sent=False)
        case aiohttp.ClientError() | OSError():
            return FetchError("connection", transient=True)
        case _:
            return FetchError("bad_response")


def _is_unknown_name(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}
        error = error.__cause__
    return False


def backoff_s(scale: float, attempt: int) -> float:
    """Wait after the failed try `attempt` (from 1): exponential, with full jitter."""
    # Not for secrets: so that many links do not come back at one moment.
    return random.uniform(0, min(_LONGEST_BACKOFF_S, scale * 2 ** (attempt - 1)))


def retry_after_s(value: str | None) -> float | None:
    """Seconds of a `Retry-After` header, given in seconds or as a date; None if there is none."""
    if value is None:
        return None
    try:
        if value.strip().isdigit():
            return float(value)
        moment = email.utils.parsedate_to_datetime(value)
    # A zone such as +99999999999999999999 overflows.
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
