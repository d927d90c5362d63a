"""What cannot be answered is one message that says what was found and what to do."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mmrec import Filters, ids, open_dataset, open_feature, open_run
from mmrec.ids import UnknownIdError
from mmrec.io import DataError
from mmrec.library.run import Run
from mmrec.params.file import ParamsError
from tests.library.worlds import item

GOOD = [[item(3), item(7)]]


def asked(histories: Any = GOOD, k: int = 5, **filters: Any) -> Callable[[Run], object]:
    return lambda run: run.recommend(histories, k, filters=Filters(**filters))


REFUSED: dict[str, tuple[Callable[[Run], object], str]] = {
    "one unknown item": (
        asked([GOOD[0], [item(1), "I-05"]]),
        "history 1: 'I-05' is not in the catalogue of 18 items; did you mean 'i-05'?",
    ),
    "several unknown items": (
        asked({"ann": ["I-05", item(1), "b", "i-005", "c", "d"]}),
        "history of 'ann': 5 of 6 items are not in the catalogue of 18 items: 'I-05' (did you "
        "mean 'i-05'?), 'b', 'i-005' (did you mean 'i-05'?) and 2 others",
    ),
    "nothing known": (
        lambda run: run.recommend([["a", "b"]], skip_unknown=True),
        "history 0: 2 of 2 items are not in the catalogue of 18 items: 'a', 'b'; ids there are "
        "such as 'i-00'",
    ),
    "an empty history": (asked([GOOD[0], []]), "history 1: found no items, expected at least one"),
    "no histories": (asked([]), "histories: found none, expected at least one"),
    "an unknown item left out": (
        asked(exclude=["x"]),
        "exclude: 'x' is not in the catalogue of 18 items; ids there are such as 'i-00'",
    ),
    "an unknown item alone": (asked(include=["x"]), "include: 'x' is not in the catalogue"),
    "an id twice": (
        lambda _: Filters(exclude=[item(1), item(2), item(1)]),
        "exclude: found 'i-01' twice, expected each once; leave one out",
    ),
    "an unknown category": (
        asked(category="lampe"),
        "category: found 'lampe', did you mean 'lamp'? allowed: lamp, mug, shoe",
    ),
    "an unknown field": (
        asked(category="lamp", categories="shelve"),
        "categories: found 'shelve', did you mean 'shelf'? fields are about, shelf",
    ),
    "nothing left": (
        asked(include=[item(1)], exclude=[item(1)]),
        "filters: no item is left to recommend; take one of them away",
    ),
    "no length": (asked(k=0), "k: found 0, expected at least 1"),
    "no places": (
        lambda _: Filters(max_per_category=0),
        "max_per_category: found 0, expected at least 1 or None",
    ),
    "too diverse": (lambda _: Filters(diversity=1.5), "diversity: found 1.5, expected 0 to 1"),
    "an unknown user": (
        lambda run: run.histories_of(["u3", "u333"]),
        "users: 'u333' is not among the 40 users of the dataset; did you mean 'u33'? (those with "
        "too few interactions were cleaned away: give their history itself)",
    ),
    "several unknown users": (
        lambda run: run.histories_of(["u3", "x1", "x2"]),
        "users: 2 of 3 are not among the 40 users of the dataset: 'x1', 'x2'; ids there are such",
    ),
    "like an unknown item": (lambda run: run.similar(["x"]), "items: 'x' is not in the catalogue"),
    "like an item twice": (lambda run: run.similar([item(1)] * 2), "items: found 'i-01' twice"),
    "like nothing": (lambda run: run.similar([]), "items: found none, expected at least one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_says_what_and_why(name: str, runs: dict[str, Run]) -> None:
    call, says = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(says)) as found:
        call(runs["sasrec"])
    assert "\n" not in str(found.value)
    assert isinstance(found.value, UnknownIdError) == ("not in the catalogue" in says)


def test_the_examples_of_spellings_are_true() -> None:
    assert doctest.testmod(ids).attempted >= 4
    assert not doctest.testmod(ids).failed


@pytest.mark.parametrize(
    "call",
    [
        asked(item(3)),
        asked([item(3), item(7)]),
        asked({"ann": item(3)}),
        asked(exclude=item(3)),
        lambda run: run.similar(item(3)),
        lambda run: run.histories_of("u3"),
    ],
)
def test_an_id_in_place_of_a_list_is_not_read_letter_by_letter(
    call: Callable[[Run], object], runs: dict[str, Run]
) -> None:
    with pytest.raises(TypeError, match=r"found the text '(i-03|u3)', expected a list"):
        call(runs["sasrec"])


def test_a_number_is_no_id(runs: dict[str, Run]) -> None:
    with pytest.raises(TypeError, match=r"history 1: found 7 \(int\), expected ids, which are"):
        runs["sasrec"].recommend([[item(3)], [7]])  # type: ignore[list-item]


def test_ids_may_be_columns_of_a_frame(runs: dict[str, Run]) -> None:
    run = runs["sasrec"]
    frame = pl.DataFrame({"items": GOOD, "who": ["ann"]})
    expected = run.recommend(GOOD, filters=Filters(exclude=[item(1)]))
    ids = pl.Series([item(1)])
    for given in (frame["items"], np.array(GOOD)):
        assert run.recommend(given, filters=Filters(exclude=ids)).equals(expected)
    named = run.recommend(dict(frame.select("who", "items").iter_rows()))
    assert named["user_id"].unique().to_list() == ["ann"]


def test_a_run_that_is_not_there_or_not_trained_says_what_to_do(shop: Path) -> None:
    with pytest.raises(
        ValueError, match=r"run 'sasrecs': did you mean 'sasrec'\? there is .*tfidf"
    ):
        open_run("sasrecs", shop)
    with pytest.raises(DataError, match=r"run 'untrained' is not trained .*json: file not"):
        open_run("untrained", project=shop)
    with pytest.raises(DataError, match="run `dvc repro finetune@untrained`, or `dvc pull"):
        open_run("untrained", project=shop)
    with pytest.raises(ParamsError, match="file not found; run from the folder that holds it"):
        open_run("sasrec", shop / "files")


def test_a_dataset_or_feature_that_is_not_there_says_which_are(shop: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset 'shops': did you mean 'shop'\? there is shop"):
        open_dataset("shops", shop)
    with pytest.raises(ValueError, match=r"feature .* 'words': .*bag_of_words, none"):
        open_feature("shop", "words", shop)
