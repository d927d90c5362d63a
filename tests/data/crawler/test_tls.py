"""Servers with a certificate: one that is not to be trusted brings no picture."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.data.crawler.crawls import crawl
from tests.data.crawler.web import Site, Web, says
from tests.data.raw_world import jpeg

ASK = """
import sys
from pathlib import Path
from tests.data.crawler.crawls import crawl

for found in crawl(Path(sys.argv[1]), sys.argv[2:]).values():
    print(found.reason or "ok")
"""


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> Path:
    """A file with a certificate of its own making, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}-{days}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def secured(web: Web, file: Path) -> Site:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return web.serve(Site({"*": says(jpeg())}, tls=context))


def test_a_certificate_that_nobody_vouches_for_ends_a_link_for_good(
    web: Web, tmp_path: Path
) -> None:
    site = secured(web, certificate(tmp_path))
    for _ in range(2):
        (found,) = crawl(tmp_path, [site.url("a")]).values()
        assert (found.reason, found.content_key) == ("bad_certificate", None)
    assert site.requests == []


@pytest.mark.parametrize(
    ("host", "days", "reason"),
    [
        ("127.0.0.1", 1, "ok"),
        ("127.0.0.2", 1, "bad_certificate"),
        ("127.0.0.1", -1, "bad_certificate"),
    ],
    ids=["good", "of_another_host", "expired"],
)
def test_a_trusted_certificate_has_to_be_right(
    web: Web, tmp_path: Path, host: str, days: int, reason: str
) -> None:
    file = certificate(tmp_path, host=host, days=days)
    site = secured(web, file)
    # Which certificates are trusted is read when a process starts.
    done = subprocess.run(
        [sys.executable, "-c", ASK, tmp_path, site.url("a")],
        env={
            **os.environ,
            "SSL_CERT_FILE": str(file),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{reason}\n"


def test_a_server_that_speaks_no_tls_is_said_so(web: Web, tmp_path: Path) -> None:
    plain = web.serve(Site({"*": says(jpeg())}))
    url = plain.url("a").replace("http://", "https://")
    (found,) = crawl(tmp_path, [url]).values()
    assert found.reason == "tls"
