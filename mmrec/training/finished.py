"""A finished training on disk: weights with the resolved params, and what they rank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mmrec.data.split import full_histories, hold_out_test
from mmrec.device import choose_device
from mmrec.evaluation.evaluator import evaluate_ranks, retrieval_vectors
from mmrec.io import DataError, atomic_path, read_json, write_json
from mmrec.models.recommender import SequenceRecommender
from mmrec.params.models import ModelParams
from mmrec.training.run_data import RunData, build_for, max_sequence_length

WEIGHTS = "model.safetensors"
RECORD = "model.json"


def save_model(
    recommender: SequenceRecommender | None, record: Mapping[str, object], folder: Path
) -> None:
    """Write weights and the record with the resolved params; weights only where trained."""
    if recommender is not None:
        weights = {
            name: value.cpu().contiguous() for name, value in recommender.state_dict().items()
        }
        with atomic_path(folder / WEIGHTS) as temporary:
            save_file(weights, temporary)
    write_json(record, folder / RECORD)


def load_weights(folder: Path) -> dict[str, Tensor] | None:
    """Weights that `save_model` wrote; None where the record says that there are none."""
    record = read_json(folder / RECORD)
    if not record["trained"]:
        return None
    path = folder / WEIGHTS
    if not path.is_file():
        raise DataError(
            f"{path}: file not found, though {RECORD} beside it says it was trained; "
            "run the stage that writes it again"
        )
    try:
        return load_file(path)
    except SafetensorError as error:
        raise DataError(
            f"{path}: damaged ({error}); delete it and run the stage that writes it again"
        ) from None


def load_finetuned(data: RunData, folder: Path) -> tuple[SequenceRecommender, ModelParams]:
    """The recommender of a finished run, on the chosen device, and its params."""
    record = read_json(folder / RECORD)
    params: ModelParams = TypeAdapter(ModelParams).validate_python(
        {**record["model"], "pretrain": None}
    )
    recommender = build_for(params, data, "finetune")
    weights = load_weights(folder)
    if weights is not None:
        recommender.load_state_dict(weights)
    return recommender.to(choose_device()), params


def evaluate_run(
    folder: Path, data: RunData, users: pa.Table, *, mask_history: bool
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Ranks after leave-one-out, and item and user vectors after whole histories.

    Args:
        folder: that `save_model` wrote.
        data: of the run.
        users: CLEAN_USERS.
        mask_history: items of the history are no candidates.
    """
    recommender, params = load_finetuned(data, folder)
    length = max_sequence_length(params)
    ranks = evaluate_ranks(
        recommender,
        hold_out_test(data.sequences),
        max_sequence_length=length,
        mask_history=mask_history,
        is_cold=data.is_cold,
        training_counts=data.training_counts,
    )
    items, queries = retrieval_vectors(
        recommender,
        full_histories(data.sequences),
        max_sequence_length=length,
        items=data.items,
        users=users,
    )
    return ranks, items, queries
