"""Tests of knock-outs in; what is said follows from them, case by case."""

from __future__ import annotations

import pytest

from mmrec.compare.table import ComparedRow
from mmrec.evaluation.comparison import Comparison
from mmrec.evaluation.significance import Bootstrap, TTest
from mmrec.knockouts.arms import TOGETHER, Arm
from mmrec.knockouts.sentences import concluded, outcome, sentences

OWN = 0.2
TEXT = [Arm(("text",), kind) for kind in ("shuffled", "constant", "noise")]
BOTH = [Arm(("text", "image"), kind) for kind in ("shuffled", "constant", "noise")]
IMAGE = [Arm(("image",), kind) for kind in ("shuffled", "constant", "noise")]


def row(value: float, *, holm: float = 0.001, width: float = 0.005) -> ComparedRow:
    """A row with a test against a run of `OWN`, of an interval so wide to either side."""
    difference = value - OWN
    test = TTest(OWN, value, difference, 2.0, holm / 2, 1000)
    interval = Bootstrap(difference, difference - width, difference + width, 0.95, 1000)
    return ComparedRow([value], Comparison(test, holm), interval)


SAME = row(0.198, holm=0.9)
UNCLEAR = row(0.19, holm=0.2, width=0.03)
FALLS = row(0.1)
LITTLE = row(0.19)
RISES = row(0.22)
KINDS = {"falls": FALLS, "falls little": LITTLE, "same": SAME, "rises": RISES, "unclear": UNCLEAR}


@pytest.mark.parametrize("verdict", KINDS)
def test_a_verdict_is_that_of_the_test_and_of_the_size(verdict: str) -> None:
    assert outcome(OWN, KINDS[verdict]).verdict == verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (row(0.15, holm=0.06, width=0.06), "unclear"),
        (row(0.15, holm=0.049), "falls"),
        (row(0.18, holm=0.049), "falls"),
        (row(0.1801, holm=0.049), "falls little"),
        (row(OWN, holm=1.0, width=0.0201), "unclear"),
        (row(OWN, holm=1.0, width=0.0199), "same"),
        (row(0.2001, holm=0.04), "rises"),
    ],
)
def test_borders_are_those_that_are_stated(found: ComparedRow, verdict: str) -> None:
    assert outcome(OWN, found).verdict == verdict


@pytest.mark.parametrize(
    ("shuffled", "constant", "noise", "conclusion"),
    [
        (FALLS, FALLS, FALLS, "helps"),
        (FALLS, LITTLE, FALLS, "helps little"),
        (SAME, FALLS, FALLS, "no help"),
        (FALLS, SAME, FALLS, "no help"),
        (FALLS, FALLS, RISES, "harm"),
        (SAME, RISES, UNCLEAR, "harm"),
        (SAME, UNCLEAR, UNCLEAR, "no help"),
        (FALLS, UNCLEAR, FALLS, "open"),
        (LITTLE, UNCLEAR, FALLS, "open"),
    ],
)
def test_content_helps_only_where_every_knock_out_costs_something(
    shuffled: ComparedRow, constant: ComparedRow, noise: ComparedRow, conclusion: str
) -> None:
    rows = {"shuffled": shuffled, "constant": constant, "noise": noise}
    assert concluded({kind: outcome(OWN, one) for kind, one in rows.items()}) == conclusion


def of(
    *rows: ComparedRow,
    ids: ComparedRow = FALLS,
    together: ComparedRow = SAME,
    popularity: ComparedRow = FALLS,
    own: float = OWN,
) -> list[str]:
    """Sentences of a run of one feature, its knock-outs in the order of `TEXT`."""
    arms = {arm.row: one for arm, one in zip(TEXT, rows, strict=True)}
    others = {"IDs alone": ids, TOGETHER: together, "popularity": popularity}
    return sentences("run", "Recall@10", TEXT, {"run": ComparedRow([own]), **arms, **others})


def test_where_all_fall_content_carries_information_and_how_much() -> None:
    text, ids, _ = of(row(0.04), row(0.1), row(0.05))
    assert text == (
        "Recall@10 falls from 0.2000 to 0.0400 when items get each other's text, to 0.1000 when "
        "all items have the same text, the mean, to 0.0500 when the text of items is noise: the "
        "content of text carries information about the next item, and at least 50% of Recall@10 "
        "depends on it."
    )
    assert ids == "IDs alone have Recall@10 0.1000 (-50%): the run is better than them."


def test_a_little_fall_is_called_little() -> None:
    text = of(FALLS, FALLS, LITTLE)[0]
    assert "carries information about the next item, but little of Recall@10, 5.0%, depends" in text


def test_where_shuffled_is_as_good_and_the_same_for_all_is_not_items_are_told_apart() -> None:
    text = of(SAME, FALLS, SAME)[0]
    assert text == (
        "Recall@10 does not fall when items get each other's text (0.2000 and 0.1980; 95 % "
        "interval of the difference -0.0070 to +0.0030): what helps is not the content of text. "
        "What helps is that items can be told apart by text, as by an ID: with the same for all it "
        "falls to 0.1000."
    )


def test_where_the_same_for_all_is_as_good_something_else_helps() -> None:
    text = of(SAME, SAME, SAME)[0]
    assert "what helps is not the content of text. Nor does it help that items can be told" in text
    assert text.endswith("from what else the model has (parameters, popularity, IDs).")
    wrong = of(FALLS, SAME, FALLS)[0]
    assert wrong.startswith("Recall@10 does not fall when all items have the same text, the mean")
    assert wrong.endswith("Wrong content does harm (0.1000), and the right one does no good.")


def test_a_constant_that_is_better_says_that_the_feature_does_harm() -> None:
    text = of(FALLS, RISES, UNCLEAR)[0]
    assert text.startswith(
        "Recall@10 rises from 0.2000 to 0.2200 when all items have the same text, the mean: the "
        "content of text does harm. Nor does it"
    )


def test_what_the_test_cannot_tell_is_open() -> None:
    text = of(FALLS, UNCLEAR, FALLS)[0]
    assert text.startswith("Whether the content of text helps is open: Recall@10 has 0.2000, and, ")
    assert "when all items have the same text, the mean, 0.1900; 95 % interval" in text


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (row(0.3), "(+50%): better than with content, which does not pay in this model."),
        (SAME, "(-1%): as good as with content, within a tenth."),
        (LITTLE, "(-5%): the run is better than them."),
        (UNCLEAR, "(-5%): whether that is better or worse, the test does not tell."),
    ],
)
def test_ids_alone_are_a_sentence_of_their_own(ids: ComparedRow, says: str) -> None:
    assert of(FALLS, FALLS, FALLS, ids=ids)[1].endswith(says)


@pytest.mark.parametrize(
    ("together", "says"),
    [
        (RISES, "0.2200 (+10%): what IDs know is not all in the run."),
        (SAME, "0.1980 (-1%): as good as the run alone, within a tenth."),
        (LITTLE, "0.1900 (-5%): worse than the run alone, validation has misled."),
        (UNCLEAR, "0.1900 (-5%): whether that is better or worse, the test does not tell."),
    ],
)
def test_the_run_with_ids_alone_is_a_sentence_of_its_own(together: ComparedRow, says: str) -> None:
    assert of(FALLS, FALLS, FALLS, together=together)[2].endswith(says)


def test_a_run_that_is_not_better_than_popularity_is_told_so() -> None:
    assert len(of(FALLS, FALLS, FALLS)) == 3
    for popularity in (SAME, RISES, UNCLEAR):
        assert of(FALLS, FALLS, FALLS, popularity=popularity)[3].startswith(
            "Popularity has Recall@10 0."
        )


def test_of_nothing_nothing_can_be_lost() -> None:
    assert of(FALLS, FALLS, FALLS, own=0.0) == [
        "Recall@10 of run is 0: there is nothing that it could lose."
    ]


def test_two_features_are_told_together_then_each_and_that_one_may_do_for_both() -> None:
    arms = [*BOTH, *TEXT, *IMAGE]
    rows = {"run": ComparedRow([OWN]), "IDs alone": FALLS, TOGETHER: SAME, "popularity": FALLS}
    rows |= {arm.row: FALLS if len(arm.slots) == 2 else SAME for arm in arms}
    found = sentences("run", "Recall@10", arms, rows)
    assert "each other's text and image, " in found[0]
    assert "the content of text." in found[1]
    assert "the content of image." in found[2]
    assert found[3] == "Of text and image either stands in for the other: one is enough."
    rows |= {arm.row: FALLS for arm in TEXT}
    assert "either stands in" not in " ".join(sentences("run", "Recall@10", arms, rows))
