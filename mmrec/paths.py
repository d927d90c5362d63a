"""Where everything lies, relative to the folder that holds `params.yaml` and `dvc.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmrec.dataset_paths import DatasetPaths
from mmrec.run_paths import PretrainingPaths, RunPaths


@dataclass(frozen=True)
class Paths:
    """All paths of a project: with those of datasets and trainings, all folder names there are."""

    root: Path

    @property
    def params(self) -> Path:
        """The one source of settings."""
        return self.root / "params.yaml"

    @property
    def pipeline(self) -> Path:
        """The stages, with what each reads and writes."""
        return self.root / "dvc.yaml"

    @property
    def code(self) -> Path:
        """Folder of what stages depend on instead of code."""
        return self.root / "data" / "code"

    @property
    def evaluated(self) -> Path:
        """Folder of what evaluation gave, a folder for each run."""
        return self.root / "data" / "evaluated"

    @property
    def recommendations(self) -> Path:
        """Folder of the index and the lists."""
        return self.root / "data" / "recommendations"

    @property
    def recommended_lists(self) -> Path:
        """Top-K items of every user."""
        return self.recommendations / "recommendations.parquet"

    @property
    def report(self) -> Path:
        """Folder of the page."""
        return self.root / "data" / "report"

    @property
    def page(self) -> Path:
        """The page over all runs."""
        return self.report / "index.html"

    @property
    def checkpoints(self) -> Path:
        """Work in progress of trainings that were interrupted: not an artefact, not in git."""
        return self.root / ".mmrec" / "checkpoints"

    @property
    def verdicts(self) -> Path:
        """Which pictures decode: not an artefact, not in git."""
        return self.root / ".mmrec" / "decoded"

    def downloads(self, dataset: str) -> Path:
        """What a dataset's crawl has fetched so far: not an artefact, not in git."""
        return self.root / ".mmrec" / "crawl" / dataset

    def dataset(self, name: str) -> DatasetPaths:
        """Paths of one dataset."""
        return DatasetPaths(self.root / "data" / "datasets" / name)

    def union(self, name: str) -> Path:
        """Merged raw tables of a union, read by a dataset whose source is `raw`."""
        return self.root / "data" / "unions" / name

    def pretraining(self, name: str) -> PretrainingPaths:
        """Paths of one pre-training."""
        return PretrainingPaths(self.root / "data", name)

    def ensemble_weights(self, name: str) -> Path:
        """Weights of an ensemble's parts; what it ranks lies where a run's does."""
        return self.root / "data" / "ensembles" / name / "weights.json"

    def run(self, name: str) -> RunPaths:
        """Paths of one run."""
        return RunPaths(self.root / "data", name)


def costs_of(paths: Paths) -> Path:
    """What results took on this machine: not an artefact, not in git.

    No property of `Paths`: every stage depends on all of these, and would run again.
    """
    return paths.root / ".mmrec" / "costs"


def card_of(paths: Paths, run: str) -> Path:
    """The model card of a run; no property, as above."""
    return paths.report / "cards" / f"{run}.md"


def user_pages_of(paths: Paths) -> Path:
    """Pages of single users: not an artefact, not in git; no property, as above."""
    return paths.root / ".mmrec" / "users"
