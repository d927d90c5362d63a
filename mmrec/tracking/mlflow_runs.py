"""Finished runs in; runs of MLflow, each of them once, out."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from mmrec.io import DataError
from mmrec.tracking.tracked import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

T = TypeVar("T")

_DIGEST: Final = "mmrec.digest"
_NOT_THERE: Final = -1
_METRICS_AT_ONCE: Final = 1000
_SETTINGS_AT_ONCE: Final = 100
_LONGEST_SETTING: Final = 6000
"""All three are MLflow's own limits."""
_SPELLED: Final = {"@": "_at_", "+": "_or_more"}
_USUAL: Final = {
    # A server that is down is said after seconds, not after minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    # What is sent goes to the address that was named, and nowhere else.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def require_mlflow() -> None:
    """Refuse where MLflow is not installed.

    Raises:
        ValueError: says how to install it.
    """
    if find_spec("mlflow") is None:
        raise ValueError(
            "the package of the extra `track` is not installed (mlflow-skinny); "
            f"{sys.executable} -m pip install --constraint constraints.txt --editable '.[track]'"
        )


class MlflowRuns:
    """An experiment of an MLflow server or store, to which runs are sent.

    Args:
        uri: as MLflow takes it.
        experiment: made if it is not there.

    Raises:
        DataError: it does not answer, or refuses.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        for name, value in _USUAL.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self._uri = uri
        self._client: MlflowClient = self._asked(lambda: MlflowClient(tracking_uri=uri))
        self._experiment: str = self._asked(lambda: self._experiment_of(experiment))

    def send(self, run: TrackedRun) -> str:
        """Send a run, or what an earlier call did not finish of it; says which it was.

        Raises:
            DataError: the server does not answer, or refuses.
        """
        return self._asked(lambda: self._send(run))

    def _send(self, run: TrackedRun) -> str:
        query = f"tags.`{_DIGEST}` = '{run.digest}'"
        found = self._client.search_runs([self._experiment], query, max_results=1)
        if found and found[0].info.status == "FINISHED":
            added = self._send_files(found[0].info.run_id, run)
            return f"there already, {added} files added" if added else "there already"
        if found:
            info, done = found[0].info, "sent, which was begun before"
        else:
            info, done = (
                self._client.create_run(self._experiment, tags=_tags(run), run_name=run.name).info,
                "sent",
            )
        self._send_values(info.run_id, run, info.start_time)
        added = self._send_files(info.run_id, run)
        self._client.set_terminated(info.run_id)
        epochs = sum(len(history["epoch"]) for history in run.histories.values())
        return (
            f"{done}: {len(run.settings)} settings, {len(run.metrics)} metrics, {epochs} epochs, "
            f"{added} files"
        )

    def _send_values(self, run_id: str, run: TrackedRun, start_ms: int) -> None:
        """Settings and figures; those that are there already stay as they are, being equal."""
        from mlflow.entities import Param

        settings = [Param(*one) for one in _settings(run.settings)]
        for some in _parts(settings, _SETTINGS_AT_ONCE):
            self._client.log_batch(run_id, params=some)
        for figures in _parts([*_figures(run, start_ms)], _METRICS_AT_ONCE):
            self._client.log_batch(run_id, metrics=figures)

    def _send_files(self, run_id: str, run: TrackedRun) -> int:
        """Files that are not there, or not whole; how many these were."""
        added = 0
        for folder, paths in run.files.items():
            listed = self._client.list_artifacts(run_id, folder)
            there = {one.path: one.file_size for one in listed}
            for path in paths:
                # Some stores tell no sizes.
                whole = (path.stat().st_size, None)
                if there.get(f"{folder}/{path.name}", _NOT_THERE) not in whole:
                    self._client.log_artifact(run_id, str(path), folder)
                    added += 1
        return added

    def _experiment_of(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name))
        if found.lifecycle_stage != "active":
            raise DataError(
                f"experiment '{name}' is deleted there; restore it, or name another with "
                "--experiment"
            )
        return str(found.experiment_id)

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except _refusals() as error:
            shown = without_password(self._uri)
            said = " ".join(str(error).replace(self._uri.rstrip("/"), shown).split())
            raise DataError(
                f"MLflow at {shown}: {said}; nothing here is changed, and the same command sends "
                "what is missing there"
            ) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What MLflow raises; of a store in a database also what it lets pass of that."""
    from mlflow.exceptions import MlflowException

    if find_spec("sqlalchemy") is None:  # a server needs none
        return (MlflowException,)
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError


def without_password(uri: str) -> str:
    """An address without who asks.

    >>> without_password("https://me:secret@example.org/a")
    'https://example.org/a'
    >>> without_password("sqlite:////folder/runs.db")
    'sqlite:////folder/runs.db'
    """
    told, _, _ = urlsplit(uri).netloc.rpartition("@")
    return (uri.replace(f"{told}@", "", 1) if told else uri).rstrip("/")


def metric_name(name: str) -> str:
    """A name as MLflow allows it.

    >>> metric_name("test/history_length/21+/ndcg@10")
    'test/history_length/21_or_more/ndcg_at_10'
    """
    for mark, spelled in _SPELLED.items():
        name = name.replace(mark, spelled)
    return re.sub(r"[^\w/. -]", "_", name)


def _tags(run: TrackedRun) -> dict[str, str]:
    return {
        _DIGEST: run.digest,
        "mmrec.run": run.name,
        "mmrec.dataset": run.dataset,
        "mmrec.version": metadata.version("mmrec"),
    }


def _settings(settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        text = value if isinstance(value, str) else json.dumps(value)
        yield name, text if len(text) <= _LONGEST_SETTING else f"{text[: _LONGEST_SETTING - 1]}…"


def _figures(run: TrackedRun, start_ms: int) -> Iterator[Metric]:
    """All at the time when the run began there: sent once more, they are the same."""
    from mlflow.entities import Metric

    for name, value in {**run.metrics, **run.costs}.items():
        yield Metric(metric_name(name), value, start_ms, 0)
    for stage, history in run.histories.items():
        for column, values in history.items():
            name = metric_name(f"{stage}/{column}")
            if column == "epoch":
                continue
            for epoch, value in zip(history["epoch"], values, strict=True):
                yield Metric(name, value, start_ms, int(epoch))


def _parts(values: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    return (values[start : start + length] for start in range(0, len(values), length))
