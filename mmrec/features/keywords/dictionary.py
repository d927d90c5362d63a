"""The words CLIP may choose from: a file, the catalogue's own text, or CLIP's vocabulary.

`mmrec features dictionary <dataset> data/dictionaries/<name>.txt` writes the
words of a dataset's catalogue as they are now to a file, so that they stay as they are when items
are added.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

import polars as pl

from mmrec import schemas
from mmrec.command import Command, call
from mmrec.io import DataError, read_table, write_text
from mmrec.params.datasets import (
    DICTIONARY_PATH,
    CatalogueDictionary,
    ClipDictionary,
    FileDictionary,
    OpenClipKeywordsParams,
)
from mmrec.params.file import load_params
from mmrec.paths import Paths
from mmrec.stage import entry

if TYPE_CHECKING:
    import pyarrow as pa

    from mmrec.features.extractors.open_clip_model import OpenClipModel
    from mmrec.params.datasets import DictionaryParams

_WHOLE_WORD: Final = "</w>"


@dataclass(frozen=True)
class Dictionary:
    """Distinct words; their order decides between words of equal score."""

    words: tuple[str, ...]
    source: str
    """Where they come from, for messages and summaries."""


def build_dictionary(
    params: DictionaryParams, *, sentences: pa.Table, clip: Callable[[], OpenClipModel]
) -> Dictionary:
    """The dictionary that `params` describe.

    Args:
        params: which of the three, and its settings.
        sentences: column sentence; the catalogue's own text.
        clip: loads the model whose vocabulary may be the dictionary.

    Raises:
        ValueError: the file is not readable, or CLIP's tokenizer has no whole words.
    """
    match params:
        case FileDictionary():
            return file_dictionary(Path(params.path))
        case CatalogueDictionary():
            return catalogue_dictionary(
                sentences, num_words=params.num_words, min_length=params.min_length
            )
        case ClipDictionary():
            model = clip()
            vocabulary = getattr(model.tokenizer, "encoder", None)
            if vocabulary is None:
                raise ValueError(
                    f"keywords.dictionary: the tokenizer of {model.name} has no list of whole "
                    "words, found no CLIP byte-pair vocabulary; use a file or the catalogue"
                )
            return clip_dictionary(vocabulary, min_length=params.min_length)
        case _:
            assert_never(params)


def file_dictionary(path: Path) -> Dictionary:
    """One word or phrase a line; blank lines and lines that begin with '#' do not count.

    Raises:
        ValueError: the file is missing or is not UTF-8 text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ValueError(
            f"keywords.dictionary.path: no file {path.absolute()}; write one word a line"
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    words = [" ".join(line.split()) for line in lines]
    kept = [word for word in words if word and not word.startswith("#")]
    return Dictionary(tuple(dict.fromkeys(kept)), f"file {path}")


def catalogue_dictionary(sentences: pa.Table, *, num_words: int, min_length: int) -> Dictionary:
    """The `num_words` words that occur in most sentences: lower case, letters only, no stop words.

    Words of equal frequency are taken in alphabetical order.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    frame = pl.from_arrow(sentences.select(["sentence"]))
    assert isinstance(frame, pl.DataFrame)
    word = pl.col("word")
    counts = (
        frame.lazy()
        # An apostrophe keeps a contraction in one piece, which then is not of letters only.
        .select(
            pl.col("sentence")
            .str.to_lowercase()
            .str.extract_all(r"\p{L}+(?:['\u2019]\p{L}+)*")
            .list.unique()
            .alias("word")
        )
        .explode("word")
        .drop_nulls()
        .filter(
            word.str.contains(r"^\p{L}+$")
            & (word.str.len_chars() >= min_length)
            & ~word.is_in(sorted(ENGLISH_STOP_WORDS))
        )
        .group_by("word")
        .len("frequency")
        .sort(["frequency", "word"], descending=[True, False])
        .head(num_words)
        .collect()
    )
    return Dictionary(tuple(counts["word"]), "catalogue text")


def clip_dictionary(vocabulary: Mapping[str, int], *, min_length: int) -> Dictionary:
    """Words of letters a-z that are a single token of a byte-pair vocabulary, in its order."""
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    words = [token.removesuffix(_WHOLE_WORD) for token in tokens if token.endswith(_WHOLE_WORD)]
    kept = [w for w in words if w.isascii() and w.isalpha() and len(w) >= min_length]
    return Dictionary(tuple(dict.fromkeys(kept)), "CLIP vocabulary")


def freeze_dictionary(dataset: str, out: Path, paths: Paths) -> int:
    """Write the words of a dataset's catalogue to a new file; returns how many.

    Keywords by the file are those by the catalogue as it is now.

    Args:
        dataset: entry of `datasets` whose `keywords.dictionary` is its catalogue.
        out: file in `data/dictionaries`, which must not exist.
        paths: of the project.

    Raises:
        ValueError: the dataset has no such dictionary, or the file cannot be one or exists.
        DataError: the catalogue has not been cleaned, or has no words.
    """
    keywords = entry(load_params(paths.params).datasets, dataset, "datasets").keywords
    params = keywords.dictionary if isinstance(keywords, OpenClipKeywordsParams) else keywords
    if params.name != "catalogue":
        raise ValueError(
            f"datasets.{dataset}.keywords: found '{params.name}', which does not change with the "
            "items; only a dictionary {name: catalogue, num_words: …, min_length: …} can be frozen"
        )
    if not re.match(DICTIONARY_PATH, out.as_posix()):
        raise ValueError(f"{out}: word lists lie in data/dictionaries/; name a file there")
    if (paths.root / out).exists():
        raise ValueError(
            f"{out}: exists, and other words would give other keywords; name another file"
        )
    words = catalogue_dictionary(
        read_table(paths.dataset(dataset).sentences, schemas.SENTENCES),
        num_words=params.num_words,
        min_length=params.min_length,
    ).words
    if not words:
        raise DataError(f"{paths.dataset(dataset).sentences}: no words in it; nothing was written")
    title = f"# Most frequent words of {dataset}, of {params.min_length} letters or more."
    write_text("\n".join([title, *words, ""]), paths.root / out)
    return len(words)


HELP: Final = """Write the words of a dataset's catalogue to a file, as they are now.

They then stay as they are when items are added."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The dataset, and the file."""
    parser.add_argument("dataset", help="entry of `datasets` whose dictionary is its catalogue")
    parser.add_argument("out", type=Path, help="new file: data/dictionaries/<name>.txt")


def run(chosen: argparse.Namespace) -> None:
    """Freeze the dictionary of a dataset of the project in this folder."""
    count = freeze_dictionary(chosen.dataset, chosen.out, Paths(Path()))
    sys.stdout.write(
        f"{chosen.out}: {count:,} words; now set datasets.{chosen.dataset}.keywords.dictionary to "
        f"{{name: file, path: {chosen.out.as_posix()}}}\n"
    )


def main(arguments: Sequence[str]) -> None:
    """Freeze from the command line."""
    call(
        Command(HELP, add_arguments, run), "python -m mmrec.features.keywords.dictionary", arguments
    )


if __name__ == "__main__":
    main(sys.argv[1:])
