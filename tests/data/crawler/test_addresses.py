"""Which addresses may be connected to."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from mmrec.data.crawler.addresses import is_allowed


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, [])


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "127.1",
        "2130706433",
        "0x7f000001",
        "",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(address, [])


def test_a_network_can_be_allowed_and_no_other_is() -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fc00::/8")]
    assert is_allowed("10.1.2.3", networks)
    assert is_allowed("::ffff:10.1.2.3", networks)
    assert is_allowed("fc00::1", networks)
    assert not is_allowed("10.2.0.1", networks)
