"""Names of settings that mean the same in every section that has them and says no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MEANINGS: Final[Mapping[str, str]] = {
    "dataset": "An entry of `datasets`.",
    "feature": "Its name, by which runs and pre-trainings read it.",
    "text": "A text feature of the dataset, or `none`.",
    "image": "A picture feature of the dataset, or `none`.",
    "seed": "Everything that is drawn by chance follows from it.",
    "input": "Sentences of the items, or keywords of their pictures.",
    "precision": "Of the stored numbers.",
    "extractor": "The frozen model, and how it is used.",
    "knockout": "What the feature is deprived of, to see what it was worth; null for nothing.",
    "model": "Architecture known to open_clip, `hf-hub:<repository>`, or a folder with weights.",
    "pretrained": "Tag or file of an architecture's weights; null where `model` brings its own.",
    "revision": "Branch, tag or commit of a repository on the hub; null for its newest state.",
    "normalize": "Whether vectors are scaled to length 1.",
    "lowercase": "Whether texts are put in lower case first.",
    "max_length": "Tokens of a text that are read; null for the model's own limit.",
    "preparation": "How a picture becomes what the model reads; null for the model's own way.",
    "interpolation": "How pixels between pixels are made.",
    "std": "By channel, what the difference to `mean` is divided by.",
    "embedding_dim": "Width of items and states.",
    "num_layers": "Layers, one behind the other.",
    "num_heads": "Heads of attention; the width is a multiple of them.",
    "feedforward_dim": "Width inside a layer's feed-forward net.",
    "dropout": "Share of the values that a step of training leaves out.",
    "attention_dropout": "The same of attention's weights.",
    "encoder_weight_decay": "Of the blocks that are trained.",
    "temperature": "What scores are divided by.",
    "rcl_temperature": "Of `rcl: normalised`.",
    "shuffle_share": "Of the items that are read, how many change places.",
    "fusion": "How text and picture of an item become one.",
    "encoder": "What reads the sequence.",
}
