"""Groups of users by the length of their histories: lengths in, who is in which group out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

_GROUP = re.compile(r"\d+(-\d+|\+)")


def history_groups(
    lengths: npt.NDArray[np.int64], history_bins: Sequence[int]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Who is in which group by history length, bool [users], by name such as `6-10` and `11+`.

    Args:
        lengths: of the users' histories.
        history_bins: ascending upper ends of the groups; a last one holds what is longer.
    """
    lower_ends = [1, *(end + 1 for end in history_bins)]
    names = [f"{first}-{after - 1}" for first, after in pairwise(lower_ends)]
    return {name: group_members(lengths, name) for name in [*names, f"{lower_ends[-1]}+"]}


def history_ends(lengths: npt.NDArray[np.int64], groups: int) -> list[int]:
    """Upper ends of groups by history length with as many users each as can be.

    Users with equal histories are in one group, so that groups may be fewer, and unequal.

    >>> history_ends(np.array([4, 4, 4, 5, 6, 7, 9, 30]), 4)
    [4, 5, 7]

    Args:
        lengths: of the users' histories.
        groups: that are wanted.
    """
    if not len(lengths):
        return []
    shares = np.arange(1, groups) / groups
    ends = np.unique(np.quantile(lengths, shares, method="inverted_cdf"))
    return [int(end) for end in ends if end < lengths.max()]


def is_history_group(name: str) -> bool:
    """Whether a group by history length may have this name."""
    return _GROUP.fullmatch(name) is not None


def group_members(lengths: npt.NDArray[np.int64], group: str) -> npt.NDArray[np.bool_]:
    """Who is in a group by history length of this name.

    >>> group_members(np.array([1, 5, 6, 11]), "1-5")
    array([ True,  True, False, False])
    >>> group_members(np.array([1, 5, 6, 11]), "6+")
    array([False, False,  True,  True])
    """
    first, _, last = group.removesuffix("+").partition("-")
    members: npt.NDArray[np.bool_] = lengths >= int(first)
    return members & (lengths <= int(last)) if last else members
