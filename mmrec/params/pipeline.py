"""The root of `params.yaml`, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    Tag,
    model_validator,
)

from mmrec.params.datasets import DatasetParams, UnionParams
from mmrec.params.ensemble import EnsembleParams
from mmrec.params.features import EmbedParams
from mmrec.params.models.registry import ModelParams
from mmrec.params.section import Name, Section

ColdPositions = Literal["heldout", "literal"]
"""Which positions of sequences that have a cold item are samples: held-out ones, or all."""

MaskHistory = Literal[True, False, "zero"]
"""Whether what a user has seen is no candidate (true), competes by its score (false), or competes
with a score of 0: the protocol of S3-Rec's published tables, there to repeat these."""

MAX_CATEGORIES = 20
"""As many as can be told apart on a map."""

Word = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$")]
"""One or several, without space around."""


class PretrainingParams(Section):
    """A dataset, a model and the features it reads: trained once for any number of runs."""

    dataset: Name
    model: Name
    """An entry of `models` whose `pretrain` is set."""
    text: Name
    image: Name
    seed: NonNegativeInt


class RunParams(Section):
    """A dataset, a model, the features it reads and the pre-training it starts from."""

    dataset: Name
    model: Name
    """An entry of `models`."""
    text: Name
    image: Name
    init_from: Name
    """An entry of `pretrainings`, or `none`: fresh weights."""
    seed: NonNegativeInt


class ValidationParams(Section):
    """How the best epoch of a training is chosen: as it is to be evaluated."""

    mask_history: bool
    """What a user has seen is no candidate. Apart from `evaluate.mask_history`, so that ranking
    by another protocol trains nothing again."""


class HistoryQuantiles(Section):
    """Groups by history length with borders at quantiles: as many users in each as can be."""

    name: Literal["quantiles"]
    groups: Annotated[int, Field(ge=2)]
    """How many; fewer where so many users have equal histories that borders coincide."""


def _kind_of_bins(found: object) -> str:
    return "quantiles" if isinstance(found, Mapping | HistoryQuantiles) else "ends"


HistoryBins = Annotated[
    Annotated[list[PositiveInt], Tag("ends")] | Annotated[HistoryQuantiles, Tag("quantiles")],
    Discriminator(_kind_of_bins),
]


class EvaluateParams(Section):
    """One protocol for every run: leave-one-out, full ranking."""

    mask_history: MaskHistory
    """What a user has seen is no candidate; a held-out item that is among it stays one. `zero` is
    for repeating a published table only."""
    cutoffs: Annotated[list[PositiveInt], Field(min_length=1)]
    """Lengths K of recall@K and ndcg@K."""
    history_bins: HistoryBins
    """Upper ends of the history-length groups, the last of which is open; or `{name: quantiles,
    groups: 5}`, as the five of MP4SR's Figure 8."""
    lists_at: list[PositiveInt] = Field(default_factory=lambda: [10])
    """Lengths of the lists of best items that coverage, novelty and diversity are of; none for no
    lists."""
    cold_positions: ColdPositions | None
    """Whether cold items are also ranked wherever sequences have them, each after the items before
    it: `heldout`, at validation and test positions; `literal`, at training positions as well, where
    the model was trained on that very pair."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name in ("cutoffs", "history_bins", "lists_at"):
            values = getattr(self, name)
            if isinstance(values, list) and sorted(set(values)) != values:
                raise ValueError(f"{name} must ascend without repeats, found {values}")
        return self


class RecommendParams(Section):
    """Top-K lists for every user of one run's dataset."""

    run: Name
    """An entry of `runs` or `ensembles`."""
    top_k: PositiveInt
    """Length of a list."""
    keep_seen: bool
    """Whether what the user has seen may be on the list."""


class ReportParams(Section):
    """The page over all runs."""

    title: str
    """Heading of the page."""
    dataset: Name
    """Dataset whose pictures and users are shown; that of `recommend.run`."""
    num_sample_users: NonNegativeInt
    """Users whose histories and lists are shown."""
    num_gallery_items: NonNegativeInt
    """Items whose pictures and keywords are shown."""
    maps: list[Name] = Field(default_factory=list)
    """Runs on this dataset whose item vectors are laid out in the plane (t-SNE), side by side."""
    categories: Annotated[list[Word], Field(max_length=MAX_CATEGORIES)] = Field(
        default_factory=list
    )
    """Words that name a category, for colours on the maps: of those in an item's text, the first
    one is its category. None leaves these maps out."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in ("maps", "categories"):
            found = getattr(self, name)
            if len({value.casefold() for value in found}) < len(found):
                raise ValueError(f"{name}: found {found}, expected each once")
        return self


class Params(Section):
    """The whole of `params.yaml`."""

    datasets: dict[Name, DatasetParams]
    """Where items, users and interactions come from, and what is kept of them."""
    unions: dict[Name, UnionParams]
    """Two datasets as one, written for an entry of `datasets` with the source `raw`."""
    embed: EmbedParams
    """Features: what frozen models make of texts and pictures."""
    models: dict[Name, ModelParams]
    """Models and how they are trained; what is left out is as published."""
    pretrainings: dict[Name, PretrainingParams]
    """Trainings that runs start from."""
    runs: dict[Name, RunParams]
    """What is trained and evaluated."""
    ensembles: dict[Name, EnsembleParams]
    """Runs that rank together."""
    validation: ValidationParams
    """How epochs are compared."""
    evaluate: EvaluateParams
    """How runs are compared."""
    recommend: RecommendParams
    """Lists for every user."""
    report: ReportParams
    """What the page over all runs shows."""
