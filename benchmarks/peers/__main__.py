"""mmrec against RecBole and RecTools: `python -m benchmarks.peers [sequences file]`.

The file has a line `user item item …` per user, oldest first; without one, data of the size of
Amazon Beauty is simulated. Systems take turns, a process each. The peers' epochs
are scaled from their first batches. Whole rounds that nothing has changed since are taken from
`build/bench`; `--again` measures them anew. Table and plot go to `benchmarks/results/` and, if
every system was measured on a file of yours, the table to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from benchmarks.peers.environments import UnavailableError
from benchmarks.peers.machine import describe_data, describe_machine
from benchmarks.peers.systems import SYSTEMS, FailedError, Sizes, digest_inputs, measure
from benchmarks.peers.table import draw, format_table, summarize
from benchmarks.simulated import write_sequences
from mmrec.io import read_json, write_json, write_text
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results"
CACHE = PROJECT / "build" / "bench"
PAGE = PROJECT / "docs" / "benchmarks.md"
START, END = "<!-- peers -->\n", "<!-- end of peers -->\n"


class Round(TypedDict):
    """What one round brought, by the name of the system: a result, or why there is none."""

    inputs: str
    results: dict[str, Mapping[str, Any]]
    skipped: dict[str, str]


def run_all(data: Path, sizes: Sizes, *, rounds: int, again: bool) -> list[Round]:
    """All rounds, each from the cache if it was measured before."""
    inputs = digest_inputs(data, sizes)
    found: list[Round] = []
    CACHE.mkdir(parents=True, exist_ok=True)
    for number in range(1, rounds + 1):
        kept = CACHE / f"round-{number}.json"
        if again or not kept.exists() or read_json(kept)["inputs"] != inputs:
            before = found[-1]["skipped"] if found else {}
            results, skipped = run_round(data, sizes, before)
            write_json({"inputs": inputs, "results": results, "skipped": skipped}, kept)
        found.append(read_json(kept))
    return found


def run_round(
    data: Path, sizes: Sizes, without: Mapping[str, str]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """Results of systems that take turns, and why one has none; `without` are not tried again."""
    results: dict[str, Mapping[str, Any]] = {}
    skipped = dict(without)
    for system in SYSTEMS:
        if system.name in skipped:
            continue
        try:
            results[system.name] = result = measure(system, data, sizes)
        except (UnavailableError, FailedError) as error:
            skipped[system.name] = " ".join(str(error).split())[-200:]
            print(f"{system.name} is skipped: {error}", flush=True)
            continue
        seconds = ", ".join(f"{taken:.1f}" for taken in result["seconds_per_epoch"])
        print(f"{system.name}: {seconds} s an epoch", flush=True)
    return results, skipped


def caption(data: Path, threads: int, versions: Mapping[str, str]) -> str:
    """What was measured, on what."""
    return (
        f"{describe_data(data)}. Full softmax, 1,024 targets a batch, histories of 50, width 64; "
        f"threads: {threads}, on {describe_machine()}, torch {versions['torch']}."
    )


NOTES = """\
Medians over rounds in which all take turns; how much faster mmrec is, from epochs of one round. A
peer's epoch is scaled from as many batches as the table says, timed after two others. Peak memory
and users ranked are of the same process; ranking takes no gradients, which the NaN scan looks at.
RecTools ranks by listing the top 10; its feed-forward net is 64 wide, that of the others 256.
"""


def update_page(text: str) -> None:
    """Put the table and the plot between their two marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    picture = "![Epoch times and peak memory](../benchmarks/results/peers.png)"
    write_text(f"{before}{START}{text}\n{picture}\n{END}{after}", PAGE)


def main(arguments: argparse.Namespace) -> None:
    """Measure, print and write."""
    data: Path | None = arguments.sequences
    if data is None:
        data = CACHE / "simulated.txt"
        CACHE.mkdir(parents=True, exist_ok=True)
        write_sequences(data)
    sizes = Sizes(arguments.epochs, arguments.batches, arguments.threads)
    load = os.getloadavg()[0]
    rounds = run_all(data.resolve(), sizes, rounds=arguments.rounds, again=arguments.again)
    skipped = rounds[-1]["skipped"]
    rows = summarize(
        {
            system.name: [one["results"][system.name] for one in rounds]
            for system in SYSTEMS
            if system.name not in skipped
        }
    )
    if not rows:
        raise SystemExit("nothing was measured")
    said = caption(data, sizes.threads, next(iter(rows.values()))["versions"])
    text = f"{format_table(rows, skipped)}\n{said}\n\n{NOTES}"
    print("\n" + text)
    RESULTS.mkdir(exist_ok=True)
    write_json(
        {"measured": said, "load_at_start": load, "systems": rows, "skipped": skipped},
        RESULTS / "peers.json",
    )
    write_text(text, RESULTS / "peers.md")
    draw(rows, said, RESULTS / "peers.png")
    if arguments.sequences is not None and not skipped:
        update_page(text)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="of mmrec, in each round")
    parser.add_argument("--batches", type=int, default=10, help="of a peer, in each round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="measure everything anew")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
