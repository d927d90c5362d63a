"""Downloading pictures, against img2dataset: `python -m benchmarks.crawl [how many]`.

A local server answers after 20 ms; both have 64 connections to it and keep the bytes as they
are: packed Parquet here, tar files there. img2dataset is installed into a virtual
environment of its own below `build/` and is skipped, with the reason, where that fails. Of
each the time from the first request to the finished files counts, without the start of the
interpreter; rounds take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from statistics import median

from benchmarks.picture_server import LATENCY_S
from benchmarks.workspace import PROJECT
from mmrec.data.crawler.crawl import Crawler
from mmrec.data.crawler.settings import CrawlSettings
from mmrec.data.fetch import fetch_images
from mmrec.data.sources.source import ImageRef, Url

NUM_PICTURES = 3_000
CONNECTIONS = 64
ROUNDS = 3
PEER = PROJECT / "build" / "img2dataset"

SETTINGS = CrawlSettings(
    contact="https://localhost.localdomain/",
    edition="1",
    retry=(),
    requests_per_host=CONNECTIONS,
    min_interval_s=0.0,
    attempts=1,
    backoff_s=1.0,
    max_wait_s=10.0,
    host_failures=20,
    cool_down_s=1.0,
    timeout_s=10.0,
    max_image_bytes=10_000_000,
    allow_networks=(ip_network("127.0.0.1"),),
)


@contextmanager
def picture_server(num_pictures: int) -> Iterator[str]:
    """The address of a server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.picture_server", str(num_pictures)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)


def crawl(urls: list[str], folder: Path) -> float:
    """Seconds of this project's crawler, packed parts included."""
    refs = [ImageRef(str(n), 0, url, Url(url)) for n, url in enumerate(urls)]
    started = time.perf_counter()
    with Crawler(folder / "store", SETTINGS) as crawler:
        counts = fetch_images(refs, folder / "images", folder / "links.parquet", crawler)
    seconds = time.perf_counter() - started
    check(counts["ok"], len(urls), "mmrec")
    return seconds


def install_peer() -> str:
    """Install img2dataset, once; returns why it cannot be, or nothing."""
    if not (PEER / "ready").exists():
        venv.create(PEER, with_pip=True, clear=True)
        done = subprocess.run(
            [PEER / "bin" / "python", "-m", "pip", "install", "--quiet", "img2dataset"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"pip install img2dataset: {done.stderr.strip().splitlines()[-1]}"
        (PEER / "ready").touch()
    return ""


def crawl_with_peer(urls: list[str], folder: Path, processes: int) -> float:
    """Seconds of img2dataset by its own clock, which starts after its imports."""
    (folder / "urls.txt").write_text("\n".join(urls) + "\n")
    settings = {
        "url_list": folder / "urls.txt",
        "output_folder": folder / "out",
        "output_format": "webdataset",
        "processes_count": processes,
        "thread_count": CONNECTIONS // processes,
        "number_sample_per_shard": -(-len(urls) // processes),
        "resize_mode": "no",
        "skip_reencode": True,
        "enable_wandb": False,
    }
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    done = subprocess.run(
        [PEER / "bin" / "img2dataset", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"img2dataset failed:\n{done.stderr[-2000:]}")
    shards = [json.loads(path.read_text()) for path in (folder / "out").glob("*_stats.json")]
    check(sum(shard["successes"] for shard in shards), len(urls), "img2dataset")
    started = min(shard["start_time"] for shard in shards)
    return float(max(shard["end_time"] for shard in shards) - started)


def check(num_ok: int, num_asked: int, name: str) -> None:
    """Stop unless every picture arrived: a time of fewer would mean nothing."""
    if num_ok != num_asked:
        raise RuntimeError(f"{name} brought {num_ok} of {num_asked} pictures")


def main() -> None:
    """Run all rounds and print what each took."""
    num_pictures = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_PICTURES
    reason = install_peer()
    if reason:
        print(f"img2dataset is skipped: {reason}")
    seconds: dict[str, list[float]] = {}
    with picture_server(num_pictures) as address:
        urls = [f"{address}/{n}.jpg" for n in range(num_pictures)]
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                seconds.setdefault("mmrec", []).append(crawl(urls, Path(folder)))
            for processes in () if reason else (1, 2):
                with tempfile.TemporaryDirectory() as folder:
                    peer_seconds = crawl_with_peer(urls, Path(folder), processes)
                name = f"img2dataset, processes_count={processes}"
                seconds.setdefault(name, []).append(peer_seconds)
    print(f"{num_pictures:,} pictures, {CONNECTIONS} connections, {LATENCY_S * 1000:.0f} ms")
    print(f"{num_pictures * LATENCY_S / CONNECTIONS:6.2f} s  the latency alone")
    for name, taken in seconds.items():
        print(f"{median(taken):6.2f} s  {num_pictures / median(taken):6.0f}/s  {name}")


if __name__ == "__main__":
    main()
