"""`mmrec features cache`, or `python -m mmrec.features.cache`: look after the feature cache."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.features.cache import maintenance, pruning
from mmrec.features.cache.place import FeatureCache, open_cache
from mmrec.features.cache.plain import is_plain_file
from mmrec.features.cache.remote import RemoteCache
from mmrec.features.cache.store import DESCRIPTION
from mmrec.io import DataError

HELP: Final = "Look after the feature cache of the project in this folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is to be done with it."""
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("stats", help="what is held, for what, how large")
    commands.add_parser("compact", help="join small files")
    prune = commands.add_parser("prune", help="delete what no branch, tag or experiment refers to")
    prune.add_argument(
        "--delete",
        action="store_true",
        help="delete; without it, only say what. Only this clone is asked what it refers to, with "
        "the remote branches it has fetched: who shares the cache from other clones encodes again "
        "what only their unpushed commits refer to",
    )
    prune.add_argument(
        "--idle-days",
        type=float,
        default=7.0,
        help="keep what was added to within so many days, as a stage or another clone may be "
        "using it (default: %(default)g)",
    )
    commands.add_parser("push", help="bring what is new to the DVC remote")
    commands.add_parser("pull", help="bring everything from the DVC remote")


def run(arguments: argparse.Namespace) -> None:
    """Do it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    cache = open_cache(Path())
    match arguments.command:
        case "stats":
            _stats(cache)
        case "compact":
            _each_store(cache, maintenance.compact, "fewer")
        case "prune":
            _prune(cache, idle_days=arguments.idle_days, delete=arguments.delete)
        case "push":
            _each_store(cache, _remote(cache).push, "pushed")
        case "pull":
            _pull(cache)


def _stats(cache: FeatureCache) -> None:
    print(f"{cache.root}")
    for store in maintenance.stats(cache.root):
        kept = store.fingerprint
        print(
            f"\n{store.name}: {store.num_rows:,} vectors in {store.num_segments} files, "
            f"{store.num_bytes / 1e6:,.1f} MB\n"
            f"  {kept.extractor} version {kept.version}, model {kept.model}, weights "
            f"{kept.weights[:12]}\n"
            f"  {kept.dim} × {kept.precision}, normalised: {kept.normalize}, pooling: "
            f"{kept.pooling}\n"
            f"  preprocessing: {kept.preprocessing}\n"
            f"  made with {json.dumps(store.libraries)}"
        )


def _each_store(cache: FeatureCache, work: Callable[[Path], int], done: str) -> None:
    for store in maintenance.stores(cache.root):
        try:
            print(f"{store.name}: {work(store)} files {done}")
        except DataError as error:
            print(f"{store.name}: left out ({error})", file=sys.stderr)


def _prune(cache: FeatureCache, *, idle_days: float, delete: bool) -> None:
    live = pruning.live_stores(Path())
    dead = pruning.dead_stores(cache.root, live, idle_days=idle_days)
    if delete:
        pruning.sweep(cache.root)
    for store in dead:
        if delete:
            pruning.remove(store)
        print(f"{store.name}: {'deleted' if delete else 'nothing refers to it'}")
    if dead and not delete:
        print("nothing was deleted; run again with --delete")
    elif not dead:
        print(f"everything is referred to, or was added to within {idle_days:g} days")


def _pull(cache: FeatureCache) -> None:
    remote = _remote(cache)
    for name in remote.stores():
        folder = cache.root / name / "segments"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            if not is_plain_file(folder.parent / DESCRIPTION):
                remote.describe(name, folder.parent / DESCRIPTION)
            print(f"{name}: {remote.pull(name, folder)} files pulled")
        except DataError as error:
            print(f"{name}: left out ({error})", file=sys.stderr)


def _remote(cache: FeatureCache) -> RemoteCache:
    if cache.remote is None:
        raise ValueError(
            "no DVC remote that can list its files, or MMREC_CACHE_REMOTE is off; "
            "`dvc remote add --default <name> <url>` adds one"
        )
    return cache.remote


if __name__ == "__main__":
    call(Command(HELP, add_arguments, run), "python -m mmrec.features.cache", sys.argv[1:])
