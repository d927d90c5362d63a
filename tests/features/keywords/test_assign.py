"""CLIP's words: the nearest ones, in an order that nothing but the dictionary decides on ties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.features.cache.maintenance import stores
from mmrec.features.cache.place import FeatureCache
from mmrec.features.keywords.assign import Keywords, assign_keywords, nearest_words, no_keywords
from mmrec.features.keywords.clip import build_clip
from mmrec.features.keywords.dictionary import Dictionary
from mmrec.io import DataError
from tests.features import worlds

WORDS = Dictionary(("red", "blue", "green", "shirt", "cup", "chair", "dotted"), "test")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [worlds.png(seed) for seed in range(6)]


@pytest.fixture(scope="module")
def raw(pictures, tmp_path_factory) -> RawImages:
    return RawImages(worlds.write_raw_images(tmp_path_factory.mktemp("raw"), pictures))


@settings(max_examples=50, deadline=None)
@given(images=st.integers(0, 5), words=st.integers(1, 12), seed=st.integers(0, 99), data=st.data())
def test_nearest_words_equal_brute_force(images, words, seed, data) -> None:
    count = data.draw(st.integers(1, words))
    generator = np.random.default_rng(seed)
    # Few distinct coordinates make many exact ties.
    a = generator.integers(-1, 2, (images, 3)).astype(np.float32)
    b = generator.integers(-1, 2, (words, 3)).astype(np.float32)
    a /= np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1)
    b /= np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1)
    chosen, scores = nearest_words(a, b, count)
    assert scores.dtype == np.float32
    for i in range(images):
        cosines = [round(float(a[i].astype(float) @ b[j].astype(float)), 6) for j in range(words)]
        best = sorted(range(words), key=lambda j: (-cosines[j], j))[:count]
        assert chosen[i].tolist() == best
        assert scores[i] == pytest.approx([cosines[j] for j in best], abs=1e-6)


def test_equal_scores_go_to_the_earlier_word_also_at_the_border() -> None:
    image = np.float32([[1, 0]])
    words = np.float32([[0, 1], [0.6, 0.8], [1, 0], [0.6, 0.8], [0.6, 0.8]])
    assert nearest_words(image, words, 2)[0].tolist() == [[2, 1]]
    assert nearest_words(image, words, 3)[0].tolist() == [[2, 1, 3]]


def test_scores_stay_within_the_range_of_a_cosine() -> None:
    long = np.float32([[1.0000001, 0]])
    _, scores = nearest_words(long, np.float32([[1.0000001, 0], [-1.0000001, 0]]), 2)
    assert scores.tolist() == [[1, -1]]


@pytest.mark.parametrize("company", [7, 100, 494])
def test_the_number_of_pictures_changes_no_score(company: int) -> None:
    generator = np.random.default_rng(0)
    images, words = (generator.normal(size=(n, 512)).astype(np.float32) for n in (3000, 1000))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    for few, all_of_them in zip(
        nearest_words(images[:company], words, 3), nearest_words(images, words, 3), strict=True
    ):
        assert np.array_equal(few, all_of_them[:company])


def test_every_picture_gets_its_nearest_words(clip, raw, pictures) -> None:
    rows = [("b", 0, pictures[2]), ("a", 1, pictures[5]), ("a", 0, pictures[2])]
    keywords = assign_keywords(
        worlds.images(rows), raw, clip, WORDS, num_keywords=3, prompt="a {} thing"
    )
    assert keywords.table.schema.equals(schemas.KEYWORDS)
    images = clip.image.encode([worlds.picture(seed) for seed in (2, 5, 2)])
    words = clip.text.encode([f"a {word} thing" for word in WORDS.words])
    for row, cosines in zip(keywords.table.to_pylist(), images @ words.T, strict=True):
        order = np.argsort(-cosines, kind="stable")[:3]
        assert row["keywords"] == [WORDS.words[j] for j in order]
        assert row["scores"] == pytest.approx(cosines[order], abs=2e-6)
        assert row["sentence"] == " ".join(row["keywords"])
    ids = zip(keywords.table["item_id"], keywords.table["position"], strict=True)
    assert [(i.as_py(), p.as_py()) for i, p in ids] == [("a", 0), ("a", 1), ("b", 0)]


def test_equal_pictures_are_encoded_once_and_counted(clip, raw, pictures) -> None:
    rows = [(f"i{n}", 0, pictures[n % 2]) for n in range(7)]
    summary = assign_keywords(
        worlds.images(rows), raw, clip, WORDS, num_keywords=2, prompt="{}"
    ).summary
    assert (summary["images"], summary["contents"], summary["dictionary"]) == (7, 2, 7)
    assert sum(summary["top_words"].values()) == 14


def test_company_changes_no_score(clip, raw, pictures) -> None:
    def keywords_of(rows: list[tuple[str, int, bytes]]) -> dict[str, object]:
        table = assign_keywords(
            worlds.images(rows), raw, clip, WORDS, num_keywords=4, prompt="{}"
        ).table
        return {row["item_id"]: (row["keywords"], row["scores"]) for row in table.to_pylist()}

    everyone = keywords_of([(f"i{n}", 0, picture) for n, picture in enumerate(pictures)])
    assert keywords_of([("i4", 0, pictures[4])])["i4"] == everyone["i4"]


def test_the_prompt_changes_the_scores(clip, raw, pictures) -> None:
    rows = worlds.images([("a", 0, pictures[0])])
    bare, phrase = (
        assign_keywords(rows, raw, clip, WORDS, num_keywords=7, prompt=prompt).table
        for prompt in ("{}", "a photo of a {}")
    )
    assert bare["scores"] != phrase["scores"]


def test_too_small_a_dictionary_is_explained(clip, raw, pictures) -> None:
    rows = worlds.images([("a", 0, pictures[0])])
    with pytest.raises(ValueError, match=r"8 words per picture wanted.*\(test\) has 7"):
        assign_keywords(rows, raw, clip, WORDS, num_keywords=8, prompt="{}")


def test_a_prompt_without_a_place_for_the_word_is_explained(clip, raw, pictures) -> None:
    rows = worlds.images([("a", 0, pictures[0])])
    with pytest.raises(ValueError, match=r"expected one '\{\}'"):
        assign_keywords(rows, raw, clip, WORDS, num_keywords=2, prompt="a photo")


def test_a_picture_without_bytes_is_explained(clip, raw) -> None:
    rows = worlds.images([("a", 0, b"never packed")])
    with pytest.raises(DataError, match="not found"):
        assign_keywords(rows, raw, clip, WORDS, num_keywords=2, prompt="{}")


def test_no_pictures_give_an_empty_table(clip, raw) -> None:
    nothing = schemas.IMAGES.empty_table()
    keywords = assign_keywords(nothing, raw, clip, WORDS, num_keywords=2, prompt="{}")
    assert keywords.table.equals(schemas.KEYWORDS.empty_table())
    assert no_keywords().table.schema.equals(schemas.KEYWORDS)


def test_two_runs_give_the_same_table(clip, raw, pictures) -> None:
    rows = worlds.images([(f"i{n}", 0, picture) for n, picture in enumerate(pictures)])
    one, two = (
        assign_keywords(rows, raw, clip, WORDS, num_keywords=3, prompt="{}") for _ in range(2)
    )
    assert one.table.equals(two.table)


def test_what_is_known_needs_no_model(
    clip_folder, raw, pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path / "cache", None)
    rows = worlds.images([(f"i{n}", 0, picture) for n, picture in enumerate(pictures)])

    def again() -> Keywords:
        clip = build_clip(str(clip_folder), None, memory=tmp_path / "memory")
        return assign_keywords(rows, raw, clip, WORDS, num_keywords=2, prompt="{}", cache=cache)

    first = again()
    monkeypatch.setattr(
        "mmrec.features.extractors.open_clip_model.load_open_clip", lambda *_: pytest.fail("loaded")
    )
    assert again().table.equals(first.table)
    assert set(first.stores) == {path.name for path in stores(cache.root)}
    assert len(first.stores) == 2
