"""What the page needs of the JSON that other stages write; there may be more in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Part = Mapping[str, float | None]
"""Metrics of one part and its number of users; where they may have several, of samples, too."""


@dataclass(frozen=True)
class Lists:
    """Metrics of lists in it."""

    all: Part
    history_length: Mapping[str, Part]


@dataclass(frozen=True)
class Metrics:
    """all_metrics.json of a run."""

    all: Part
    warm: Part
    cold: Part
    new: Part
    history_length: Mapping[str, Part]
    protocol: Mapping[str, object]
    lists: Lists | None = None
    cold_positions: Part = field(default_factory=dict)
    cold_positions_few: Part = field(default_factory=dict)
    cold_positions_new: Part = field(default_factory=dict)


@dataclass(frozen=True)
class EnsembleWeights:
    """What is known of the weights of an ensemble, [H, C, P]: by history, candidate and part."""

    parts: Sequence[str]
    weights: Sequence[Sequence[Sequence[float]]]


@dataclass(frozen=True)
class OfEnsemble:
    """What all_metrics.json of an ensemble has beside the metrics."""

    ensemble: EnsembleWeights


@dataclass(frozen=True)
class ListsSummary:
    """summary.json of recommendations."""

    top_k: int
    num_users: int
    num_items: int
    num_items_recommended: int
    num_users_with_fewer: int
    num_users_with_none: int
    catalogue_coverage: float


@dataclass(frozen=True)
class Step:
    """One step of cleaning; counts are None where they are not known yet."""

    step: str
    users: int | None = None
    items: int | None = None
    interactions: int | None = None
    sentences: int | None = None
    images: int | None = None
    dropped_unit: str = ""
    dropped: Mapping[str, int] = field(default_factory=dict)
    dropped_users: Mapping[str, int] = field(default_factory=dict)
    dropped_items: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CleanSummary:
    """summary.json of clean tables."""

    steps: Sequence[Step]
    counted: Mapping[str, int]
    protocol: Mapping[str, object]


@dataclass(frozen=True)
class KnockedOutRow:
    """A row of a part of knockouts.json; the run itself differs from nothing."""

    row: str
    mean: float
    standard_deviation: float | None
    difference: float | None
    low: float | None
    high: float | None
    holm: float | None
    effect_size: float | None


@dataclass(frozen=True)
class KnockedOutPart:
    """A part of it."""

    part: str
    metric: str
    size: int
    unit: str
    rows: Sequence[KnockedOutRow]
    sentences: Sequence[str]


@dataclass(frozen=True)
class KnockedOut:
    """knockouts.json of a run."""

    run: str
    seeds: Sequence[int]
    settings: Mapping[str, object]
    parts: Sequence[KnockedOutPart]


@dataclass(frozen=True)
class FeatureStores:
    """What a card needs of `<feature>.json`, which lies beside the folder of a feature."""

    stores: Sequence[str]


@dataclass(frozen=True)
class Trial:
    """A trial of a search; what is None is not known of a failed one."""

    trial: int
    state: str
    settings: Mapping[str, object]
    value: float | None
    epoch: int | None
    epochs: int
    seconds: float
    reason: str | None


@dataclass(frozen=True)
class SearchedSetting:
    """A setting that is searched, with what it may be."""

    setting: str
    options: object


@dataclass(frozen=True)
class Searched:
    """A file of `searches/` beside a run's metrics."""

    run: str
    objective: str
    num_trials: int
    sampler: str
    pruner: str
    space: Sequence[SearchedSetting]
    settings: Mapping[str, object]
    trials: Sequence[Trial]
    importance: Mapping[str, float]
