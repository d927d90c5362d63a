"""What a page shows and what was printed: what counts as the same, and what does not."""

from __future__ import annotations

import pytest

from benchmarks.tutorial_page import Block
from tests.e2e.page import compare

LIST = "rank  item_id      score  title\n   1  P1      5.1000  A mug\n   2  P2      4.9000  A pot\n"


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("152 items\n", "152 items\n\n"),
        ("a  1.00\n", "a 1.02*\n"),
        ("one\n…\nlast\n", "one\ntwo\nthree\nlast\n"),
        ("one\n…\n", "one\n"),
        ("took … s\n", "took 12.1 s\n"),
        (LIST, LIST.replace("P2", "P3").replace("5.1000", "7.0000")),
    ],
)
def test_figures_nearly_gaps_and_half_of_a_list_are_the_same(shown: str, printed: str) -> None:
    compare(Block("text", shown, 1), printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("152 items\n", "151 items\n"),
        ("a  1.00\n", "a 1.40\n"),
        ("a  1.00\n", "b 1.00\n"),
        ("a\n", "a\nb\n"),
        ("a\nb\n", "a\n"),
        ("one\n…\nlast\n", "one\ntwo\n"),
        ("took … s\n", "took long\n"),
        ("", "a\n"),
        (LIST, LIST.replace("P1", "P3").replace("P2", "P4")),
        (LIST, LIST + "   3  P3      4.8000  A pan\n"),
    ],
)
def test_other_words_counts_lines_and_items_are_not(shown: str, printed: str) -> None:
    with pytest.raises(AssertionError, match="line 1: the page shows"):
        compare(Block("text", shown, 1), printed)
