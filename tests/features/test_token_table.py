"""Token states in, the packed tokens of any items out: as slow loops over the rows give them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import torch

from mmrec import schemas
from mmrec.features.empty import write_empty_feature
from mmrec.features.table import load_feature_table
from mmrec.features.token_table import PackedTokens, TokenTable, load_token_table
from mmrec.io import DataError, content_key, write_table
from tests.features import worlds
from tests.interpreters import forking, forking_environment

IDS = ["a", "a.b", "b 2", "b.2", "c", "ü"]
CATALOGUE = ["ü", "c", "a", "b.2", "a.b", "b 2"]
"""The order of `item_index` is not that of ids, in which a feature is written."""
DIM = 3


class Content(NamedTuple):
    item: str
    position: int
    key: str
    length: int

    def states(self) -> np.ndarray:
        seed = int.from_bytes(content_key(self.key.encode())[:4], "big")
        return np.random.default_rng(seed).normal(size=(self.length, DIM)).astype(np.float16)


CONTENTS = [
    Content("a", 0, "boilerplate", 4),
    Content("a", 1, "red", 1),
    Content("a", 10, "long", 7),
    Content("b 2", 0, "boilerplate", 4),
    Content("c", 2, "red", 1),
    Content("ü", 0, "own", 3),
    Content("ü", 1, "boilerplate", 4),
]


def write(
    contents: Sequence[Content], folder: Path, *, fingerprint: str = "{}", cut: int = 10**6
) -> Path:
    """A feature in parts of `cut` rows."""
    rows = [
        (one.item, one.position, token, content_key(one.key.encode()), state.tolist())
        for one in contents
        for token, state in enumerate(one.states())
    ]
    return write_rows(rows, folder, fingerprint=fingerprint, cut=cut)


def write_rows(rows: list[tuple], folder: Path, *, fingerprint: str = "{}", cut: int) -> Path:
    schema = schemas.token_features(DIM, pa.float16())
    described = schema.with_metadata({schemas.FINGERPRINT_KEY: fingerprint})
    for part, begin in enumerate(range(0, len(rows), cut)):
        columns = zip(*rows[begin : begin + cut], strict=True)
        named = dict(zip(schema.names, map(list, columns), strict=True))
        named["embedding"] = [np.float16(one) for one in named["embedding"]]
        write_table(pa.table(named, schema=schema), folder / f"part-{part:05d}.parquet", described)
    return folder


def load(folder: Path) -> TokenTable:
    return load_token_table(folder, worlds.items(CATALOGUE))


def expected(asked: Sequence[int]) -> tuple[list[list[float]], list[int], list[int]]:
    """By loops: values, lengths and counts of the items asked for."""
    values: list[list[float]] = []
    lengths, counts = [], []
    for index in asked:
        own = [one for one in CONTENTS if index and one.item == CATALOGUE[index - 1]]
        counts.append(len(own))
        for one in sorted(own, key=lambda one: one.position):
            lengths.append(one.length)
            values += one.states().tolist()
    return values, lengths, counts


def as_lists(packed: PackedTokens) -> tuple[list[list[float]], list[int], list[int]]:
    return packed.values.tolist(), packed.lengths.tolist(), packed.counts.tolist()


@pytest.mark.parametrize("cut", [1, 3, 10**6])
@pytest.mark.parametrize(
    "asked", [[3], [0], [2, 6, 1, 3], [5, 4], [0, 1, 2, 3, 4, 5, 6], [], [1, 1, 0, 3, 1]]
)
def test_items_get_their_tokens_whatever_is_asked_for(
    tmp_path: Path, asked: list[int], cut: int
) -> None:
    table = load(write(CONTENTS, tmp_path, cut=cut))
    assert as_lists(table.gather(torch.tensor(asked, dtype=torch.int64))) == expected(asked)


def test_the_shape_of_what_is_asked_for_does_not_matter(tmp_path: Path) -> None:
    table = load(write(CONTENTS, tmp_path))
    asked = torch.tensor([[3, 0, 1], [2, 6, 5]], dtype=torch.int32)
    assert as_lists(table.gather(asked)) == expected(asked.flatten().tolist())


def test_an_item_without_contents_and_padding_have_none(tmp_path: Path) -> None:
    table = load(write(CONTENTS, tmp_path))
    assert table.counts.tolist() == [0, 2, 1, 3, 0, 0, 1]
    packed = table.gather(torch.tensor([0, 4, 5]))
    assert packed.values.shape == (0, DIM)
    states, mask = packed.padded()
    assert (states.shape, mask.shape) == ((0, 0, DIM), (0, 0))


def test_states_of_equal_contents_are_held_once(tmp_path: Path) -> None:
    table = load(write(CONTENTS, tmp_path))
    assert len(table.values) == 4 + 1 + 7 + 3
    assert (len(table.contents), len(table.token_offsets)) == (len(CONTENTS), 4 + 1)
    assert (table.dim, table.num_items, table.values.dtype) == (DIM, 7, torch.float16)


def test_padded_contents_stand_apart_with_their_ends_masked(tmp_path: Path) -> None:
    packed = load(write(CONTENTS, tmp_path)).gather(torch.tensor([3, 1]))
    states, mask = packed.padded()
    assert mask.sum(1).tolist() == [4, 1, 7, 3, 4]
    assert (mask == (torch.arange(7) < packed.lengths[:, None])).all()
    assert torch.equal(states[mask], packed.values)
    assert (states[~mask] == 0).all()


def test_the_digest_is_that_of_fingerprint_contents_and_items(tmp_path: Path) -> None:
    digest = load(write(CONTENTS, tmp_path / "one")).digest
    assert load(write(CONTENTS, tmp_path / "cut", cut=2)).digest == digest
    others = {
        load(write(CONTENTS, tmp_path / "f", fingerprint='{"x": 1}')).digest,
        load(write(CONTENTS[1:], tmp_path / "fewer")).digest,
        load(write([*CONTENTS[:-1], CONTENTS[-1]._replace(key="new")], tmp_path / "new")).digest,
        load(write([CONTENTS[0]._replace(item="a.b"), *CONTENTS[1:]], tmp_path / "item")).digest,
        load_token_table(tmp_path / "one", worlds.items(IDS)).digest,
    }
    assert len(others | {digest}) == 6


def test_the_empty_feature_has_tokens_for_nobody(tmp_path: Path) -> None:
    write_empty_feature(tmp_path)
    table = load(tmp_path)
    assert (table.dim, table.num_items) == (0, len(CATALOGUE) + 1)
    assert table.gather(torch.arange(7)).counts.tolist() == [0] * 7


def test_a_feature_without_a_single_token_is_read(tmp_path: Path) -> None:
    schema = schemas.token_features(DIM, pa.float16())
    write_table(schema.empty_table(), tmp_path / "part-00000.parquet", schema)
    assert load(tmp_path).gather(torch.tensor([3])).counts.tolist() == [0]


def test_tokens_where_vectors_are_needed_and_the_reverse_are_refused(tmp_path: Path) -> None:
    write(CONTENTS, tmp_path / "tokens")
    with pytest.raises(
        DataError, match=r"tokens: found the states of tokens, expected one vector.*; name a"
    ):
        load_feature_table(tmp_path / "tokens", worlds.items(CATALOGUE))
    schema = schemas.features(2, pa.float16())
    columns = {"item_id": ["a"], "position": [0], "content_key": [b"k" * 16]}
    vectors = pa.table({**columns, "embedding": [np.float16([1, 2])]}, schema=schema)
    write_table(vectors, tmp_path / "vectors" / "part-00000.parquet", schema)
    with pytest.raises(
        DataError, match=r"vectors: found one vector per content, expected the states.*; name a"
    ):
        load(tmp_path / "vectors")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows[1:], "found token 1 of item 'a' in row 0, where another one belongs"),
        (lambda rows: rows[:2] + rows[3:], "found token 3 of item 'a' in row 2"),
        (lambda rows: [rows[0], ("ü", *rows[1][1:]), *rows[2:]], "found token 1 of item 'ü'"),
        (lambda rows: [*rows, *rows[-4:]], "have the item and position of another"),
        (lambda rows: [*rows, ("zz", 0, *rows[0][2:])], "not in the catalogue.*'zz'"),
        (lambda rows: rows[:-1], "content of item 'ü' has 3 tokens here and 4 elsewhere"),
        (lambda rows: [*rows[:-1], (*rows[-1][:4], [1, np.nan, 1])], "item 'ü'.*not finite"),
    ],
)
def test_rows_that_are_no_contents_of_items_are_refused(tmp_path: Path, spoil, said: str) -> None:
    rows = [
        (one.item, one.position, token, content_key(one.key.encode()), state.tolist())
        for one in CONTENTS
        for token, state in enumerate(one.states())
    ]
    write_rows(spoil(rows), tmp_path, cut=10**6)
    with pytest.raises(DataError, match=said):
        load(tmp_path)


def test_states_beyond_memory_are_mapped_and_copied_for_those_who_ask_alone(
    tmp_path: Path,
) -> None:
    num_items, num_tokens, dim = 1_000, 50, 512
    schema = schemas.token_features(dim, pa.float16())
    size = num_items * num_tokens * dim * 2  # bytes: 49 MiB
    states = np.zeros((num_items, num_tokens, dim), np.float16)
    states[:, 0, 0] = np.arange(num_items)
    columns = {
        "item_id": [f"{n:06d}" for n in range(num_items) for _ in range(num_tokens)],
        "position": pa.repeat(0, num_items * num_tokens),
        "token": list(range(num_tokens)) * num_items,
        "content_key": [f"{n:016d}".encode() for n in range(num_items) for _ in range(num_tokens)],
        "embedding": pa.FixedSizeListArray.from_arrays(states.reshape(-1), dim),
    }
    write_table(pa.table(columns).cast(schema), tmp_path / "part-00000.parquet", schema)

    def read(how: str) -> subprocess.CompletedProcess[str]:
        numbers = map(str, (size * 2 // 3, num_items))
        module = "tests.features.reading_within_memory"
        command = [forking() / "bin" / "python", "-m", module, str(tmp_path), *numbers, how]
        return subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            env=forking_environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    mapped = read("mapped")
    assert mapped.returncode == 0, mapped.stderr
    assert mapped.stdout.strip() == str(num_items * num_tokens)
    assert "MemoryError" in read("held").stderr
