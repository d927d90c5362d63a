"""A link in; out an address at which every later step can look, or the reason why not."""

from __future__ import annotations

from ipaddress import IPv4Address

from yarl import URL

from mmrec.data.crawler.failure import FetchError


def parse_link(link: str) -> URL:
    """The address that a link spells.

    Raises:
        FetchError: `bad_url`, or `scheme_not_allowed` for one that is not of the web.
    """
    try:
        url = URL(link)
        is_of_web = url.scheme in {"http", "https"}
        if is_of_web:
            _look_at(url)
    # What parsers run into on malformed links, from IndexError on, is no closed list.
    except Exception:
        raise FetchError("bad_url", sent=False) from None
    if not is_of_web:
        raise FetchError("scheme_not_allowed", sent=False)
    return url


def _look_at(url: URL) -> None:
    """Do all that is done with an address later: whatever fails, fails here."""
    for one in (url, robots_of(url)):
        str(one).encode()
        host_of(one)
        name = one.raw_host if one.host else None
        if name is not None:
            # What looking a name up begins with: no label is empty or too long.
            name.encode("idna")
            if not name.isascii() or not name.isprintable() or " " in name:
                raise ValueError("no name of a host")
            if name.replace(".", "").isdigit():
                # Numbers that systems read as some address or other, such as 127.1.
                IPv4Address(name)


def robots_of(url: URL) -> URL:
    """Where the rules for an address lie (RFC 9309): one for each origin."""
    return url.origin() / "robots.txt"


def redirected(url: URL, location: str) -> URL:
    """Where an answer with the header `Location` sends a request for `url`.

    Raises:
        FetchError: as `parse_link`, or `bad_response` without a location.
    """
    if not location:
        raise FetchError("bad_response")
    try:
        target = str(url.join(URL(location)))
    except Exception:
        raise FetchError("bad_url") from None
    try:
        return parse_link(target)
    except FetchError as failure:
        failure.sent = True
        raise


def host_of(url: URL) -> str:
    """Name and port, the usual ones of http and https being one."""
    return f"{url.raw_host}:{'' if url.is_default_port() else url.port}".lower()
