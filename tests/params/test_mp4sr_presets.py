"""MP4SR's example files: one recipe for four datasets, and two presets, setting by setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.file import load_params
from mmrec.params.models.mp4sr import Mp4srParams

ROOT = Path(__file__).parents[2]
FILES = {path.stem.removeprefix("mp4sr_"): path for path in (ROOT / "examples").glob("mp4sr_*")}

ARCHITECTURE = {
    "max_sequence_length": 50,
    "embedding_dim": 64,
    "num_layers": 2,
    "num_heads": 2,
    "feedforward_dim": 256,
    "dropout": 0.2,
    "attention_dropout": 0.2,
    "attention_dim": 64,
    "num_experts": 8,
    "expert_dropout": 0.2,
    "expert_draws": "place",
    "shared_adaptor": False,
    "temperature": 0.07,
}
LOOP = {
    "optimizer": "adam",
    "schedule": {"name": "constant"},
    "groups": [],
    "metric": "recall@20",
    "validation_users": None,
    "popularity_power": 0.0,
    "batching": "prefix",
    "window_overlap": None,
    "epochs": 300,
    "batch_size": 1024,
}
PRETRAIN = LOOP | {"learning_rate": 1e-3, "weight_decay": 0.0, "items": "all"}
FINETUNE = LOOP | {
    "keep": "best",
    "loss": {"name": "full", "candidates": "all", "candidate_power": 0.0},
    "use_id": True,
    "score_branches": "both",
    "joint": None,
    "id_dropout": None,
    "alignment": None,
}
CONTRAST = {
    "nip_weight": 1.0,
    "cmcl_weight": 0.01,
    "mixup": True,
    "max_swap_probability": 0.5,
    "drop_probability": 0.2,
}
PRESETS = {
    "mp4sr-paper": {
        "architecture": ARCHITECTURE | {"pooling": "attention", "score": "dot_then_cosine"},
        "pretrain": PRETRAIN
        | {
            "patience": 300,
            "keep": "last",
            "max_grad_norm": None,
            "contrast": CONTRAST
            | {
                "cmcl_denominator": "literal",
                "same_target_negatives": "kept",
                "projections": True,
                "drop_schedule": "fixed",
            },
        },
        "finetune": FINETUNE
        | {
            "patience": 10,
            "max_grad_norm": None,
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
        },
    },
    "mp4sr-released": {
        "architecture": ARCHITECTURE | {"pooling": "attention_frozen_unmasked", "score": "cosine"},
        "pretrain": PRETRAIN
        | {
            "patience": 20,
            "keep": "best",
            "max_grad_norm": 5.0,
            "contrast": CONTRAST
            | {
                "cmcl_denominator": "released",
                "same_target_negatives": "zero_logit",
                "projections": False,
                "drop_schedule": "uniform",
            },
        },
        "finetune": FINETUNE
        | {
            "patience": 20,
            "max_grad_norm": 5.0,
            "learning_rate": 1e-4,
            "weight_decay": 1e-3,
        },
    },
}
"""All settings, none left to a default: a default that moves away from its source is found."""


def test_there_is_a_file_for_each_dataset_of_the_paper() -> None:
    assert FILES.keys() == {"pantry", "arts", "office", "poetry"}


def apart_from_the_dataset(name: str) -> Any:
    """The file with neutral names, without where its dataset comes from."""
    data = YAML(typ="safe").load(FILES[name].read_text().replace(name, "pantry"))
    del data["datasets"]["pantry"]["source"], data["report"]["title"]
    return data


@pytest.mark.parametrize("name", FILES)
def test_the_files_differ_in_the_dataset_alone(name: str) -> None:
    assert apart_from_the_dataset(name) == apart_from_the_dataset("pantry")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_what_its_source_says(preset: str) -> None:
    model = load_params(FILES["pantry"]).models[preset]
    assert isinstance(model, Mp4srParams)
    assert model.model_dump(mode="json") == {"name": "mp4sr", **PRESETS[preset]}


def test_the_recipe_is_the_papers() -> None:
    params = load_params(FILES["pantry"])
    dataset = params.datasets["pantry"]
    clean, keywords = dataset.clean, dataset.keywords
    assert (clean.user_core, clean.item_core, clean.min_rating) == (5, 1, None)
    assert (clean.max_sentences, clean.max_images, clean.cold_threshold) == (10, 10, 10)
    assert (clean.text_fields, clean.duplicates) == (["description"], "keep_last")
    assert keywords.name == "open_clip"
    assert (keywords.num_keywords, keywords.prompt) == (15, "{}")
    assert keywords.model.startswith("ViT-B-32")
    encoders = [entry.extractor.model_dump()["model"] for entry in params.embed.text.values()]
    assert encoders == ["sentence-transformers/all-mpnet-base-v2"] * 2
    assert not params.evaluate.mask_history
    assert not params.validation.mask_history
    assert params.evaluate.cutoffs == [5, 10, 20]
