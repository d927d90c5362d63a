"""Which network addresses may be connected to, checked on the address itself."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import AddrInfoType

Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")


class AddressError(OSError):
    """An address is not public and not allowed."""


def is_allowed(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is public or in one of `networks`.

    Anything that is not a plain IP address (`127.1`, `0x7f000001`) is refused: what a
    system would make of it is not known here.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip in network for network in networks):
        return True
    return all(one.is_global and not one.is_multicast for one in (ip, *_carried(ip)))


def _carried(ip: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses to which a packet for an IPv6 address is passed on."""
    if isinstance(ip, IPv4Address):
        return []
    carried = [ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        carried.append(IPv4Address(int(ip) & 0xFFFFFFFF))
    return [one for one in carried if one is not None]


def checked_sockets(networks: Sequence[Network]) -> Callable[[AddrInfoType], socket.socket]:
    """A socket factory that refuses addresses which are not allowed.

    It is asked for every connection with the very address that is connected to, after name
    resolution and for addresses written out in a link alike: no name can resolve to one
    address for the check and to another for the connection.
    """

    def make(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not is_allowed(str(address[0]), networks):
            raise AddressError("address not allowed")
        return socket.socket(family, kind, protocol)

    return make
