"""A finished training on disk: weights with the resolved params, and what they rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, assert_never

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from mmrec import schemas
from mmrec.atomic import atomic_path
from mmrec.data.sequences import Sequences
from mmrec.data.split import (
    HeldOut,
    all_cold_positions,
    full_histories,
    held_out_cold_positions,
    hold_out_test,
)
from mmrec.device import choose_device
from mmrec.evaluation.evaluator import Ranked, lists_table, rank_held_out, ranks_table
from mmrec.evaluation.retrieval_vectors import retrieval_vectors
from mmrec.io import DataError, read_table, write_json, write_table
from mmrec.models.data import ModelData
from mmrec.models.loading import TrainedWeights, check_items, load_finished
from mmrec.models.popularity_correction import corrected
from mmrec.models.registry import system_of
from mmrec.params.models.registry import ModelParams
from mmrec.params.pipeline import ColdPositions, MaskHistory
from mmrec.params.training import UserTrainingParams
from mmrec.recommender import Recommender, VectorRecommender
from mmrec.training.sealed_files import (
    DamagedError,
    file_checksum,
    read_sealed,
    read_tensors,
    require_checksum,
    sealed,
    write_tensors,
)

WEIGHTS = "model.safetensors"
ITEMS = "items.parquet"
RECORD = "model.json"
_REMEDY = "run the stage that writes it again, or restore it where it is git's"


def save_model(
    recommender: Recommender,
    record: Mapping[str, object],
    items: pa.Table,
    folder: Path,
) -> None:
    """Write weights, the items they are of, and the record with the resolved params.

    Args:
        recommender: as trained.
        record: JSON values.
        items: CLEAN_ITEMS that it was trained on.
        folder: of the results.
    """
    files: dict[str, str] = {}
    weights = {name: value.cpu().contiguous() for name, value in recommender.state_dict().items()}
    size = sum(value.nbytes for value in weights.values())
    with atomic_path(folder / WEIGHTS, num_bytes=size) as temporary:
        files[WEIGHTS] = write_tensors(weights, temporary)
    write_table(items, folder / ITEMS, schemas.TRAINED_ITEMS)
    files[ITEMS] = file_checksum(folder / ITEMS)
    write_json(sealed({**record, "files": files}), folder / RECORD)


def save_note(record: Mapping[str, object], folder: Path) -> None:
    """Write the record of a training that there was nothing of."""
    write_json(sealed({**record, "trained": False, "files": {}}), folder / RECORD)


def load_weights(folder: Path) -> TrainedWeights | None:
    """Weights that `save_model` wrote; None from the folder of a note.

    Raises:
        DataError: a file is missing or is not as it was written.
    """
    return _weights(read_record(folder), folder)


def load_finetuned(data: ModelData, folder: Path) -> Recommender:
    """The recommender of a finished run as it ranks, on the chosen device.

    Raises:
        DataError: a file is missing or damaged, or the weights do not go with the data.
    """
    record = read_record(folder)
    try:
        params: ModelParams = TypeAdapter(ModelParams).validate_python(
            {**record["model"], "pretrain": None}
        )
    except ValidationError as error:
        raise DataError(
            f"{folder / RECORD}: settings that this version does not know ({error}); {_REMEDY}"
        ) from None
    recommender = system_of(params).build_recommender(params, data, "finetune")
    weights = _weights(record, folder)
    if weights is not None:
        check_items(recommender, weights, data.items["item_id"])
        load_finished(recommender, weights)
    recommender = recommender.to(choose_device())
    if not isinstance(params.finetune, UserTrainingParams):
        return recommender
    return corrected(recommender, data.training_counts, power=params.finetune.popularity_power)


def read_record(folder: Path) -> dict[str, Any]:
    """The record that `save_model` or `save_note` wrote.

    Raises:
        DataError: it is missing or is not as it was written.
    """
    path = folder / RECORD
    try:
        return read_sealed(path)
    except FileNotFoundError:
        raise DataError(f"{path}: file not found; {_REMEDY}") from None
    except DamagedError as error:
        raise DataError(f"{error}; {_REMEDY}") from None


def _weights(record: Mapping[str, Any], folder: Path) -> TrainedWeights | None:
    if not record["trained"]:
        return None
    path, files = folder / WEIGHTS, record["files"]
    try:
        tensors = read_tensors(path, files[WEIGHTS])
        require_checksum(folder / ITEMS, files[ITEMS])
    except FileNotFoundError as error:
        raise DataError(
            f"{error.filename}: file not found, though {RECORD} beside it says it was trained; "
            f"{_REMEDY}"
        ) from None
    except DamagedError as error:
        raise DataError(f"{error}; {_REMEDY}") from None
    items = read_table(folder / ITEMS, schemas.TRAINED_ITEMS)
    return TrainedWeights(tensors, items["item_id"], str(path))


class Evaluated(NamedTuple):
    """What a finished run is worth, and what to retrieve by."""

    ranks: pa.Table
    lists: pa.Table | None  # of the best items; None where they are not asked for
    cold_ranks: pa.Table | None  # of cold positions; None where they are not asked for
    vectors: tuple[pa.Table, pa.Table] | None  # of items and users; None where it has no vectors


def evaluate_run(
    folder: Path,
    data: ModelData,
    users: pa.Table,
    *,
    mask_history: MaskHistory,
    list_length: int,
    cold_positions: ColdPositions | None,
) -> Evaluated:
    """Ranks after leave-one-out, and item and user vectors after whole histories, if it has any.

    Args:
        folder: that `save_model` or `save_note` wrote.
        data: of the run.
        users: CLEAN_USERS.
        mask_history: items of the history are no candidates, or candidates with score 0.
        list_length: items of each user's list; 0 for none.
        cold_positions: which of them are ranked, too.
    """
    recommender = load_finetuned(data, folder)

    def rank(held_out: HeldOut, length: int) -> Ranked:
        return rank_held_out(recommender, held_out, mask_history=mask_history, list_length=length)

    found = rank_everything(rank, data, list_length=list_length, cold_positions=cold_positions)
    if not isinstance(recommender, VectorRecommender):
        return found
    vectors = retrieval_vectors(
        recommender, full_histories(data.sequences), items=data.items, users=users
    )
    return found._replace(vectors=vectors)


def rank_everything(
    rank: Callable[[HeldOut, int], Ranked],
    data: ModelData,
    *,
    list_length: int,
    cold_positions: ColdPositions | None,
) -> Evaluated:
    """Ranks of the test, lists of so many items, and ranks of cold positions; no vectors.

    Args:
        rank: ranks what is held out, with lists of a length.
        data: of the run.
        list_length: as of `evaluate_run`.
        cold_positions: as of `evaluate_run`.
    """

    def ranked(held_out: HeldOut, length: int) -> tuple[pa.Table, pa.Table]:
        ranks, lists = rank(held_out, length)
        counts = data.training_counts
        table = ranks_table(ranks, held_out, is_cold=data.is_cold, training_counts=counts)
        return table, lists_table(lists, held_out)

    cold_ranks = None
    ranks, lists = ranked(hold_out_test(data.sequences), list_length)
    if cold_positions is not None:
        samples = cold_samples(data.sequences, data.is_cold, cold_positions)
        cold_ranks, _ = ranked(samples, 0)
    return Evaluated(ranks, lists if list_length else None, cold_ranks, None)


def cold_samples(sequences: Sequences, is_cold: Tensor, which: ColdPositions) -> HeldOut:
    """The cold positions of whole sequences that are asked for; `is_cold` [N] by item index."""
    match which:
        case "heldout":
            return held_out_cold_positions(sequences, is_cold)
        case "literal":
            return all_cold_positions(sequences, is_cold)
        case _:
            assert_never(which)
