"""A `python` that starts in a moment: a server has imported the libraries, and forks.

Importing torch, transformers and DVC is most of what a stage of a small shop costs. Here are
an environment's `python -m …` and `dvc` that hand their arguments, folder, environment and
standard streams to the server, whose fork runs the module as a start would; its end is theirs.
The server never imports the project: a fork reads the code of the folder it is called in. It
hashes text with one seed, as all that it forks do; what could differ between two starts is
compared with real ones. A call whose libraries would read other variables on loading than the
server's did is a real start.

This file is both ends. The caller's has to start at once and imports next to nothing.
"""

# ruff: noqa: PTH100, PTH109, PTH120, T201

from __future__ import annotations

import os
import socket
import sys

_LIBRARIES = (
    *("dvc.cli", "dvc.commands.repro", "dvc.repo.experiments"),
    *("open_clip", "sentence_transformers", "sklearn.feature_extraction.text", "transformers"),
    "sklearn.manifold",
    *("polars", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet", "pydantic", "ruamel.yaml"),
    *("aiohttp", "faiss", "ftfy", "jinja2", "matplotlib.figure", "PIL.Image", "scipy.stats"),
    *("selectolax.lexbor", "sentencex", "timm", "tqdm"),
)
_READ_ON_LOADING = ("OMP_", "GOMP_", "OPENBLAS_", "MKL_", "POLARS_", "HF_", "TRANSFORMERS_")
_PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def call(address: str, arguments: list[str]) -> None:
    """The caller's end: have a fork run `arguments`, and end as it does."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(repr((arguments, os.getcwd(), dict(os.environ))).encode())
        server.shutdown(socket.SHUT_WR)
        answer = server.recv(8).decode()
    if answer == "start":
        os.execv(sys.executable, [sys.executable, *arguments])
    status = int(answer)
    os._exit(status if status >= 0 else 128 - status)  # as a shell says that a signal ended it


def serve(address: str) -> list[str]:
    """The server's end, until standard input ends; returns in a fork: what that has to run."""
    import select
    from contextlib import suppress
    from shutil import rmtree

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        _import_libraries()
        while listener in select.select([listener, 0], [], [])[0]:
            caller, _ = listener.accept()
            if os.fork() == 0:
                return _become(caller)
            caller.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    rmtree(os.path.dirname(address))
    os._exit(0)


def _become(caller: socket.socket) -> list[str]:
    """Fork what has the caller's streams, folder, environment and path; tell how it ended."""
    from ast import literal_eval

    _, streams, _, _ = socket.recv_fds(caller, 1, 3)
    with caller.makefile("rb") as file:
        arguments, folder, environment = literal_eval(file.read().decode())
    if arguments[:1] != ["-m"] or _read_on_loading(environment) != _read_on_loading(os.environ):
        caller.sendall(b"start")
        os._exit(0)
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    caller.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    named = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [folder, *(os.path.abspath(name) for name in named if name)]
    return arguments[1:]


def _read_on_loading(environment: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_ON_LOADING)}


def _import_libraries() -> None:
    import gc
    from importlib import import_module

    import_module("torch")
    # What `import torchvision` needs, under another name than the project's.
    sys.path.append(f"{_PROJECT}/mmrec")
    import_module("torchvision_schemas").define_missing_operators()
    sys.path.pop()
    for name in _LIBRARIES:
        import_module(name)
    stray = [name for name in sys.modules if name.split(".")[0] in ("mmrec", "stages")]
    assert not stray, stray
    gc.collect()
    gc.freeze()


def _run(arguments: list[str]) -> None:
    """As `python -m` would, but for taking everything that was imported apart at the end."""
    import atexit
    import threading
    from runpy import run_module

    sys.argv, status = arguments, 0
    try:
        run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except Exception:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _run(serve(sys.argv[2]))
    else:
        call(sys.argv[2], sys.argv[3:])
