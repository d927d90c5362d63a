"""Size of the report, and how soon it is there: `python -m benchmarks.report_size [--project P]`.

A finished project is written anew with 2,000 and with 100,000 items, pictures and all; the stage
`report` makes its page, which headless Chromium opens from its file. Writes
`results/report_size.json` and `.md`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.machine import describe_machine
from benchmarks.report_world import grow
from mmrec.io import write_json, write_text
from mmrec.study.workspace import PROJECT
from tests.report.browser import Browser

RESULTS = PROJECT / "benchmarks" / "results" / "report_size.json"
LOADS = 5
_LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
_SEARCH = """(() => {
  const form = document.querySelector("#items form"), started = performance.now();
  form.elements.words.value = "red";
  form.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  return performance.now() - started;
})()"""

Figures = dict[str, float]


def made(folder: Path) -> Figures:
    """Time and memory of the stage in a folder."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "stages.report"]
    subprocess.run(command, cwd=folder, check=True, env=environment)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"stage_s": time.perf_counter() - started, "peak_mib": peak}


def opened(page: Path) -> Figures:
    """Medians of what Chromium says of a page: until it has loaded, and of one search in it."""
    with Browser(timeout_s=300) as browser:
        loads, searches = [], []
        for _ in range(LOADS):
            browser.open(page)
            browser.wait_for(f"{_LOADED} > 0")
            loads.append(browser.evaluate(_LOADED))
            searches.append(browser.evaluate(_SEARCH))
        nodes = browser.evaluate("document.querySelectorAll('*').length")
    return {
        "load_ms": statistics.median(loads),
        "search_ms": statistics.median(searches),
        "elements": nodes,
    }


def table(rows: Sequence[Figures]) -> str:
    """A line for each catalogue."""
    lines = [
        "| items | report, MB | loaded, ms | search, ms | elements | stage, s | its memory, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['items']:,} | {row['bytes'] / 1e6:.2f} | {row['load_ms']:,.0f} | "
        f"{row['search_ms']:.0f} | {row['elements']:,} | {row['stage_s']:,.0f} | "
        f"{row['peak_mib']:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(project: Path, sizes: Sequence[int]) -> None:
    """Measure, print and keep."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "project"
            items = grow(project, folder, size)
            page = folder / "data" / "report" / "index.html"
            row: Figures = {"items": items, **made(folder)}
            rows.append({**row, "bytes": page.stat().st_size, **opened(page)})
        print(table(rows), flush=True)
    caption = (
        f"The demo project with so many items, medians of {LOADS} loads, on {describe_machine()}."
    )
    write_json({"rows": rows}, RESULTS)
    write_text(f"{table(rows)}\n\n{caption}\n", RESULTS.with_suffix(".md"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--items", type=int, nargs="+", default=[2_000, 100_000])
    chosen = parser.parse_args()
    main(chosen.project.resolve(), chosen.items)
