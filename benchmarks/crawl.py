"""Downloading pictures, against img2dataset: `python -m benchmarks.crawl [how many] [rounds]`.

A local server answers after 20 ms; both have 64 connections to it at a time, decode every
picture, and keep the bytes as they are: packed Parquet here, tar files there. img2dataset
spreads the connections over one or two processes, a thread each, and is installed into a
virtual environment of its own below `build/`; where that fails it is skipped, with the reason.

Seconds are from the first request to the finished files, without the start of the
interpreter, but with that of our decoding processes. Processor seconds are those of all
processes of a crawl, without the peer's start (measured by a crawl of one picture per process
in the same round); the server's, which shares the cores, are said apart. Rounds take turns,
and ratios are of the same round: on a machine with other work, processor seconds tell more.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from statistics import median

from benchmarks.picture_server import LATENCY_S
from mmrec.data.crawler.crawl import Crawler
from mmrec.data.crawler.settings import CrawlSettings
from mmrec.data.fetch import fetch_images
from mmrec.data.sources.source import ImageRef, Url
from mmrec.study.workspace import PROJECT

NUM_PICTURES = 3_000
CONNECTIONS = 64
ROUNDS = 5
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


@dataclass(frozen=True)
class Cost:
    """Of one crawl, in seconds: what passed, and what its processes and the server worked."""

    seconds: float
    processor: float
    server: float


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


def cost(run: Callable[[list[str], Path], float], urls: list[str]) -> Cost:
    """Run one crawl in a folder that is gone afterwards."""
    address = urls[0].rpartition("/")[0]
    before, server_before = processor_seconds(), server_seconds(address)
    with tempfile.TemporaryDirectory() as folder:
        seconds = run(urls, Path(folder))
    return Cost(seconds, processor_seconds() - before, server_seconds(address) - server_before)


def processor_seconds() -> float:
    """Of this process and of all that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def server_seconds(address: str) -> float:
    """Processor seconds of the server."""
    with urllib.request.urlopen(f"{address}/seconds") as answer:
        return float(answer.read())


def measure(urls: list[str], rounds: int, peer_processes: tuple[int, ...]) -> dict[str, list[Cost]]:
    """Cost of each crawler in each round."""
    costs: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        costs.setdefault("mmrec", []).append(cost(crawl, urls))
        for processes in peer_processes:
            run = partial(crawl_with_peer, processes=processes)
            start, found = cost(run, urls[:processes]), cost(run, urls)
            costs.setdefault(f"img2dataset, processes_count={processes}", []).append(
                replace(found, processor=found.processor - start.processor)
            )
    return costs


def show(costs: Mapping[str, list[Cost]], num_pictures: int) -> None:
    """Print medians, and of each peer the ratios to ours of the same round."""
    print(f"{num_pictures:,} pictures, {CONNECTIONS} connections, {LATENCY_S * 1000:.0f} ms")
    print(f"{num_pictures * LATENCY_S / CONNECTIONS:.2f} s  the latency alone")
    for name, found in costs.items():
        seconds = median(one.seconds for one in found)
        print(
            f"{seconds:.2f} s  {num_pictures / seconds:.0f}/s  {name}; processor"
            f" {median(one.processor for one in found):.2f} s, server"
            f" {median(one.server for one in found):.2f} s"
        )
        if name == "mmrec":
            continue
        pairs = list(zip(found, costs["mmrec"], strict=True))
        slower = sorted(peer.seconds / ours.seconds for peer, ours in pairs)
        dearer = median(peer.processor / ours.processor for peer, ours in pairs)
        print(
            f"  {median(slower):.2f} times our seconds ({slower[0]:.2f} to {slower[-1]:.2f}),"
            f" {dearer:.2f} times our processor seconds"
        )


def main() -> None:
    """Run all rounds and print what each took."""
    num_pictures = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_PICTURES
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    reason = install_peer()
    if reason:
        print(f"img2dataset is skipped: {reason}")
    with picture_server(num_pictures) as address:
        urls = [f"{address}/{n}.jpg" for n in range(num_pictures)]
        show(measure(urls, rounds, () if reason else (1, 2)), num_pictures)


if __name__ == "__main__":
    main()
