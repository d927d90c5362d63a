"""Where the words come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.features.keywords.build import make_keywords
from mmrec.features.keywords.dictionary import (
    build_dictionary,
    catalogue_dictionary,
    clip_dictionary,
    file_dictionary,
    main,
)
from mmrec.io import write_table
from mmrec.params.datasets import CatalogueDictionary, ClipDictionary
from mmrec.params.file import load_params
from mmrec.paths import Paths
from tests.features import worlds


def _catalogue(*texts: str, num_words: int = 100, min_length: int = 3) -> tuple[str, ...]:
    rows = [("a", position, text) for position, text in enumerate(texts)]
    table = worlds.sentences(rows)
    return catalogue_dictionary(table, num_words=num_words, min_length=min_length).words


def test_a_file_gives_its_words_once_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# colours\nred\n\n  polka   dot \nred\nblue\r\n#end\n", encoding="utf-8")
    assert file_dictionary(path).words == ("red", "polka dot", "blue")


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xef\xbb\xbfred\r\nblue\r\n")
    assert file_dictionary(path).words == ("red", "blue")


def test_a_missing_or_binary_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file"):
        file_dictionary(tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8"):
        file_dictionary(tmp_path / "binary")


def test_catalogue_words_are_ordered_by_the_number_of_sentences_they_occur_in() -> None:
    words = _catalogue("red red red cup", "Blue cup.", "blue CUP", "green hat")
    assert words == ("cup", "blue", "green", "hat", "red")


def test_catalogue_words_are_cut_after_alphabetical_ties() -> None:
    assert _catalogue("pear plum apple", num_words=2) == ("apple", "pear")


def test_catalogue_leaves_out_stop_words_numbers_contractions_and_short_words() -> None:
    text = "The it's don't 4k mp3 a1b2 été naïve ox of yellow 100 don’t semi-rigid"
    assert _catalogue(text) == ("naïve", "rigid", "semi", "yellow", "été")


def test_an_empty_catalogue_gives_no_words() -> None:
    assert _catalogue("", "12 !") == ()


def test_clip_words_are_single_tokens_of_letters_in_vocabulary_order() -> None:
    vocabulary = {"red</w>": 5, "re": 1, "cat</w>": 2, "a</w>": 3, "'s</w>": 4, "Ã©t</w>": 6}
    assert clip_dictionary(vocabulary, min_length=3).words == ("cat", "red")


def test_clips_own_vocabulary_has_thousands_of_words(clip) -> None:
    params = ClipDictionary(name="clip_vocabulary", min_length=3)
    words = build_dictionary(
        params, sentences=worlds.sentences([("a", 0, "x")]), clip=clip.model
    ).words
    assert len(words) > 20_000
    assert {"red", "striped", "backpack"} <= set(words)
    assert len(clip.model().tokenizer.encode(words[1000])) == 1


def test_the_catalogue_section_of_params_builds_that_dictionary(clip) -> None:
    params = CatalogueDictionary(name="catalogue", num_words=1, min_length=3)
    table = worlds.sentences([("a", 0, "red cup"), ("b", 0, "red hat")])
    assert build_dictionary(params, sentences=table, clip=clip.model).words == ("red",)


# --- frozen ------------------------------------------------------------------------------


CATALOGUE = {"name": "catalogue", "num_words": 6, "min_length": 3}
FROZEN = {"name": "file", "path": "data/dictionaries/shop.txt"}


@pytest.fixture
def project(tmp_path: Path, clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's settings with a CLIP of random weights, in a folder of its own."""
    text = (Path(__file__).parents[3] / "params.yaml").read_text()
    settings = YAML(typ="safe").load(text)
    keywords = settings["datasets"]["demo"]["keywords"]
    keywords |= {"model": str(clip_folder), "dictionary": CATALOGUE}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(settings, file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


OLD = ["red cotton shirt", "blue cotton shirt", "red cup", "green chair", "blue chair"]
NEW = ["dotted lamp", "dotted lamp", "dotted lamp", "lamp", "dotted vase", "vase vase", "vase"]


def clean(project: Path, texts: list[str]) -> pa.Table:
    """The catalogue as the clean stage leaves it."""
    table = worlds.sentences([(f"i{n:02}", 0, text) for n, text in enumerate(texts)])
    write_table(table, Paths(project).dataset("demo").sentences, schemas.SENTENCES)
    return table


def keywords_of(project: Path, texts: list[str], dictionary: dict[str, Any]) -> pa.Table:
    """The keyword table of a catalogue with a picture for each item."""
    settings = load_params(project / "params.yaml").datasets["demo"].keywords
    params = type(settings).model_validate({**settings.model_dump(), "dictionary": dictionary})
    pictures = [worlds.png(seed) for seed in range(len(texts))]
    keywords = make_keywords(
        params,
        images=worlds.images([(f"i{n:02}", 0, data) for n, data in enumerate(pictures)]),
        sentences=clean(project, texts),
        raw_images=RawImages(worlds.write_raw_images(project / "raw", pictures)),
        device="cpu",
    )
    return keywords.table


def test_frozen_words_give_the_same_keywords_and_new_items_change_none_of_them(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keywords_of(project, OLD, CATALOGUE)
    main(["demo", FROZEN["path"]])
    assert "6 words; now set datasets.demo.keywords.dictionary to {name: file," in (
        capsys.readouterr().out
    )
    assert keywords_of(project, OLD, FROZEN).equals(before)
    old = slice(0, len(OLD))
    assert keywords_of(project, OLD + NEW, FROZEN)[old].equals(before)
    assert not keywords_of(project, OLD + NEW, CATALOGUE)[old].equals(before)


def test_a_frozen_dictionary_is_not_written_over(project: Path) -> None:
    clean(project, OLD)
    main(["demo", FROZEN["path"]])
    before = Path(FROZEN["path"]).read_bytes()
    clean(project, OLD + NEW)
    with pytest.raises(SystemExit, match=r"shop\.txt: exists, and other words would give other"):
        main(["demo", FROZEN["path"]])
    assert Path(FROZEN["path"]).read_bytes() == before
    assert [path.name for path in Path("data/dictionaries").iterdir()] == ["shop.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shop", "data/dictionaries/a.txt"), r"datasets\.shop: no such entry; found: demo"),
        (("demo", "a.txt"), r"a\.txt: word lists lie in data/dictionaries/"),
        (("demo", "data/dictionaries/../a.txt"), "word lists lie in data/dictionaries/"),
        (("demo", "data/dictionaries/a.txt"), "file not found; run the stage that writes it"),
    ],
)
def test_what_cannot_be_frozen_is_explained(
    project: Path, arguments: tuple[str, str], said: str
) -> None:
    with pytest.raises(SystemExit, match=said):
        main(arguments)
    assert not (project / "data" / "dictionaries").exists()


def test_a_catalogue_without_words_is_not_frozen(project: Path) -> None:
    clean(project, ["12", "of the"])
    with pytest.raises(SystemExit, match="no words in it; nothing was written"):
        main(["demo", FROZEN["path"]])


def test_words_that_do_not_change_need_no_freezing(project: Path) -> None:
    path = project / "params.yaml"
    settings = YAML(typ="safe").load(path.read_text())
    settings["datasets"]["demo"]["keywords"]["dictionary"] = FROZEN
    with path.open("w") as file:
        YAML(typ="safe").dump(settings, file)
    with pytest.raises(SystemExit, match="found 'file', which does not change with the items"):
        main(["demo", "data/dictionaries/other.txt"])
