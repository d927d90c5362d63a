"""`mmrec serve`: a finished run over HTTP, and a page to try it with."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

HELP: Final = """Answers over HTTP by a finished run, and shows a page to try it with.

The address is of this machine alone unless --host says otherwise; it asks nobody who they are.
Ctrl-C stops it.

  mmrec serve --run demo-mp4sr"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where it is served."""
    parser.add_argument(
        "--run", required=True, help="an entry of `runs` or `ensembles`, or an exported folder"
    )
    parser.add_argument(
        "--new-items",
        metavar="TABLE",
        type=Path,
        help="items that may be on lists, too, though the run was trained without them",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 for a free one (8000)")


def run(arguments: argparse.Namespace) -> None:
    """Serve a run of the project in this folder until somebody stops it."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"the packages of the extra `serve` are not installed ({', '.join(missing)}); "
            f"{sys.executable} -m pip install --constraint constraints.txt --editable '.[serve]'"
        )
    from mmrec.stage import log_to_stderr, share_cores

    share_cores()
    log_to_stderr(os.environ.get("MMREC_LOG", "info"))
    from mmrec.serving.server import address_of, bind, hosts_of, make_server

    with bind(arguments.host, arguments.port) as bound:
        from mmrec.library.opening import open_run
        from mmrec.serving.app import create_app
        from mmrec.serving.pictures import pictures_of

        found = open_run(arguments.run, new_items=arguments.new_items)
        pictures = pictures_of(found.dataset.paths if found.dataset else None)
        app = create_app(found, pictures, hosts=hosts_of(bound))
        sys.stdout.write(f"run '{found.name}' is served at {address_of(bound)}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            make_server(app).run(sockets=[bound])
