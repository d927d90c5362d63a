"""What a training is given: every setting of a model has an effect on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from mmrec.data.batches import TrainingBatches
from mmrec.data.split import HeldOut, training_part
from mmrec.device import choose_device
from mmrec.evaluation.knowing_nothing import reference_metrics
from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.loading import TrainedWeights
from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.nn.mlp import Mlp
from mmrec.nn.moe import MixtureOfExperts
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.params.models.mp4sr import Mp4srParams
from mmrec.params.models.registry import ModelParams
from mmrec.params.training import LoopParams
from mmrec.recommender import Recommender
from mmrec.seeds import derive_seed
from mmrec.training.digest import code_digest
from mmrec.training.fit import fit
from mmrec.training.trainer import TrainingResult
from tests.models.cases import CASES, TRAINED
from tests.models.token_worlds import tokens_of
from tests.training.changed_settings import with_one_changed
from tests.training.tiny_run import run_data

NUM_ITEMS = 12
COLD = (4, 9)
# No default among them, so that a setting that is not passed on shows.
LOOP = {
    "epochs": 3,
    "patience": 2,
    "metric": "ndcg@7",
    "keep": "last",
    "learning_rate": 0.02,
    "weight_decay": 0.03,
    "max_grad_norm": 4.0,
    "optimizer": "adamw",
    "schedule": {"name": "linear_to", "factor": 0.25, "from_epoch": 1, "to_epoch": 3},
    "groups": [{"prefixes": ["sequence_encoder"], "learning_rate": 0.5, "weight_decay": 0.25}],
}
TRAINING = LOOP | {
    "validation_users": 7,
    "popularity_power": 0.5,
    "batch_size": 32,
    "batching": "dense",
    "window_overlap": 2,
}
TRANSFORMER = {"embedding_dim": 8, "max_sequence_length": 8, "dropout": 0.3}
ATTENTIVE = {"num_heads": 2, "feedforward_dim": 16, "dropout": 0.3, "attention_dropout": 0.4}
ENCODERS = {"encoder_learning_rate": 0.25, "encoder_weight_decay": 0.125}
CONTRAST = {
    "cmcl_denominator": "literal",
    "same_target_negatives": "kept",
    "max_swap_probability": 0.3,
    "drop_probability": 0.1,
    "drop_schedule": "uniform",
}
ALL_TOKENS = {
    "embedding_dim": 8,
    "max_sequence_length": 8,
    "tune": "top1",
    "fusion": ATTENTIVE,
    "encoder": ATTENTIVE,
}
LOSSES = {
    "dap_weight": 0.5,
    "contrast_weight": 0.25,
    "nid_weight": 0.75,
    "rcl_weight": 0.125,
    "temperature": 0.5,
    "shuffle_share": 0.25,
    "replace_share": 0.125,
    "rcl_temperature": 0.375,
}
WEIGHED = {"name": "full", "candidates": "trained", "candidate_power": 0.5}
OWN_IDS = {
    "id_dropout": {"chance": 0.25, "min_count": 2, "ranked_weight": 0.5},
    "alignment": {"weight": 0.5, "temperature": 0.25},
}
MODELS: dict[str, dict[str, Any]] = {
    "mp4sr": {
        "architecture": TRANSFORMER
        | {"attention_dropout": 0.4, "expert_dropout": 0.6, "temperature": 0.5},
        "pretrain": TRAINING | {"contrast": CONTRAST},
        "finetune": TRAINING | {"epochs": 5, "joint": CONTRAST, "loss": {"name": "sampled"}},
    },
    "mp4sr, own IDs": {
        "name": "mp4sr",
        "architecture": TRANSFORMER,
        "pretrain": None,
        "finetune": TRAINING | OWN_IDS,
    },
    "mmsrec": {
        "architecture": TRANSFORMER
        | {"attention_dropout": 0.4, "input_dropout": 0.6, "temperature": 0.5, "num_heads": 4}
        | {"missing": "mask_token", "pad_to": "batch_max", "item_tower_position": "none"},
        "pretrain": LOOP
        | {"batch_size": 4, "held_out_share": 0.3}
        | {"contrast": {"text": 0.5, "image": 0.125, "text_to_image": 0.75, "both": 0.375}},
        "finetune": LOOP
        | {
            "validation_users": 7,
            "popularity_power": 0.5,
            "batch_size": 32,
            "mask_probability": 0.3,
            "mask_share": 0.6,
        }
        | {"random_share": 0.3, "prefix_share": 0.5, "loss": {"name": "in_batch"}},
    },
    "mmsr": {
        "architecture": {
            "embedding_dim": 8,
            "max_sequence_length": 8,
            "tune": "top1",
            "fusion": ATTENTIVE | {"name": "merge_attention", "readout": "cls"},
            "encoder": ATTENTIVE | {"name": "sasrec"},
        },
        "pretrain": TRAINING | ENCODERS,
        "finetune": TRAINING | ENCODERS | {"loss": {"name": "sampled"}},
    },
    "pmmrec": {
        "architecture": ALL_TOKENS,
        "pretrain": TRAINING | ENCODERS | {"losses": LOSSES},
        "finetune": TRAINING | ENCODERS | {"epochs": 5, "joint": LOSSES},
    },
    "pmmrec, text": {
        "name": "pmmrec",
        "architecture": ALL_TOKENS,
        "pretrain": None,
        "finetune": TRAINING | ENCODERS | {"joint": LOSSES, "modality": "text"},
    },
    "sasrec": {
        "architecture": TRANSFORMER
        | {"attention_dropout": 0.4, "score": "cosine", "temperature": 0.5},
        "pretrain": None,
        "finetune": TRAINING | {"loss": {"name": "in_batch"}},
    },
    "gru4rec": {
        "architecture": {"embedding_dim": 8, "max_sequence_length": 8, "dropout": 0.2},
        "pretrain": None,
        "finetune": TRAINING | {"loss": {"name": "in_batch_sequences"}},
    },
    "bert4rec": {
        "architecture": TRANSFORMER | {"attention_dropout": 0.4},
        "pretrain": None,
        "finetune": LOOP
        | {
            "validation_users": 7,
            "popularity_power": 0.5,
            "batch_size": 32,
            "mask_probability": 0.3,
        }
        | {"last_only_share": 0.4, "loss": {"name": "in_batch"}},
    },
    "nextitnet": {
        "architecture": {"embedding_dim": 8, "max_sequence_length": 8, "dilations": [1, 3]},
        "pretrain": None,
        "finetune": TRAINING | {"loss": WEIGHED},
    },
}
FEATURE_DROPOUT = {"attention_dropout": 0.4, "feature_dropout": 0.6}
for _name, _own in (("sasrecm", FEATURE_DROPOUT), ("fdsa", FEATURE_DROPOUT), ("morec", {})):
    MODELS[_name] = {
        "architecture": TRANSFORMER | _own,
        "pretrain": None,
        "finetune": TRAINING | ({} if _name == "morec" else {"loss": WEIGHED}),
    }
MODELS["sasrecm"]["finetune"] |= OWN_IDS
OTHER_ARM = {("pmmrec", "finetune"): "pmmrec, text", ("mp4sr", "finetune"): "mp4sr, own IDs"}
"""What has no effect in the one has it in the other."""


class Training(NamedTuple):
    """What `train` is called with; `validate` taken apart."""

    objective: nn.Module
    batches: TrainingBatches
    held_out: HeldOut | None
    validation: dict[str, Any]
    keywords: dict[str, Any]


@pytest.fixture
def train_with(monkeypatch: pytest.MonkeyPatch) -> Any:
    trainings: list[Training] = []

    def train(
        objective: Any, batches: Any, validate: Any, loop: LoopParams, **keywords: Any
    ) -> TrainingResult:
        validation = dict(validate())
        # What `train` reads of it, and not the other settings that come along.
        own = LoopParams.model_fields.keys() - {"batch_size"}
        keywords["loop"] = loop.model_dump(mode="json", include={*own})
        held_out = validation.pop("held out", None)  # of users; where items are trained on, none
        trainings.append(Training(objective, batches, held_out, validation, keywords))
        return TrainingResult(1, 0.5, 1, 0.5, 1, 0)

    def fitted(
        params: ModelParams,
        stage: Any,
        *,
        mask_history: bool = False,
        weights: TrainedWeights | None = None,
    ) -> Training:
        fit(
            params,
            with_tokens(data()) if "tokens" in params.levels else data(),
            TrainingRun(stage, 1, mask_history),
            weights=weights,
            checkpoint_dir=Path("checkpoints"),
            history_path=Path("history.csv"),
        )
        return trainings.pop()

    monkeypatch.setattr("mmrec.training.fit.train", train)
    monkeypatch.setattr(
        "mmrec.models.next_item_training.validation_metrics",
        _noted,
    )
    return fitted


def _noted(
    scored: Recommender, held_out: HeldOut, *, log_weights: torch.Tensor | None, **keywords: Any
) -> dict[str, Any]:
    loss = None if log_weights is None else log_weights.tolist()
    power = scored.power if isinstance(scored, PopularityCorrected) else 0
    return {"held out": held_out, **keywords, "loss": loss, "power": power}


def data() -> ModelData:
    lists = [[(user + step) % NUM_ITEMS + 1 for step in range(24)] for user in range(20)]
    whole = run_data(NUM_ITEMS, lists)
    whole.is_cold[list(COLD)] = True
    return replace(whole, training_counts=torch.arange(NUM_ITEMS + 1))


def with_tokens(whole: ModelData) -> ModelData:
    """The same items by token states that enter twelve blocks."""
    return replace(whole, features={name: tokens_of(name, 12) for name in whole.features})


def model(name: str, **sections: Any) -> ModelParams:
    return TypeAdapter(ModelParams).validate_python({"name": name, **MODELS[name], **sections})


@pytest.mark.parametrize(("stage", "mask_history"), [("pretrain", True), ("finetune", False)])
def test_a_training_gets_the_settings_of_its_stage(
    stage: Any, mask_history: bool, train_with: Any
) -> None:
    params = model("mp4sr")
    training = train_with(params, stage, mask_history=mask_history)
    assert training.keywords == {
        "loop": LOOP | {"epochs": MODELS["mp4sr"][stage]["epochs"]},
        "groups": (),
        "seed": 1,
        "stage": stage,
        "settings": {
            "model": params.described(stage),
            "code": code_digest(stage, params.described(stage)),
            "validated": training.held_out.digest,
            "mask_history": mask_history,
            "read": [],
            "device": choose_device().type,
        },
        "checkpoint_dir": Path("checkpoints"),
        "history_path": Path("history.csv"),
    }
    assert training.validation == {
        "mask_history": mask_history,
        "cutoffs": [5, 7, 10, 20, 50],
        "loss": None,  # of contrasts, or of more than the next item
        "power": 0.5,
    } | reference_metrics(
        training.held_out, data().training_counts, "ndcg@7", mask_history=mask_history
    )
    expected = TrainingBatches(
        training_part(data().sequences),
        batching="dense",
        max_sequence_length=8,
        window_overlap=2,
        batch_size=32,
        seed=derive_seed(1, stage),
    )
    assert training.batches.digest == expected.digest


def test_pre_training_on_warm_items_neither_trains_nor_validates_on_cold_ones(
    train_with: Any,
) -> None:
    seen = {}
    for items in ("all", "warm"):
        pretrain = TRAINING | {"items": items, "validation_users": None}
        training = train_with(model("mp4sr", pretrain=pretrain), "pretrain")
        trained = [batch.items.unique() for batch in training.batches.epoch(1)]
        histories = training.held_out.histories.items.unique()
        seen[items] = [
            {*COLD} & {*found.tolist()}
            for found in (torch.cat(trained), histories, training.held_out.targets)
        ]
    assert seen == {"all": [{*COLD}] * 3, "warm": [set()] * 3}


@pytest.mark.parametrize("positions", ["fresh", "pretrained"])
def test_a_run_takes_of_its_pre_training_what_its_settings_say(
    positions: str, train_with: Any
) -> None:
    params = model("mmsrec", finetune=MODELS["mmsrec"]["finetune"] | {"positions": positions})
    shapes = train_with(params, "finetune").objective.recommender.state_dict()
    sevens = {name: torch.full_like(value, 7) for name, value in shapes.items()}
    weights = TrainedWeights(sevens, data().items["item_id"], "a file")
    loaded = train_with(params, "finetune", weights=weights).objective.recommender.state_dict()
    kept = {name for name, value in loaded.items() if not (value == 7).all()}
    assert kept == ({"sequence_encoder.positions"} if positions == "fresh" else set())


@pytest.mark.parametrize(("name", "stage"), TRAINED)
def test_every_setting_has_an_effect(
    name: str, stage: str, train_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Part of the record of settings, which is not compared here, and slow to come by.
    monkeypatch.setattr("mmrec.training.fit.code_digest", lambda *_: "")
    idle = without_effect(model(name), stage, train_with)
    if (name, stage) in OTHER_ARM:
        idle &= without_effect(model(OTHER_ARM[name, stage]), stage, train_with)
    assert idle == set()


def without_effect(params: ModelParams, stage: Any, train_with: Any) -> set[str]:
    """Paths of the settings that change nothing of a training."""
    plain = (described(train_with(params, stage)), params.not_taken())
    changed = {
        ".".join(map(str, path)): (
            described(train_with(changed_params, stage)),
            changed_params.not_taken(),
        )
        for path, changed_params in with_one_changed(params, stage)
    }
    expected = {"architecture.embedding_dim", f"{stage}.weight_decay"}
    expected |= {f"{stage}.schedule.factor", f"{stage}.groups.0.learning_rate"}
    assert expected <= changed.keys()
    return {path for path, found in changed.items() if found == plain}


@pytest.mark.parametrize(("name", "stage"), TRAINED)
def test_settings_keep_their_name_and_value_in_the_parts_they_reach(
    name: str, stage: str, train_with: Any
) -> None:
    params = model(name)
    settings = getattr(params, stage)
    contrast = getattr(settings, "contrast" if stage == "pretrain" else "joint", None)
    encoder = getattr(params.architecture, "encoder", None)
    named = (
        dict(params.architecture)
        | dict(encoder or {})
        | dict(contrast or {})
        | dict(getattr(settings, "loss", {}))
    )
    found = set()
    for path, module in train_with(params, stage).objective.named_modules():
        expected = dict(named)
        if isinstance(module, MixtureOfExperts) and isinstance(params, Mp4srParams):
            expected["dropout"] = params.architecture.expert_dropout
        if isinstance(module, Mlp):
            expected["dropout"] = named["feature_dropout"]
        if isinstance(module, SequenceEncoder):
            expected["dropout"] = expected.get("input_dropout", expected["dropout"])
        if isinstance(module, nn.GRU):
            expected["dropout"] = 0.0  # that between its layers
        if isinstance(module, Recommender) and CASES[name].masked:
            expected["max_sequence_length"] -= 1  # of a history: the last one is the mask
        for attribute in vars(module).keys() & expected.keys():
            assert vars(module)[attribute] == expected[attribute], f"{path}.{attribute}"
            found.add(attribute)
    assert "dropout" in found or "dropout" not in named
    if isinstance(params, Mp4srParams):
        assert contrast is None or {"cmcl_denominator", "temperature"} <= found


def described(training: Training) -> dict[str, Any]:
    """All that decides how a training goes, but for random numbers and the record of settings."""
    modules = training.objective.named_modules
    held_out = training.held_out
    rows = held_out.histories if held_out else None
    return {
        "keywords": {**training.keywords, "settings": None},
        "batches": training.batches.digest,
        "validation": training.validation,
        "validated": training.keywords["settings"]["validated"],
        "held out": rows and [rows.starts.tolist(), rows.lengths.tolist()],
        "attributes": {
            f"{path}.{name}": value
            for path, module in modules()
            for name, value in vars(module).items()
            if isinstance(value, (int, float, str, tuple, dict)) and not name.startswith("_")
        },
        "parameters": {
            name: (value.shape, value.requires_grad)
            for name, value in training.objective.named_parameters()
        },
        "buffers": {name: value.tolist() for name, value in training.objective.named_buffers()},
    }
