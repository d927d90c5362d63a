"""Metrics of top-K lists: what is recommended, whether or not it was right.

Of the K best items of each ranking, by its scores and among its candidates; a user has one, or as
many as items held out:

- `coverage@K`: share of the catalogue that is on anybody's list (aggregate coverage: Adomavicius
  and Kwon 2012; catalogue coverage: Ge et al. 2010);
- `gini@K`: how unevenly places on lists fall to the items of the catalogue, those without any
  included: 0 where all items are listed as often, near 1 where a few items have all places (as in
  Fleder and Hosanagar 2009);
- `novelty@K`: mean of -log2 of an item's share of all training interactions (self-information:
  Zhou et al. 2010; Castells et al. 2022, 16.3); an item without any counts as one with a single
  interaction, since its share of 0 would be infinitely new;
- `popularity@K`: mean of an item's training interactions (average recommendation popularity: Yin
  et al. 2012);
- `diversity_<what>@K`: 1 - cosine, mean over the pairs of a list (intra-list diversity: Smyth and
  McClave 2001, Ziegler et al. 2005), of what items are told apart by: `text` or `image`, a run's
  features; `category`, where two items have the same or not. A pair needs two items that have it.

Novelty, popularity and diversity are the mean over lists of the mean over each; coverage and gini
are of all lists together, and depend on how many there are. None of them is a
measure of quality by itself: a random ranking has the most of all but popularity.

Shapes: R lists, K length of a list, N items incl. padding, D width of a vector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec.evaluation.history_groups import history_groups
from mmrec.evaluation.metrics import Summary, group_size, has_several

FAMILIES = ("coverage", "gini", "novelty", "popularity")
DIVERSITIES = ("diversity_text", "diversity_image", "diversity_category")

LIST_METRIC = re.compile(rf"({'|'.join([*FAMILIES, *DIVERSITIES])})@([1-9]\d*)")

_VALUES_AT_ONCE = 2**24

Floats = npt.NDArray[np.float64]
Items = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


def summarize_lists(
    lists: pa.Table,
    lengths: Items,
    *,
    cutoffs: Sequence[int],
    history_bins: Sequence[int],
    training_counts: Items,
    vectors: Mapping[str, Callable[[Items], Vectors]],
) -> dict[str, Summary | dict[str, Summary]]:
    """Metrics of `all` lists, and of those by `history_length`.

    Args:
        lists: `LISTS`, at least as long as the largest cut-off where there are as many items.
        lengths: [R], of the histories.
        cutoffs: the K.
        history_bins: as of `summarize_ranks`.
        training_counts: [N], training interactions by item index.
        vectors: by what items are told apart, and what gives these [n, D] of n item indices; zeros
            for an item without, and for padding.
    """
    items = padded_lists(lists, max(cutoffs, default=0))
    diversities = list_diversities(items, cutoffs, vectors)
    users = lists["user_index"].to_numpy()
    are_samples = has_several(users)

    def of(members: npt.NDArray[np.bool_]) -> Summary:
        found: Summary = {}
        for cutoff in cutoffs if members.any() else ():
            found |= _of_group(items[members, :cutoff], cutoff, training_counts)
        means = {name: known_mean(values[members]) for name, values in diversities.items()}
        told = {name: value for name, value in means.items() if value is not None}
        return found | told | group_size(users[members], samples=are_samples)

    groups = history_groups(lengths, history_bins)
    return {
        "all": of(np.ones(len(items), dtype=bool)),
        "history_length": {name: of(members) for name, members in groups.items()},
    }


def list_diversities(
    items: Items, cutoffs: Sequence[int], vectors: Mapping[str, Callable[[Items], Vectors]]
) -> dict[str, Floats]:
    """Diversity of each list [R] by name; arguments as of `summarize_lists`."""
    listed, places = np.unique(items, return_inverse=True)
    places = places.reshape(items.shape)
    found = {}
    for what, vectors_of in vectors.items():
        units = unit_rows(vectors_of(listed))
        for cutoff in cutoffs:
            found[f"diversity_{what}@{cutoff}"] = list_diversity(places[:, :cutoff], units)
    return found


def is_list_metric(name: str) -> bool:
    """Whether this is the name of a metric of lists."""
    return LIST_METRIC.fullmatch(name) is not None


def list_cutoffs(names: Iterable[str]) -> list[int]:
    """The K of those names that are metrics of lists, ascending."""
    return sorted({int(match[2]) for match in map(LIST_METRIC.fullmatch, names) if match})


def padded_lists(lists: pa.Table, length: int) -> Items:
    """`LISTS` as item indices [R, K]: as many as `length`, 0 where a list has fewer."""
    items = lists["items"].combine_chunks()
    lengths = np.diff(items.offsets.to_numpy())
    places = np.arange(length)
    has = places < lengths[:, None]
    padded = np.zeros((len(lengths), length), dtype=np.int64)
    inside = (items.offsets.to_numpy()[:-1, None] + places)[has]
    padded[has] = items.values.to_numpy()[inside]
    return padded


def coverage(items: Items, num_items: int) -> float:
    """Share of `num_items` that is among [R, K].

    >>> coverage(np.array([[1, 2], [2, 0]]), 4)
    0.5
    """
    return len(np.unique(items[items > 0])) / num_items


def gini(items: Items, num_items: int) -> float:
    """Gini coefficient of how often each of `num_items` is among [R, K]; 0 of empty lists.

    >>> gini(np.array([[1, 2], [3, 4]]), 4), gini(np.array([[1], [1]]), 4)
    (0.0, 0.75)
    """
    counts = np.sort(np.bincount(items[items > 0], minlength=num_items + 1)[1:])
    if not counts.sum():
        return 0.0
    places = np.arange(1, num_items + 1)
    return float(2 * (places @ counts) / (num_items * counts.sum()) - (num_items + 1) / num_items)


def list_means(items: Items, of_items: Floats) -> Floats:
    """Mean of a value of items [N] over each list [R, K]; NaN of an empty one."""
    listed = items > 0
    sums = np.where(listed, of_items[items], 0.0).sum(axis=1)
    means = np.full(len(items), np.nan)
    np.divide(sums, listed.sum(axis=1), out=means, where=listed.any(axis=1))
    return means


def self_information(training_counts: Items) -> Floats:
    """-log2 of the share of training interactions [N], of at least one each."""
    total = max(1, int(training_counts[1:].sum()))
    information: Floats = np.log2(total) - np.log2(np.maximum(training_counts, 1))
    return information


def list_diversity(items: Items, units: Vectors) -> Floats:
    """Mean of 1 - cosine over the pairs of each list [R]; NaN without a pair.

    Args:
        items: [R, K], places in `units`.
        units: [n, D] of length 1; zeros for an item without, and for padding.
    """
    has_vector = (units != 0).any(axis=1)
    counts = has_vector[items].sum(axis=1).astype(np.float64)
    squares = np.empty(len(items))
    step = max(1, _VALUES_AT_ONCE // max(1, items.shape[1] * units.shape[1]))
    for start in range(0, len(items), step):
        sums = units[items[start : start + step]].sum(axis=1, dtype=np.float64)
        squares[start : start + step] = (sums**2).sum(axis=1)
    # The square of a sum is every vector's with itself, 1, and every pair's twice.
    pairs = counts * (counts - 1)
    diversities = np.full(len(items), np.nan)
    np.divide(pairs - (squares - counts), pairs, out=diversities, where=pairs > 0)
    return diversities


def unit_rows(vectors: Vectors) -> Vectors:
    """Rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.zeros_like(vectors)
    np.divide(vectors, lengths, out=units, where=lengths > 0)
    return units


def _of_group(items: Items, cutoff: int, training_counts: Items) -> Summary:
    num_items = len(training_counts) - 1
    novelty = known_mean(list_means(items, self_information(training_counts)))
    popularity = known_mean(list_means(items, training_counts.astype(np.float64)))
    found: Summary = {
        f"coverage@{cutoff}": coverage(items, num_items),
        f"gini@{cutoff}": gini(items, num_items),
    }
    if novelty is not None and popularity is not None:
        found |= {f"novelty@{cutoff}": novelty, f"popularity@{cutoff}": popularity}
    return found


def known_mean(values: Floats) -> float | None:
    """Mean of those that are not NaN; None where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
