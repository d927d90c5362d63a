"""Where everything lies, relative to the folder that holds `params.yaml` and `dvc.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RawPaths:
    """Files of one folder of raw tables: of a dataset, or of a union."""

    root: Path

    @property
    def items(self) -> Path:
        """Catalogue as the source gives it."""
        return self.root / "items.parquet"

    @property
    def interactions(self) -> Path:
        """Interaction log as the source gives it."""
        return self.root / "interactions.parquet"

    @property
    def image_links(self) -> Path:
        """A row per picture link with status and reason."""
        return self.root / "image_links.parquet"

    @property
    def images(self) -> Path:
        """Folder of packed picture bytes."""
        return self.root / "images"

    @property
    def summary(self) -> Path:
        """Counts of what the source gave, and of what was not taken."""
        return self.root / "summary.json"


@dataclass(frozen=True)
class DatasetPaths:
    """Files of one dataset."""

    root: Path

    @property
    def raw(self) -> Path:
        """Folder of what `crawl` brought."""
        return self.root / "raw"

    @property
    def raw_items(self) -> Path:
        """Catalogue as the source gives it."""
        return RawPaths(self.raw).items

    @property
    def raw_interactions(self) -> Path:
        """Interaction log as the source gives it."""
        return RawPaths(self.raw).interactions

    @property
    def image_links(self) -> Path:
        """A row per picture link with status and reason."""
        return RawPaths(self.raw).image_links

    @property
    def raw_images(self) -> Path:
        """Folder of packed picture bytes."""
        return RawPaths(self.raw).images

    @property
    def raw_summary(self) -> Path:
        """Counts of what the source gave, and of what was not taken."""
        return RawPaths(self.raw).summary

    @property
    def clean(self) -> Path:
        """Folder of the cleaned tables."""
        return self.root / "clean"

    @property
    def items(self) -> Path:
        """Items with their indices, counts and cold flags."""
        return self.clean / "items.parquet"

    @property
    def users(self) -> Path:
        """Users with their indices."""
        return self.clean / "users.parquet"

    @property
    def sequences(self) -> Path:
        """Chronological item indices of every user."""
        return self.clean / "sequences.parquet"

    @property
    def sentences(self) -> Path:
        """Sentences of every item."""
        return self.clean / "sentences.parquet"

    @property
    def images(self) -> Path:
        """Valid pictures of every item, by content key."""
        return self.clean / "images.parquet"

    @property
    def failed_images(self) -> Path:
        """Picture links of every item that gave no picture, with the reason."""
        return self.clean / "failed_images.parquet"

    @property
    def clean_summary(self) -> Path:
        """Counts after every cleaning step."""
        return self.clean / "summary.json"

    @property
    def keywords(self) -> Path:
        """CLIP's keywords of every picture."""
        return self.root / "keywords" / "keywords.parquet"

    @property
    def keywords_summary(self) -> Path:
        """Counts of the keyword stage."""
        return self.root / "keywords" / "summary.json"

    @property
    def keywords_stores(self) -> Path:
        """Where the vectors behind the keywords are kept."""
        return self.root / "keywords.json"

    def features(self, feature: str) -> Path:
        """Folder of one feature's parts."""
        return self.root / "features" / feature


@dataclass(frozen=True)
class PretrainingPaths:
    """Files of one pre-training; those of `none` come with the project."""

    data: Path
    name: str

    @property
    def pretrained(self) -> Path:
        """Folder of the model that runs start from, or of the note that there is none."""
        return self.data / "pretrainings" / self.name

    @property
    def history(self) -> Path:
        """Losses and validation metrics by epoch, which git keeps."""
        return self.data / "pretraining_histories" / f"{self.name}.csv"


@dataclass(frozen=True)
class RunPaths:
    """Files of one run: texts that git keeps, models, what evaluation gives; a folder each."""

    data: Path
    name: str

    @property
    def evaluated(self) -> Path:
        """Folder of ranks and retrieval vectors."""
        return self.data / "evaluated" / self.name

    @property
    def finetuned(self) -> Path:
        """Folder of the model that is evaluated."""
        return self.data / "models" / self.name / "finetuned"

    @property
    def finetune_history(self) -> Path:
        """Losses and validation metrics by epoch of fine-tuning."""
        return self.data / "runs" / self.name / "finetune_history.csv"

    @property
    def ranks(self) -> Path:
        """Rank of every user's held-out item."""
        return self.evaluated / "ranks.parquet"

    @property
    def item_vectors(self) -> Path:
        """Retrieval vectors of all items."""
        return self.evaluated / "items.parquet"

    @property
    def user_vectors(self) -> Path:
        """Query vectors of all users."""
        return self.evaluated / "users.parquet"

    @property
    def all_metrics(self) -> Path:
        """Metrics at every cut-off, of every group of users."""
        return self.evaluated / "all_metrics.json"

    @property
    def metrics(self) -> Path:
        """The few metrics that runs are compared by, for `dvc metrics` and `dvc exp show`."""
        return self.data / "runs" / self.name / "metrics.json"


@dataclass(frozen=True)
class Paths:
    """All paths of a project; the only place that spells folder names."""

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

    def run(self, name: str) -> RunPaths:
        """Paths of one run."""
        return RunPaths(self.root / "data", name)
