"""Tests of knock-outs in, sentences that follow from them out.

A fall or a rise is one that the paired test finds with Holm's correction (p < .05). That nothing
falls is never concluded from a p-value: the whole 95 % interval of the difference must lie within
a tenth of what the run has. A run with content is better than one without only if it is better
than with *every* knock-out: items that get wrong content can be harmed by it, which says nothing
of what the right one is good for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Final, Literal, NamedTuple

from mmrec.compare.table import ComparedRow
from mmrec.knockouts.arms import IDS, POPULARITY, TOGETHER, Arm

Verdict = Literal["falls", "falls little", "same", "rises", "unclear"]
Conclusion = Literal["helps", "helps little", "no help", "harm", "open"]
SIGNIFICANT: Final = 0.05
LITTLE: Final = 0.1
"""Share of the run's value below which a difference is little."""
_GIVEN: Final = {
    "shuffled": "items get each other's {what}",
    "constant": "all items have the same {what}, the mean",
    "noise": "the {what} of items is noise",
}


class Outcome(NamedTuple):
    """What a row has, and what the test says of it against the run."""

    value: float
    low: float
    high: float
    verdict: Verdict


class Told(NamedTuple):
    """What is concluded of some features together, and how it is said."""

    conclusion: Conclusion
    text: str


def outcome(own: float, row: ComparedRow) -> Outcome:
    """A row against the run.

    Args:
        own: the run's value.
        row: that is compared with it.
    """
    assert row.comparison is not None
    assert row.interval is not None
    difference, margin = row.comparison.test.difference, LITTLE * own
    low, high = row.interval.low, row.interval.high
    verdict: Verdict
    if row.comparison.holm < SIGNIFICANT:
        fall: Verdict = "falls" if -difference >= margin else "falls little"
        verdict = "rises" if difference > 0 else fall
    else:
        verdict = "same" if -margin < low and high < margin else "unclear"
    return Outcome(mean(row.values), low, high, verdict)


def sentences(
    run: str, metric: str, arms: Sequence[Arm], rows: Mapping[str, ComparedRow]
) -> list[str]:
    """What follows of one part of the targets.

    Args:
        run: name of the row that all others are compared with.
        metric: as it is called, such as `Recall@10`.
        arms: the knock-outs, those of all features first.
        rows: of the table, by name.
    """
    own = mean(rows[run].values)
    if own == 0:
        return [f"{metric} of {run} is 0: there is nothing that it could lose."]
    found = {name: outcome(own, row) for name, row in rows.items() if name != run}
    told = {
        slots: _of_features(metric, own, slots, {arm.kind: found[arm.row] for arm in of_slots})
        for slots, of_slots in _by_slots(arms)
    }
    return [
        *(one.text for one in told.values()),
        *_either_will_do(told),
        _of_ids(metric, own, found[IDS]),
        _of_both(metric, own, found[TOGETHER]),
        *_of_popularity(metric, run, found[POPULARITY]),
    ]


def _by_slots(arms: Sequence[Arm]) -> Iterator[tuple[tuple[str, ...], list[Arm]]]:
    for slots in dict.fromkeys(arm.slots for arm in arms):
        yield slots, [arm for arm in arms if arm.slots == slots]


def concluded(found: Mapping[str, Outcome]) -> Conclusion:
    """Of the knock-outs of some features: one that does no harm is enough to say no help."""
    verdicts = {one.verdict for one in found.values()}
    if "rises" in verdicts:
        return "harm"
    if "same" in verdicts:
        return "no help"
    if "unclear" in verdicts:
        return "open"
    return "helps little" if "falls little" in verdicts else "helps"


def _of_features(
    metric: str, own: float, slots: tuple[str, ...], found: Mapping[str, Outcome]
) -> Told:
    what, conclusion = " and ".join(slots), concluded(found)
    match conclusion:
        case "helps" | "helps little":
            text = _content_helps(metric, own, what, found)
        case "no help":
            kind = next(name for name, one in found.items() if one.verdict == "same")
            text = (
                f"{metric} does not fall when {_given(kind, what)} ({own:.4f} and "
                f"{_shown(found[kind])}): what helps is not the content of {what}."
            )
        case "harm":
            rising = [name for name, one in found.items() if one.verdict == "rises"]
            kind = max(rising, key=lambda one: found[one].value)
            text = (
                f"{metric} rises from {own:.4f} to {found[kind].value:.4f} when "
                f"{_given(kind, what)}: the content of {what} does harm."
            )
        case "open":
            unclear = [name for name, one in found.items() if one.verdict == "unclear"]
            kind = max(unclear, key=lambda one: found[one].value)
            text = (
                f"Whether the content of {what} helps is open: {metric} has {own:.4f}, and, when "
                f"{_given(kind, what)}, {_shown(found[kind])}, which may be chance and may be more "
                "than a tenth; it takes more users or seeds to tell."
            )
    instead = _instead(found, what) if conclusion in ("no help", "harm") else ""
    return Told(conclusion, text + instead)


def _content_helps(metric: str, own: float, what: str, found: Mapping[str, Outcome]) -> str:
    """How far it falls with each, and how much depends on content: what the least one costs."""
    falls = ", ".join(
        f"to {one.value:.4f} when {_given(kind, what)}" for kind, one in found.items()
    )
    share = 1 - max(one.value for one in found.values()) / own
    much = (
        f"but little of {metric}, {share:.1%}, depends on it"
        if concluded(found) == "helps little"
        else f"and at least {share:.0%} of {metric} depends on it"
    )
    return (
        f"{metric} falls from {own:.4f} {falls}: the content of {what} carries information about "
        f"the next item, {much}."
    )


def _given(kind: str, what: str) -> str:
    return _GIVEN[kind].format(what=what)


def _shown(one: Outcome) -> str:
    """Its value, with how sure the difference is."""
    return f"{one.value:.4f}; 95 % interval of the difference {one.low:+.4f} to {one.high:+.4f}"


def _instead(found: Mapping[str, Outcome], what: str) -> str:
    """What helps where content does not, as far as the knock-outs tell it apart."""
    falls = {kind for kind, one in found.items() if one.verdict.startswith("falls")}
    constant = found["constant"]
    if "constant" in falls:
        return (
            f" What helps is that items can be told apart by {what}, as by an ID: with the same "
            f"for all it falls to {constant.value:.4f}."
        )
    if constant.verdict == "unclear":
        return ""
    text = (
        f" Nor does it help that items can be told apart by {what}: with the same for all it is "
        f"{constant.value:.4f}, from what else the model has (parameters, popularity, IDs)."
    )
    if "shuffled" in falls:
        text += (
            f" Wrong content does harm ({found['shuffled'].value:.4f}), and the right one does no "
            "good."
        )
    return text


def _either_will_do(told: Mapping[tuple[str, ...], Told]) -> Iterator[str]:
    """Together they help and none of them does alone."""
    together = max(told, key=len)
    single = [one.conclusion for slots, one in told.items() if slots != together]
    needed = told[together].conclusion in ("helps", "helps little")
    if needed and single and all(one == "no help" for one in single):
        yield f"Of {' and '.join(together)} either stands in for the other: one is enough."


def _of_ids(metric: str, own: float, ids: Outcome) -> str:
    reached = f"{IDS} have {metric} {ids.value:.4f} ({ids.value / own - 1:+.0%})"
    match ids.verdict:
        case "rises":
            return f"{reached}: better than with content, which does not pay in this model."
        case "same":
            return f"{reached}: as good as with content, within a tenth."
        case "falls" | "falls little":
            return f"{reached}: the run is better than them."
        case "unclear":
            return f"{reached}: whether that is better or worse, the test does not tell."


def _of_both(metric: str, own: float, both: Outcome) -> str:
    """The run and IDs alone as an ensemble against the run."""
    reached = (
        f"The run and {IDS} together, by weights from validation, have {metric} {both.value:.4f} "
        f"({both.value / own - 1:+.0%})"
    )
    match both.verdict:
        case "rises":
            return f"{reached}: what IDs know is not all in the run."
        case "same":
            return f"{reached}: as good as the run alone, within a tenth."
        case "falls" | "falls little":
            return f"{reached}: worse than the run alone, validation has misled."
        case "unclear":
            return f"{reached}: whether that is better or worse, the test does not tell."


def _of_popularity(metric: str, run: str, popularity: Outcome) -> Iterator[str]:
    """Said only where the run is not better."""
    if not popularity.verdict.startswith("falls"):
        yield (
            f"Popularity has {metric} {popularity.value:.4f}, and {run} is not better by more "
            "than chance: what it has learned is little, with or without content."
        )
