"""A target of `dvc.yaml` in; its chain of stages, and what `dvc repro` would do with each, out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from mmrec.explain.code_changes import code_change, code_now
from mmrec.explain.values import differences
from mmrec.params.pipeline import Params
from mmrec.paths import Paths

Verdict: TypeAlias = Literal["up to date", "restore", "run", "perhaps"]

CODE: Final = "code"
"""The stage that every other depends on, each by a file of its own."""
_WORDS: Final = {
    "deleted": "is missing",
    "modified": "has changed",
    "not in cache": "is neither here nor in the cache",
    "new": "is new",
}


class Step(NamedTuple):
    """What would become of one stage."""

    stage: str
    verdict: Verdict
    """`perhaps`: only if a stage before it comes out different from what it was."""
    reasons: list[str]
    settings: Mapping[str, object]
    """By dotted path in params.yaml, those that it reads."""


def plan(target: str, params: Params, paths: Paths) -> list[Step]:
    """Steps of a stage and of all before it, in the order in which they would run.

    Raises:
        ValueError: DVC cannot tell, in its words: no project, no such stage, or busy.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    # What it says while it looks, of experiments' git or of slow links, is not about the run.
    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        with Repo(str(paths.root)) as repo, repo.lock:
            return _steps(repo, target, params, paths)
    except DvcException as error:
        raise ValueError(f"DVC: {error}; `dvc status {target}` says more") from error


def _steps(repo: Any, target: str, params: Params, paths: Paths) -> list[Step]:
    from dvc.repo.reproduce import plan_repro

    graph = repo.index.graph
    # By name: DVC takes addresses from where it is called.
    last = next((stage for stage in graph if _name(stage) == target), None)
    if last is None:
        raise ValueError(f"dvc.yaml has no stage {target}; git diff dvc.yaml")
    chain = plan_repro(graph, [last])
    first = next(stage for stage in chain if _name(stage) == CODE)
    edited = bool(first.status())
    now = code_now(params, paths) if edited else {}
    steps: dict[str, Step] = {}
    for stage in chain:
        before = [steps[_name(one)] for one in graph.successors(stage)]
        if stage is first:
            steps[CODE] = _of_code(stage)
            continue
        upstream = [step for step in before if step.stage != CODE and step.verdict != "up to date"]
        reasons = [*_own_reasons(stage, _outs(graph.successors(stage)), now, paths)]
        foretold = bool(now) and any(reason.startswith("code: ") for reason in reasons)
        steps[_name(stage)] = _step(repo, stage, reasons, upstream, foretold=foretold)
    return [*steps.values()]


def _name(stage: Any) -> str:
    """As dvc.yaml has it; of what `dvc add` keeps, the file's."""
    return getattr(stage, "name", None) or Path(stage.path).name


def _of_code(stage: Any) -> Step:
    """It takes seconds, and what it finds is told of each stage that it touches."""
    edited = [one.def_path for one in stage.deps if one.status() and one not in stage.params]
    reasons = [f"{name}/ has changed" for name in edited]
    if stage.status() and not reasons:
        reasons = ["params.yaml or its result has changed"]
    return Step(CODE, "run" if reasons else "up to date", reasons, {})


def _step(
    repo: Any, stage: Any, reasons: list[str], upstream: list[Step], *, foretold: bool
) -> Step:
    """What a stage will do; `foretold` is one whose record of its code is still of before."""
    settings = {
        name: value for dep in stage.params for name, value in dep.read_params(flatten=True).items()
    }
    if upstream:
        names = ", ".join(step.stage for step in upstream)
        verdict: Verdict = "run" if reasons else "perhaps"
        reasons = [*reasons, f"comes after {names}"]
    elif reasons:
        verdict = "restore" if not foretold and _is_in_run_cache(repo, stage) else "run"
    else:
        verdict = "up to date"
    return Step(_name(stage), verdict, reasons, settings)


def _own_reasons(
    stage: Any, of_others: list[Path], now: Mapping[str, str], paths: Paths
) -> Iterator[str]:
    """Why a stage is not up to date, but for what the stages before it have still to make."""
    code = paths.code.relative_to(paths.root).as_posix()
    if not any(out.hash_info for out in stage.outs):
        yield "has never run"
        return
    for dep in stage.deps:
        state = next(iter(dep.status().values()), None)
        path = dep.def_path
        if path.startswith(f"{code}/"):
            recorded = dep.hash_info.value if dep.hash_info else None
            if now and (change := code_change(path, recorded, now, paths.root)):
                yield change
            elif state and not now:
                yield "code: not as it last ran with"
        elif isinstance(state, Mapping):
            yield from differences(dep.hash_info.value or {}, dep.read_params(flatten=True))
        elif state and not (state == "deleted" and _within(dep.fs_path, of_others)):
            yield f"{path} {_WORDS.get(state, state)}"
    for out in stage.outs:
        for state in out.status().values():
            yield f"{out.def_path} {_WORDS.get(state, state)}"
    if stage.changed_stage():
        yield "its entry in dvc.yaml has changed"


def _outs(stages: Iterable[Any]) -> list[Path]:
    return [Path(out.fs_path) for stage in stages for out in stage.outs]


def _within(path: str, folders: list[Path]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _is_in_run_cache(repo: Any, stage: Any) -> bool:
    """Whether the stage ran like this before, and what it gave is still in the cache."""
    from dvc.exceptions import DvcException
    from dvc.stage.cache import RunCacheNotFoundError
    from dvc_data.hashfile.hash_info import HashInfo

    try:
        # As before a run, and of these objects alone: nothing is written.
        stage.save_deps()
        for out in stage.outs:
            out.hash_info = HashInfo()
        with chdir(repo.root_dir):  # where DVC takes the record's paths from
            repo.stage_cache.restore(stage, dry=True)
    except (RunCacheNotFoundError, DvcException, OSError):
        return False
    return True
