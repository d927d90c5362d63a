"""Which stores nothing refers to any more, and deleting them."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mmrec.features.cache.age import now
from mmrec.features.cache.maintenance import stores
from mmrec.features.cache.segments import segment_files
from mmrec.features.cache.store import DESCRIPTION
from mmrec.io import DataError

_DESCRIPTIONS: Final = ("data/datasets/*/features/*.json", "data/datasets/*/keywords.json")
"""What stages leave in git about the stores they used."""
_DOOMED: Final = ".deleted-"


def live_stores(project: Path) -> set[str]:
    """Names of the stores that any commit, experiment or the working tree refers to.

    Raises:
        DataError: the folder is no git repository, or git does not give what is in it, so it
            cannot be known.
    """
    found: set[str] = set()
    for text in _described_in_git(project):
        try:
            found.update(json.loads(text)["stores"])
        except (ValueError, KeyError, TypeError):
            continue  # another file of this name, or of another time
    return found


def dead_stores(root: Path, live: Iterable[str], *, idle_days: float) -> list[Path]:
    """Stores that are not among the live ones and that nobody has added to for so many days.

    A cache may be shared: a stage that is still encoding, or the unpushed commits of another
    clone, refer to stores that this project does not know of. How long it is since is told by
    the clock that dates the files, as machines that share a cache do not agree on the time.
    """
    alive = set(live)
    others = [store for store in stores(root) if store.name not in alive]
    if not others:
        return []
    limit = now(root) - idle_days * 86_400
    return [store for store in others if _last_added(store) < limit]


def remove(store: Path) -> None:
    """Delete a store, at once for those who look for it; `sweep` completes one cut off."""
    doomed = store.with_name(f"{_DOOMED}{uuid.uuid4().hex}")
    store.rename(doomed)
    shutil.rmtree(doomed)


def sweep(root: Path) -> None:
    """Delete the rest of stores whose deletion was cut off."""
    for doomed in root.glob(f"{_DOOMED}*"):
        with suppress(FileNotFoundError):  # another process sweeps, too
            shutil.rmtree(doomed)


def _last_added(store: Path) -> float:
    """When the store was made, or a segment was added to it or fetched."""
    paths = [store / DESCRIPTION, store / "segments", *segment_files(store / "segments")]
    times = [0.0]
    for path in paths:
        with suppress(FileNotFoundError):  # compacted since it was listed
            times.append(path.stat().st_mtime)
    return max(times)


def _described_in_git(project: Path) -> Iterator[bytes]:
    """Every version of every description, those of the working tree first."""
    for pattern in _DESCRIPTIONS:
        for path in project.glob(pattern):
            yield path.read_bytes()
    globs = (f":(glob){pattern}" for pattern in _DESCRIPTIONS)
    # By default git leaves out commits whose branch was merged without its version of a file.
    log = ["-c", "log.showRoot=true", "log", "--all", "--full-history", "-m", "--raw"]
    listed = _git(project, *log, "--no-abbrev", "--no-renames", "--format=", "--", *globs)
    changes = [line.split() for line in listed.splitlines() if line.startswith(b":")]
    blobs = {blob for change in changes for blob in change[2:4] if blob.strip(b"0")}
    given = _git(project, "cat-file", "--batch", sent=b"".join(blob + b"\n" for blob in blobs))
    while given:
        header, _, rest = given.partition(b"\n")
        if not header.split()[-1].isdigit():
            raise DataError(
                f"{project.absolute()}: git has not all of its history ({header.decode()}), so "
                "what is referred to cannot be known; `git fetch` it or run elsewhere"
            )
        size = int(header.split()[-1])
        yield rest[:size]
        given = rest[size + 1 :]


def _git(project: Path, *arguments: str, sent: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", *arguments], cwd=project, input=sent, capture_output=True, check=False
    )
    if done.returncode:
        raise DataError(
            f"{project.absolute()}: git failed ({done.stderr.decode().strip()}); run where the "
            "project's history is"
        )
    return done.stdout
