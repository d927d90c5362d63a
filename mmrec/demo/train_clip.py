"""Train the demo CLIP: drawings and captions -> ``mmrec/demo/clip/`` (config, weights).

Usage: ``python -m mmrec.demo.train_clip``. Runs on the CPU; the figures of the result come from
``python -m mmrec.demo.evaluate_clip``.
"""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mmrec.demo.captions import draw_captions
from mmrec.demo.clip_import import import_open_clip
from mmrec.demo.clip_loss import multi_positive_loss
from mmrec.demo.clip_recipe import CLIP_DIR, MEAN, STD, Recipe, open_clip_config
from mmrec.demo.training_pictures import LabelledPictures, augmented, draw_pool
from mmrec.demo.words import foreign_shop_words, other_words

_LOG_INTERVAL = 50
_NUM_WORKERS = 2
_MAX_LOGIT_SCALE = 4.0

logger = logging.getLogger(__name__)


def train_clip(recipe: Recipe, folder: Path) -> list[float]:
    """Train from nothing, write config and half-precision weights, return the loss per step."""
    started = time.monotonic()
    pool = draw_pool(recipe.seed, recipe.num_pictures, _NUM_WORKERS)
    logger.info("drew %d pictures in %.0f s", recipe.num_pictures, time.monotonic() - started)
    model = build_model(recipe.seed)
    losses = list(_steps(model, recipe, pool))
    write_clip(model, folder)
    minutes = (time.monotonic() - started) / 60
    logger.info("trained %d steps in %.1f min: %s", recipe.num_steps, minutes, folder)
    return losses


def build_model(seed: int) -> nn.Module:
    """Build the untrained model."""
    torch.manual_seed(seed)
    config: dict[str, Any] = open_clip_config()["model_cfg"]
    model: nn.Module = import_open_clip().CLIP(**config)
    return model


def write_clip(model: nn.Module, folder: Path) -> None:
    """Write what ``open_clip.create_model_and_transforms("local-dir:<folder>")`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.dumps(open_clip_config(), indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(config, encoding="utf-8")
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")


def _steps(model: nn.Module, recipe: Recipe, pool: LabelledPictures) -> Iterator[float]:
    open_clip = import_open_clip()
    context_length = open_clip_config()["model_cfg"]["text_cfg"]["context_length"]
    tokenize = open_clip.SimpleTokenizer(context_length=context_length)
    generator = np.random.default_rng([recipe.seed, 1])
    shop_words, unseen_words = foreign_shop_words(), other_words()
    optimiser, schedule = _build_optimiser(model, recipe)
    visual: Any = model.visual
    visual.patch_dropout = open_clip.transformer.PatchDropout(recipe.patch_dropout)
    model.train()
    started = time.monotonic()
    for step in range(recipe.num_steps):
        if step == int(recipe.num_steps * recipe.dropout_share):
            visual.patch_dropout = nn.Identity()
        rows = generator.integers(0, len(pool.labels), size=recipe.batch_size)
        words = [
            *_sampled(shop_words, recipe.num_shop_words, generator),
            *_sampled(unseen_words, recipe.num_other_words, generator),
        ]
        captions = draw_captions(pool.labels[rows], words, generator)
        pictures = _normalised(augmented(pool.pixels[rows], generator))
        matches = torch.from_numpy(captions.match(pool.labels[rows]))
        loss = _loss(model, pictures, tokenize(captions.phrases), matches)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        yield loss.item()
        if (step + 1) % _LOG_INTERVAL == 0:
            rate = (step + 1) / (time.monotonic() - started)
            logger.info("step %d: loss %.3f (%.1f steps/s)", step + 1, loss.item(), rate)


def _build_optimiser(
    model: nn.Module, recipe: Recipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimiser = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.num_steps, pct_start=0.15
    )
    return optimiser, schedule


def _loss(model: Any, pictures: Tensor, tokens: Tensor, matches: Tensor) -> Tensor:
    images = model.encode_image(pictures, normalize=True)  # [B, D]
    texts = model.encode_text(tokens, normalize=True)  # [T, D]
    scale = model.logit_scale.clamp(max=_MAX_LOGIT_SCALE).exp()
    return multi_positive_loss(scale * images @ texts.T, matches)


def _normalised(pixels: np.ndarray) -> Tensor:
    mean, std = np.array(MEAN, dtype=np.float32), np.array(STD, dtype=np.float32)
    scaled = (pixels.astype(np.float32) / 255 - mean) / std
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))  # [B, 3, H, W]


def _sampled(words: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    return [words[int(index)] for index in generator.integers(0, len(words), size=count)]


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    logger.setLevel(logging.INFO)
    train_clip(Recipe(), CLIP_DIR)
