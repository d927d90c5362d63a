"""The shop: the same in every process, dirty where it says so, learnable from content."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, UnidentifiedImageError

from mmrec.demo.attributes import CATEGORIES, COLOURS, PATTERNS
from mmrec.demo.shop import DEFAULT_NUM_ITEMS, DEFAULT_NUM_USERS, Shop, draw_shop
from mmrec.demo.shoppers import DURATION_S, OPENING_S
from mmrec.demo.words import foreign_shop_words, shown_words, whole_words

NUM_ITEMS, NUM_USERS, SEED = 200, 400, 11


@pytest.fixture(scope="module")
def shop() -> Shop:
    return draw_shop(NUM_ITEMS, NUM_USERS, SEED)


@pytest.fixture(scope="module")
def default_shop() -> Shop:
    return draw_shop(DEFAULT_NUM_ITEMS, DEFAULT_NUM_USERS, SEED)


@pytest.fixture(scope="module")
def pictures(shop: Shop) -> dict[tuple[str, int], bytes]:
    return {(item_id, position): data for item_id, position, data in shop.pictures()}


def _digest(num_items: int, num_users: int, seed: int) -> str:
    shop = draw_shop(num_items, num_users, seed)
    digest = hashlib.sha256()
    for table in (shop.items, shop.truth, shop.interactions):
        digest.update(table.write_csv().encode())
    for item_id, position, data in shop.pictures():
        digest.update(f"{item_id} {position}".encode() + data)
    return digest.hexdigest()


def test_another_process_draws_the_same_bytes() -> None:
    code = (
        "from tests.demo.test_shop import _digest; import sys; sys.stdout.write(_digest(60, 30, 3))"
    )
    root = Path(__file__).parents[2]
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert other.stdout == _digest(60, 30, 3)


def test_seed_changes_everything(shop: Shop) -> None:
    other = draw_shop(NUM_ITEMS, NUM_USERS, SEED + 1)
    assert not shop.items.equals(other.items)
    assert not shop.interactions.equals(other.interactions)


def test_tables_have_the_promised_columns_and_sizes(shop: Shop) -> None:
    assert shop.items.schema == {"item_id": pl.String, "title": pl.String, "description": pl.String}
    assert shop.interactions.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "timestamp_s": pl.Int64,
    }
    assert shop.items["item_id"].n_unique() == len(shop.items) == NUM_ITEMS
    assert shop.truth["item_id"].equals(shop.items["item_id"])
    assert shop.interactions["user_id"].n_unique() == NUM_USERS
    assert shop.interactions["item_id"].is_in(shop.items["item_id"].to_list()).all()
    assert shop.interactions["timestamp_s"].is_sorted()
    assert shop.interactions["timestamp_s"].is_between(OPENING_S, OPENING_S + DURATION_S).all()


def test_too_small_a_shop_is_refused() -> None:
    with pytest.raises(ValueError, match=r"num_items: found 10.*at least 60"):
        draw_shop(10, 10, 0)
    with pytest.raises(ValueError, match="num_users: found 0"):
        draw_shop(60, 0, 0)


def test_pictures_decode_except_the_broken_ones(
    shop: Shop, pictures: dict[tuple[str, int], bytes]
) -> None:
    broken = {
        (row["item_id"], row["broken_picture"])
        for row in shop.truth.iter_rows(named=True)
        if row["broken_picture"] >= 0
    }
    assert 0 < len(broken) < 0.05 * NUM_ITEMS
    assert len(pictures) == shop.truth["num_pictures"].sum()
    for key, data in pictures.items():
        if key in broken:
            with pytest.raises((OSError, UnidentifiedImageError, SyntaxError)):
                Image.open(io.BytesIO(data)).load()
        else:
            assert Image.open(io.BytesIO(data)).convert("RGB").size == (128, 128)


def test_declared_duplicates_repeat_a_picture(
    shop: Shop, pictures: dict[tuple[str, int], bytes]
) -> None:
    repeats = shop.truth.filter(pl.col("duplicate_of").is_not_null())
    assert len(repeats) > 0
    for row in repeats.iter_rows(named=True):
        assert pictures[row["item_id"], 0] == pictures[row["duplicate_of"], 0]


def test_some_items_lack_pictures_texts_or_both(default_shop: Shop) -> None:
    silent = default_shop.items["title"].is_null()
    unseen = default_shop.truth["num_pictures"] == 0
    assert default_shop.items["description"].is_null().equals(silent)
    for share in (silent.mean(), unseen.mean(), (silent & unseen).mean()):
        assert isinstance(share, float)
        assert 0.001 < share < 0.08


def test_texts_are_dirty(default_shop: Shop) -> None:
    descriptions = default_shop.items["description"].drop_nulls()
    for dirt, least in (("<p>", 0.3), ("&amp;", 0.05), ("Ã|â€", 0.05), ("approx. ", 0.2)):
        share = descriptions.str.contains(dirt).mean()
        assert isinstance(share, float)
        assert share > least, dirt
    repeated = descriptions.str.contains("Free returns within 30 days.", literal=True).mean()
    assert isinstance(repeated, float)
    assert repeated > 0.05


def test_half_of_the_texts_leave_colour_and_pattern_out(default_shop: Shop) -> None:
    texts = default_shop.items.select(
        text=pl.concat_str("title", "description", separator=" ").fill_null("").str.to_lowercase()
    )["text"].to_list()
    for name, values in (("colour", tuple(COLOURS)), ("pattern", PATTERNS)):
        told = default_shop.truth[f"tells_{name}"].to_list()
        own = default_shop.truth[name].to_list()
        assert 0.4 < np.mean(told) < 0.6
        for text, tells, value in zip(texts, told, own, strict=True):
            found = whole_words([text]) & set(values)
            assert found == ({value} if tells else set())


def test_texts_use_only_known_words(default_shop: Shop) -> None:
    texts = default_shop.items["description"].drop_nulls().str.replace_all("<[^>]*>|&[a-z]+;", " ")
    written = {word for word in whole_words(texts) if not any(c.isdigit() for c in word)}
    assert written <= shown_words() | set(foreign_shop_words())


def _sequences(shop: Shop) -> pl.DataFrame:
    """Interactions by user and time, a repeated pair kept once, with position and length."""
    return (
        shop.interactions.with_row_index()
        .sort("user_id", "timestamp_s", "index")
        .unique(["user_id", "item_id"], keep="last", maintain_order=True)
        .with_columns(place=pl.int_range(pl.len()).over("user_id"), length=pl.len().over("user_id"))
    )


def test_sequences_are_as_long_as_promised(default_shop: Shop) -> None:
    sequences = _sequences(default_shop)
    lengths = sequences.group_by("user_id").len()["len"]
    assert lengths.min() == 5
    assert 10 < len(sequences) / DEFAULT_NUM_USERS < 12
    assert len(default_shop.interactions) > len(sequences)
    ties = default_shop.interactions.group_by("user_id", "timestamp_s").len()
    assert (ties["len"] > 1).any()


def test_a_good_share_of_items_and_targets_is_cold(default_shop: Shop) -> None:
    sequences = _sequences(default_shop)
    counts = sequences.filter(pl.col("place") < pl.col("length") - 2).group_by("item_id").len()
    warm = set(counts.filter(pl.col("len") >= 10)["item_id"])
    targets = sequences.filter(pl.col("place") == pl.col("length") - 1)["item_id"]
    cold_targets = 1 - targets.is_in(list(warm)).sum() / len(targets)
    assert 0.35 < 1 - len(warm) / DEFAULT_NUM_ITEMS < 0.5
    assert 0.25 < cold_targets < 0.4


def test_items_are_bought_after_their_release(default_shop: Shop) -> None:
    bought = default_shop.interactions.join(default_shop.truth, on="item_id")
    early = bought["timestamp_s"] < bought["release_s"]
    assert early.sum() <= 0.001 * len(bought)


def test_attributes_predict_the_next_item(default_shop: Shop) -> None:
    """Knowing what items are, not who bought them, finds a quarter of the targets in ten."""
    truth = default_shop.truth
    row_of = {item_id: row for row, item_id in enumerate(truth["item_id"])}
    category = np.array([CATEGORIES.index(name) for name in truth["category"]])
    looks = {name: truth[name].to_numpy() for name in ("colour", "pattern", "material")}
    histories = [
        [row_of[item_id] for item_id in items]
        for items in _sequences(default_shop)
        .group_by("user_id", maintain_order=True)
        .agg("item_id")["item_id"]
        .to_list()
    ]
    moves = np.full((len(CATEGORIES), len(CATEGORIES)), 0.5)
    popularity = np.ones(len(truth))
    for history in histories:
        steps = category[history[:-1]]
        np.add.at(moves, (steps[:-1], steps[1:]), 1.0)
        np.add.at(popularity, history[:-1], 1.0)
    log_moves = np.log(moves / moves.sum(axis=1, keepdims=True))
    found, popular = 0, 0
    for history in histories[:1_000]:
        seen, target = history[:-1], history[-1]
        scores = log_moves[category[seen[-1]]][category] + 0.3 * np.log(popularity)
        for name, weight in (("colour", 3.0), ("pattern", 2.5), ("material", 1.0)):
            for back, share in enumerate((0.5, 0.25, 0.15, 0.1)[: len(seen)], start=1):
                scores += weight * share * (looks[name] == looks[name][seen[-back]])
        scores[seen] = -np.inf
        found += int((scores >= scores[target]).sum() <= 10)
        popular += int((popularity >= popularity[target]).sum() <= 10)
    assert 0.25 < found / 1_000 < 0.45
    assert found > 5 * popular
