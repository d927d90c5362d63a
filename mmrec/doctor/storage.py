"""Where results are kept and go: folders, DVC's cache and the space it needs, its remote."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mmrec.doctor.finding import Finding, ok
from mmrec.params.yaml_file import YamlFileError, read_yaml
from mmrec.paths import Paths

_SPARE: Final = 10**9
"""Bytes without which hardly anything runs."""


def of_folders(paths: Paths, cache: Path) -> Iterator[Finding]:
    """Whether what stages and DVC write can be written."""
    folders = [
        *(paths.root / "data", paths.checkpoints.parent, paths.root / ".dvc"),
        *(cache, Path(tempfile.gettempdir())),
    ]
    if named := os.environ.get("MMREC_CACHE"):
        folders.append(Path(named))
    wrong = dict.fromkeys(found for folder in folders if (found := _obstacle(folder)))
    for place, why in wrong:
        mend = f"mv {place} {place}.away" if place.is_file() else f"chmod u+rwx {place}"
        yield Finding("folders", "wrong", f"{place} {why}", mend)
    if not wrong:
        yield ok("folders", "data, .mmrec, .dvc, DVC's cache and the temporary folder are writable")


def _obstacle(folder: Path) -> tuple[Path, str] | None:
    """What keeps a folder, which may not be there yet, from being written to, and why."""
    for place in (folder, *folder.resolve().parents):
        if place.is_dir():
            writable = os.access(place, os.W_OK | os.X_OK)
            return None if writable else (place, "is not writable")
        if place.exists() or place.is_symlink():
            break
    return place, "is no folder"


def of_space(lock: Path, cache: Any, folder: Path) -> Iterator[Finding]:
    """Free space against the size of those results in dvc.lock that the cache lacks.

    Args:
        lock: dvc.lock.
        cache: DVC's, which says where a result of some hash lies.
        folder: of the cache.
    """
    there = next(place for place in (folder, *folder.resolve().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    try:
        needed = sum(
            size for hashed, size in _results(lock) if not Path(cache.oid_to_path(hashed)).exists()
        )
    except YamlFileError as error:
        mend = "git checkout dvc.lock"
        yield Finding("dvc.lock", "wrong", str(error), mend)
        return
    said = f"{_size(free)} free at {folder}; results that it lacks: {_size(needed)}"
    mend = "`dvc gc --workspace` drops old results, `dvc cache dir --local <folder>` moves it"
    if free < needed:
        yield Finding("space", "wrong", said, mend)
    elif free < 2 * needed + _SPARE:
        # Twice: where files cannot be linked there is a copy in the project, too.
        yield Finding("space", "warning", said, mend)
    else:
        yield ok("space", said)


def _results(lock: Path) -> Iterator[tuple[str, int]]:
    """Hash and bytes of every result that dvc.lock names, each once."""
    if not lock.is_file():
        return
    content = read_yaml(lock)
    if not isinstance(content, Mapping) or not isinstance(content.get("stages"), Mapping):
        raise YamlFileError("found no stages in it")
    outs = [out for stage in content["stages"].values() for out in stage.get("outs", [])]
    yield from {out["md5"]: out.get("size", 0) for out in outs if "md5" in out}.items()


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def of_remote(config: Any) -> Iterator[Finding]:
    """The default remote; of one on a disk, whether it is there. Addresses are not called."""
    name = config["core"].get("remote")
    if not name:
        yield ok("remote", "none: results stay on this machine (docs/sharing_features.md)")
        return
    url = config["remote"].get(name, {}).get("url")
    if url is None:
        mend = f"dvc remote add {name} <folder or address>"
        yield Finding("remote", "wrong", f"'{name}' is the default, and not defined", mend)
    elif "://" in str(url):
        yield ok("remote", f"{name}: {url} (not called)")
    elif found := _obstacle(Path(url)):
        mend = f"mount it, or `dvc remote modify {name} url <folder>`"
        yield Finding("remote", "wrong", f"{name}: {url}: {found[0]} {found[1]}", mend)
    elif not Path(url).is_dir():
        mend = f"make share, if {url} is right"
        yield Finding("remote", "warning", f"{name}: {url} is not there yet", mend)
    else:
        yield ok("remote", f"{name}: {url}")
