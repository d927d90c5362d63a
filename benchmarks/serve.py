"""How soon `mmrec serve` answers: `python -m benchmarks.serve <run> [--project <folder>]`.

Histories of the run's users, one a request and ten items back, over HTTP/1.1 connections that
stay open; with one client, then with eight at once, which share the machine with the server.
Writes `results/serve.json` and `.md`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.peers.machine import describe_machine
from mmrec import open_dataset
from mmrec.io import write_json, write_text
from mmrec.params.file import load_params
from mmrec.params.ranked import ranked_entries
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "serve.json"
CLIENTS = (1, 8)
K = 10
WARM_UP_S = 1.0

Figures = dict[str, float]


def histories_of(run: str, project: Path) -> list[list[str]]:
    """Of users of the run's dataset, in random order: what is before their last item."""
    entry = ranked_entries(load_params(project / "params.yaml"))[run]
    chosen = open_dataset(entry.dataset, project).sequences["item_ids"]
    order = np.random.default_rng(0).permutation(len(chosen))
    return [items[:-1] for items in chosen.gather(order).to_list() if len(items) > 1]


@contextmanager
def served(run: str, project: Path) -> Iterator[tuple[str, int]]:
    """Host and port of a server, in a process of its own."""
    command = [sys.executable, "-m", "mmrec", "serve", "--run", run, "--port", "0"]
    with subprocess.Popen(command, cwd=project, text=True, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "http://" not in line:
                raise RuntimeError("the server did not start; see above")
            host, port = line.rpartition("http://")[2].strip(" /\n").rsplit(":", 1)
            yield host, int(port)
        finally:
            process.terminate()


def ask(address: tuple[str, int], histories: Sequence[Sequence[str]], end: float) -> list[float]:
    """Seconds of each answer, one after the other, until the end of the time."""
    connection, taken = http.client.HTTPConnection(*address, timeout=60), list[float]()
    while time.perf_counter() < end:
        history = histories[len(taken) % len(histories)]
        body = json.dumps({"histories": [history], "k": K})
        started = time.perf_counter()
        connection.request("POST", "/recommend", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        found = answer.read()
        taken.append(time.perf_counter() - started)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {found.decode()}")
    connection.close()
    return taken


def measure(
    address: tuple[str, int], histories: list[list[str]], clients: int, seconds: float
) -> Figures:
    """Latencies in ms and answers a second of so many clients at once."""
    end = time.perf_counter() + seconds
    with ThreadPoolExecutor(clients) as pool:
        jobs = [
            pool.submit(ask, address, histories[client::clients], end) for client in range(clients)
        ]
        taken = np.concatenate([job.result() for job in jobs]) * 1000
    p50, p99 = np.percentile(taken, [50, 99])
    return {"clients": clients, "p50_ms": p50, "p99_ms": p99, "per_s": len(taken) / seconds}


def table(rows: Sequence[Figures]) -> str:
    """A line for each number of clients."""
    lines = ["| clients | p50, ms | p99, ms | answers a second |", "|---|---|---|---|"]
    lines += [
        f"| {row['clients']} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} | {row['per_s']:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(run: str, project: Path, *, seconds: float) -> None:
    """Measure, print and keep."""
    histories = histories_of(run, project)
    with served(run, project) as address:
        measure(address, histories, 1, WARM_UP_S)
        rows = [measure(address, histories, clients, seconds) for clients in CLIENTS]
    caption = f"Run `{run}`, {seconds:g} s each, on {describe_machine()}."
    text = f"{table(rows)}\n\n{caption}\n"
    write_json({"run": run, "rows": rows}, RESULTS)
    write_text(text, RESULTS.with_suffix(".md"))
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--seconds", type=float, default=10.0)
    chosen = parser.parse_args()
    main(chosen.run, chosen.project, seconds=chosen.seconds)
