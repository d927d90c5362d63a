"""Packed pictures under DVC, against a file each: `python -m benchmarks.packed_images [how many]`.

Random bytes of 5 to 20 kB, as parts that `mmrec.data.fetch` writes and as one file per picture,
each in a DVC project of its own with a remote in a local folder: `dvc add`, `dvc push`, and
`dvc pull` in a fresh clone with an empty cache. Needs some 7 GB below `build/` for 100,000
pictures, which are gone afterwards. Times are of whole commands, the start of DVC included.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mmrec.data.packing import write_image_parts
from mmrec.io import content_key, write_json, write_text
from mmrec.study.workspace import PROJECT, dvc_environment

NUM_PICTURES = 100_000
BYTES = (5_000, 20_000)
STEPS = ("write", "dvc add", "dvc push", "dvc pull")
AUTHOR = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
RESULTS = PROJECT / "benchmarks" / "results"


def picture(number: int) -> bytes:
    """The same bytes for the same number; of no kind, which DVC does not mind."""
    generator = np.random.default_rng(number)
    return generator.bytes(int(generator.integers(*BYTES)))


def pictures(num: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and bytes, in the order of keys."""
    for key, number in sorted((content_key(picture(number)), number) for number in range(num)):
        yield key, picture(number)


def write_packed(num: int, folder: Path) -> None:
    """As the crawl stage writes them."""
    write_image_parts(pictures(num), folder)


def write_files(num: int, folder: Path) -> None:
    """A file each, all in one folder."""
    folder.mkdir()
    for key, data in pictures(num):
        (folder / f"{key.hex()}.jpg").write_bytes(data)


def measure(write: Callable[[int, Path], None], num: int, work: Path) -> dict[str, float]:
    """Seconds of each step, in projects below `work`."""
    origin, clone = work / "origin", work / "clone"
    origin.mkdir()
    call(origin, work, "git", "init", "--quiet")
    dvc(origin, work, "init", "--quiet")
    dvc(origin, work, "remote", "add", "--default", "shared", str(work / "remote"))
    seconds = {"write": timed(lambda: write(num, origin / "images"))}
    seconds["dvc add"] = timed(lambda: dvc(origin, work, "add", "images"))
    call(origin, work, "git", "add", ".")
    call(origin, work, "git", *AUTHOR, "commit", "--quiet", "--message", "Pictures")
    seconds["dvc push"] = timed(lambda: dvc(origin, work, "push"))
    call(work, work, "git", "clone", "--quiet", str(origin), str(clone))
    seconds["dvc pull"] = timed(lambda: dvc(clone, work, "pull"))
    check_equal(origin / "images", clone / "images")
    return seconds


def dvc(folder: Path, work: Path, *arguments: str) -> None:
    """Run DVC; it knows nothing of what other projects did."""
    call(folder, work, sys.executable, "-m", "dvc", *arguments)


def call(folder: Path, work: Path, *command: str) -> None:
    """Run a command to its end, or stop with what it said."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**dvc_environment(), "DVC_SITE_CACHE_DIR": str(work / "site")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")


def timed(run: Callable[[], None]) -> float:
    """Seconds of one call."""
    # What an earlier step still has to write to disk is none of this one's time.
    os.sync()
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def check_equal(one: Path, other: Path) -> None:
    """Stop unless everything arrived: a time of less would mean nothing."""
    sizes = [
        {path.name: path.stat().st_size for path in folder.iterdir()} for folder in (one, other)
    ]
    if sizes[0] != sizes[1]:
        raise RuntimeError(f"{other} differs from {one}")


def report(found: dict[str, dict[str, float]], num: int) -> str:
    """A table of seconds and ratios."""
    lines = [
        f"{num:,} pictures of {BYTES[0]:,} to {BYTES[1]:,} bytes; seconds, one run, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "",
        "| step | packed | a file each | ratio |",
        "|---|---|---|---|",
    ]
    packed, files = found["packed"], found["files"]
    lines += [
        f"| {step} | {packed[step]:.1f} | {files[step]:.1f} | {files[step] / packed[step]:.1f} |"
        for step in STEPS
    ]
    under_dvc = [sum(times[step] for step in STEPS[1:]) for times in (packed, files)]
    lines.append(
        f"| all under DVC | {under_dvc[0]:.1f} | {under_dvc[1]:.1f}"
        f" | {under_dvc[1] / under_dvc[0]:.1f} |"
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure both layouts, print and keep the table."""
    num = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_PICTURES
    (PROJECT / "build").mkdir(exist_ok=True)
    found = {}
    for name, write in (("packed", write_packed), ("files", write_files)):
        with tempfile.TemporaryDirectory(dir=PROJECT / "build") as work:
            found[name] = measure(write, num, Path(work))
            # Said before the folder is removed, which takes its time, too.
            print(name, {step: round(took, 1) for step, took in found[name].items()}, flush=True)
    table = report(found, num)
    print(table)
    write_json({"pictures": num, "seconds": found}, RESULTS / "packed_images.json")
    write_text(table, RESULTS / "packed_images.md")


if __name__ == "__main__":
    main()
