"""Text repair and sentence splitting."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.sentences import repair_line, repair_text, split_sentences


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("Crabtree &amp; Evelyn &#39;x&#x27;", "Crabtree & Evelyn 'x'"),
        ("twice &amp;amp; escaped &lt;b&gt;bold&lt;/b&gt;", "twice & escaped bold"),
        ("<p>This is <b>bold</b>ly <i>put</i>.</p>", "This is boldly put."),
        ("<script>alert(1)</script>seen<style>p{}</style><!-- no -->", "seen"),
        (
            "<<NEW>> shirt <Red>, size < 10 & > 5, I <3 it",
            "<<NEW>> shirt <Red>, size < 10 & > 5, I <3 it",
        ),
        ("an unclosed <b and the rest", "an unclosed <b and the rest"),
        ("Tom & Jerry, AT&T", "Tom & Jerry, AT&T"),
        ("schÃ¶n â€” dÃ©jÃ\xa0 vu", "schön — déjà vu"),
        ("&Atilde;&copy;t&Atilde;&copy;", "été"),
        (
            "nul\x00 bell\x07 \ufeffzero\u200bwidth soft\u00adhyphen",
            "nul bell zerowidth softhyphen",
        ),
        ("  many \t spaces\u00a0\u3000here ", "many spaces here"),
        ("cafe\u0301", "café"),
        ("日本語のテキスト。", "日本語のテキスト。"),
        ("", ""),
        ("<br/>", ""),
    ],
)
def test_repair(found: str, expected: str) -> None:
    assert repair_text(found) == expected


@given(st.text())
def test_repair_never_fails_and_gives_one_normal_line(text: str) -> None:
    line = repair_line(text)
    assert line == " ".join(line.split())
    assert unicodedata.is_normalized("NFC", line)
    line.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Dr. Smith weighs 3.5 kg. He works for Acme Inc. in the U.S. and likes it.",
            ["Dr. Smith weighs 3.5 kg.", "He works for Acme Inc. in the U.S. and likes it."],
        ),
        ("It costs $3.99. No. 5 is best!", ["It costs $3.99.", "No. 5 is best!"]),
        ("Mr. Jones vs. Mrs. Brown at 5 p.m. sharp. Visit www.a.com now.", 2),
        ("Gentle, e.g. for skin, i.e. soft.", 1),
        ("Wow! Really? Yes.", 3),
        ("これは文です。次の文です。", 2),
        ("<ul><li>Soft</li><li>Warm</li></ul>", ["Soft", "Warm"]),
        ("Soft<br>Warm<br/>Nice", ["Soft", "Warm", "Nice"]),
        ("a line\nthat goes on. The end", ["a line that goes on.", "The end"]),
        ("First\n\nSecond", ["First", "Second"]),
        ("... !!! ---", ["...", "!!!", "---"]),
        ("", []),
    ],
)
def test_split(text: str, expected: int | list[str]) -> None:
    found = split_sentences(repair_text(text))
    assert (len(found) if isinstance(expected, int) else found) == expected


@given(st.text())
def test_splitting_loses_no_letter(text: str) -> None:
    repaired = repair_text(text)
    joined = "".join(split_sentences(repaired))
    assert [c for c in joined if c.isalnum()] == [c for c in repaired if c.isalnum()]
