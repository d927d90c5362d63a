"""One row for each model there is: what every test of models runs it with.

A model that is in the registry and not here fails the suite.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from mmrec.params.models.registry import ModelParams

TINY = {
    "embedding_dim": 8,
    "num_layers": 2,
    "num_heads": 2,
    "feedforward_dim": 16,
    "max_sequence_length": 10,
}
SMALL = {
    "embedding_dim": 16,
    "num_layers": 1,
    "num_heads": 1,
    "feedforward_dim": 32,
    "dropout": 0.1,
    "attention_dropout": 0.1,
}
EPOCH = {"epochs": 1, "patience": 1}


class Case(NamedTuple):
    """How a model is tested.

    Attributes:
        architecture: the smallest that has everything.
        learning: what it needs to learn the known-answer worlds; None where it cannot train.
        trainings: the stages in which it trains.
        ordered: its scores depend on all items of a history, and on their order.
        masked: it is trained on masked items, and asked by a mask after the history.
        over_items: of its trainings, those whose batches are of items and not of users.
        idle: of its trainings, the parameters that they leave as they are.
        vectors: it scores by inner products.
        causal: training every position at once is training every prefix.
        loss: what it learns the next item by unless told otherwise.
        by_content: of its trainings, those whose weights know no item by its ID.
        content_learns: of its trainings, those in which content alone places items that nobody has
            seen, with what has to be set for it.
    """

    architecture: dict[str, Any]
    learning: dict[str, Any] | None
    trainings: tuple[str, ...] = ("finetune",)
    ordered: bool = True
    causal: bool = True
    masked: bool = False
    over_items: tuple[str, ...] = ()
    idle: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    vectors: bool = True
    loss: str = "full"
    by_content: tuple[str, ...] = ()
    content_learns: Mapping[str, dict[str, Any]] = MappingProxyType({})

    @property
    def stages(self) -> tuple[str, ...]:
        """In which it can be built; without training, as what is evaluated."""
        return self.trainings or ("finetune",)


CASES = {
    "mp4sr": Case(
        TINY | {"attention_dim": 4, "num_experts": 3},
        SMALL,
        trainings=("pretrain", "finetune"),
        by_content=("pretrain",),
        content_learns={"pretrain": {}, "finetune": {"use_id": False}},
    ),
    "mmsrec": Case(
        TINY,
        SMALL,
        trainings=("pretrain", "finetune"),
        causal=False,
        masked=True,
        over_items=("pretrain",),
        idle={
            "pretrain": (
                "recommender.item_encoder.mask_vector",
                "recommender.item_encoder.absent_vector",
            )
        },
        by_content=("pretrain", "finetune"),
        content_learns={"finetune": {}},
    ),
    "mmsr": Case(
        {
            "embedding_dim": 8,
            "tune": "none",
            "fusion": {"name": "merge_attention", "num_heads": 2, "feedforward_dim": 16},
            "encoder": {"name": "sasrec", "feedforward_dim": 16, "positions": "from_start"},
            "max_sequence_length": 10,
        },
        {
            "embedding_dim": 16,
            "tune": "none",
            "fusion": {"name": "merge_attention", "num_heads": 1, "feedforward_dim": 32},
            "encoder": {
                "name": "sasrec",
                "num_layers": 1,
                "num_heads": 1,
                "feedforward_dim": 32,
                "positions": "from_start",
            },
        },
        trainings=("pretrain", "finetune"),
        loss="bce",
        by_content=("pretrain", "finetune"),
        content_learns={stage: {"loss": {"name": "full"}} for stage in ("pretrain", "finetune")},
    ),
    "pmmrec": Case(
        {
            "embedding_dim": 8,
            "tune": "none",
            "fusion": {"num_heads": 2, "feedforward_dim": 16},
            "encoder": {"feedforward_dim": 16, "positions": "from_start"},
            "max_sequence_length": 10,
        },
        {
            "embedding_dim": 16,
            "tune": "none",
            "fusion": {"num_heads": 1, "feedforward_dim": 32},
            "encoder": {
                "num_layers": 1,
                "num_heads": 1,
                "feedforward_dim": 32,
                "positions": "from_start",
            },
        },
        trainings=("pretrain", "finetune"),
        loss="in_batch_sequences",
        by_content=("pretrain", "finetune"),
        content_learns={"pretrain": {}, "finetune": {}},
    ),
    "sasrec": Case(TINY, SMALL),
    "gru4rec": Case(
        {"embedding_dim": 8, "hidden_dim": 6, "max_sequence_length": 10},
        {"embedding_dim": 16, "hidden_dim": 16, "dropout": 0.1},
    ),
    "sasrecm": Case(TINY, SMALL, content_learns={"finetune": {"id_dropout": {"min_count": 0}}}),
    "fdsa": Case(TINY, SMALL),
    "morec": Case(
        TINY, SMALL, loss="bce", by_content=("finetune",), content_learns={"finetune": {}}
    ),
    "nextitnet": Case(
        {"embedding_dim": 8, "dilations": [1, 2], "max_sequence_length": 10},
        {"embedding_dim": 16, "dilations": [1, 2]},
    ),
    "bert4rec": Case(TINY, SMALL, causal=False, masked=True),
    "itemknn": Case(
        {"num_neighbours": 4},
        None,
        trainings=(),
        ordered=False,
        vectors=False,
        by_content=("finetune",),
    ),
    "contentknn": Case(
        {"content": {"name": "mean_vectors"}},
        None,
        trainings=(),
        ordered=False,
        by_content=("finetune",),
    ),
    "transitions": Case(
        {}, None, trainings=(), ordered=False, vectors=False, by_content=("finetune",)
    ),
    "popularity": Case({}, None, trainings=(), ordered=False, by_content=("finetune",)),
}

RECOMMENDERS = [(name, stage) for name, case in CASES.items() for stage in case.stages]
TRAINED = [(name, stage) for name, case in CASES.items() for stage in case.trainings]
SUPERVISED = [(name, stage) for name, stage in TRAINED if stage == "finetune"]


def model_names() -> list[str]:
    """Names of all models there are, from the registry itself."""
    members = get_args(get_args(ModelParams)[0])
    return [get_args(member.model_fields["name"].annotation)[0] for member in members]


def smallest(name: str) -> dict[str, Any]:
    """Params of a model as they stand in a file."""
    case = CASES[name]
    trainings = {"pretrain": None, "finetune": None} | dict.fromkeys(case.trainings, EPOCH)
    return {"name": name, "architecture": case.architecture, **trainings}
