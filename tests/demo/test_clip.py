"""The demo CLIP: its loss, its recipe in short, and the weights that ship."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mmrec.demo.clip_loss import multi_positive_loss
from mmrec.demo.clip_recipe import CLIP_DIR, IMAGE_SIZE, Recipe
from mmrec.demo.evaluate_clip import embed_phrases, evaluate_clip, load_clip, recall_at
from mmrec.demo.train_clip import train_clip
from mmrec.demo.training_pictures import augmented, draw_labelled, draw_pool
from mmrec.demo.words import foreign_shop_words, other_words, shown_words

SHORT = Recipe(
    num_pictures=200,
    num_steps=20,
    batch_size=24,
    num_shop_words=8,
    num_other_words=8,
    learning_rate=2e-3,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other stall where other processes hold the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _loss_by_hand(logits: torch.Tensor, matches: torch.Tensor) -> float:
    def one_direction(rows: list[list[float]], true: list[list[bool]]) -> float:
        losses = []
        for row, marks in zip(rows, true, strict=True):
            if not any(marks):
                continue
            rest = sum(math.exp(v) for v, mark in zip(row, marks, strict=True) if not mark)
            own = [
                -math.log(math.exp(v) / (math.exp(v) + rest))
                for v, mark in zip(row, marks, strict=True)
                if mark
            ]
            losses.append(sum(own) / len(own))
        return sum(losses) / len(losses)

    by_picture = one_direction(logits.tolist(), matches.tolist())
    by_caption = one_direction(logits.T.tolist(), matches.T.tolist())
    return 0.5 * (by_picture + by_caption)


def test_loss_equals_the_double_loop() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 9, generator=generator, dtype=torch.float64) * 3
    matches = torch.rand(5, 9, generator=generator) < 0.3
    matches[:, 0] = torch.tensor([True, False, True, False, True])
    matches[:, 1] = ~matches[:, 0]
    matches[:, 8] = False
    loss = multi_positive_loss(logits, matches)
    assert float(loss) == pytest.approx(_loss_by_hand(logits, matches), rel=1e-9)


def test_loss_is_finite_when_a_caption_is_true_of_every_picture() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    matches = torch.tensor([[True, True, False]] * 4)
    loss = multi_positive_loss(logits, matches)
    torch.autograd.backward(loss)
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_pool_does_not_depend_on_the_number_of_workers() -> None:
    one, two = draw_pool(7, 6, 1), draw_pool(7, 6, 2)
    assert np.array_equal(one.pixels, two.pixels)
    assert np.array_equal(one.labels, two.labels)
    assert np.array_equal(one.labels[4:], draw_labelled(7, 2, first=4)[1])
    moved = augmented(one.pixels, np.random.default_rng(0))
    assert moved.shape == one.pixels.shape == (6, IMAGE_SIZE, IMAGE_SIZE, 3)
    assert not np.array_equal(moved, one.pixels)


def test_short_recipe_learns_and_its_files_load(tmp_path: Path) -> None:
    losses = train_clip(SHORT, tmp_path)
    assert len(losses) == SHORT.num_steps
    assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:4])
    clip = load_clip(tmp_path)
    vectors = embed_phrases(clip, ["red", "a photo of a striped mug"])
    assert vectors.shape == (2, 64)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_recall_counts_ties_against_the_model() -> None:
    words = sorted(shown_words())
    labels = np.zeros((2, 3), dtype=np.int64)
    flat = recall_at(5, np.zeros((2, len(words))), words, labels)
    assert flat == {"colour": 0.0, "pattern": 0.0, "category": 0.0}


def test_shipped_files_are_small_and_load_as_float32() -> None:
    weights = CLIP_DIR / "open_clip_model.safetensors"
    assert weights.stat().st_size < 10_000_000
    clip = load_clip(CLIP_DIR)
    assert {parameter.dtype for parameter in clip.model.parameters()} == {torch.float32}
    assert clip.model.visual.image_size == (IMAGE_SIZE, IMAGE_SIZE)


def test_shipped_clip_finds_the_true_words_of_unseen_drawings() -> None:
    results = evaluate_clip(CLIP_DIR, num_pictures=200)
    assert len(results) == 4
    for title, recalls in results.items():
        assert recalls["colour"] >= 0.95, title
        assert recalls["pattern"] >= 0.95, title
        assert recalls["category"] >= 0.9, title


def test_shown_words_are_no_foreign_words() -> None:
    assert len(other_words()) > 20_000
    assert not shown_words() & ({*other_words()} | {*foreign_shop_words()})
