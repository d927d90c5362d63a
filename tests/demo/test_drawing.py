"""Drawings: deterministic, one per name, varied between views."""

import numpy as np
import pytest

from mmrec.demo.attributes import BACKGROUNDS, CATEGORIES, COLOURS, GOES_WITH, PATTERNS
from mmrec.demo.drawing import Product, draw_product
from mmrec.demo.patterns import draw_pattern
from mmrec.demo.silhouettes import SILHOUETTES


def _product(**changes: str | int) -> Product:
    fields = {
        "category": "mug",
        "colour": "red",
        "pattern": "striped",
        "background": "paper",
        "seed": 5,
    }
    return Product(**{**fields, **changes})  # type: ignore[arg-type]


def _pixels(product: Product, view: int = 0, size: int = 64) -> np.ndarray:
    return np.asarray(draw_product(product, view, size)).astype(int)


def test_every_category_has_a_silhouette_and_two_companions() -> None:
    assert len(CATEGORIES) == 20
    assert set(SILHOUETTES) == set(GOES_WITH) == set(CATEGORIES)
    for category, companions in GOES_WITH.items():
        assert category not in companions
        assert set(companions) <= set(CATEGORIES)


def test_same_product_and_view_give_the_same_pixels() -> None:
    assert np.array_equal(_pixels(_product()), _pixels(_product()))


@pytest.mark.parametrize("size", [48, 64, 128])
def test_picture_has_the_size_asked_for(size: int) -> None:
    picture = draw_product(_product(), 0, size)
    assert picture.size == (size, size)
    assert picture.mode == "RGB"


def test_seed_and_view_change_the_picture() -> None:
    first = _pixels(_product())
    assert not np.array_equal(first, _pixels(_product(seed=6)))
    assert not np.array_equal(first, _pixels(_product(), view=1))


@pytest.mark.parametrize("category", CATEGORIES)
def test_product_fills_a_good_part_of_the_picture(category: str) -> None:
    empty = _pixels(_product(category=category)).min(axis=2) > 170
    assert 0.06 < 1 - empty.mean() < 0.75


def test_every_colour_pattern_and_background_looks_different() -> None:
    for name, values in (
        ("colour", tuple(COLOURS)),
        ("pattern", PATTERNS),
        ("background", BACKGROUNDS),
    ):
        pictures = [_pixels(_product(**{name: value})) for value in values]
        for row, picture in enumerate(pictures):
            for other in pictures[:row]:
                assert np.abs(picture - other).mean() > 1


def test_plain_colour_of_the_body_is_the_named_one() -> None:
    for colour, expected in COLOURS.items():
        picture = _pixels(_product(category="pillow", colour=colour, pattern="plain"))
        assert np.abs(picture[32, 32] - np.array(expected)).max() < 30


def test_unknown_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="tartan"):
        draw_pattern("tartan", (1, 2, 3), 32, np.random.default_rng(0))
