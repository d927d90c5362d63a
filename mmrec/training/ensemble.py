"""Ensembles of finished runs on disk: the weights that were found, and what they rank."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never

import pyarrow as pa
import torch

from mmrec.data.split import HeldOut, full_histories, hold_out_validation
from mmrec.evaluation.ensemble import Ensemble, PartWeights, part_scores
from mmrec.evaluation.evaluator import Ranked, require_held_out
from mmrec.evaluation.retrieval_vectors import vector_tables
from mmrec.evaluation.weight_search import FoundWeights, Groups, find_weights
from mmrec.io import DataError, write_json
from mmrec.models.data import Feature, ModelData, load_model_data
from mmrec.params.ensemble import EnsembleParams, GlobalWeights, GroupedWeights, WeightsParams
from mmrec.params.pipeline import ColdPositions, MaskHistory
from mmrec.params.training import Modality
from mmrec.paths import Paths
from mmrec.recommender import Recommender, inference
from mmrec.training.finished import Evaluated, load_finetuned, rank_everything
from mmrec.training.sealed_files import DamagedError, read_sealed, sealed

_REMEDY = "run the stage that writes it again"


@dataclass(frozen=True)
class Members:
    """Finished runs that rank together.

    Attributes:
        names: of the runs.
        recommenders: theirs, on the chosen device.
        data: of their dataset, with the first text and the first image feature that a part reads.
    """

    names: Sequence[str]
    recommenders: Sequence[Recommender]
    data: ModelData


def load_members(settings: EnsembleParams, paths: Paths) -> Members:
    """The finished runs that an ensemble names.

    Raises:
        DataError: one is not trained, damaged, or does not go with the data.
    """
    dataset = paths.dataset(settings.dataset)
    found = [
        (part, load_model_data(dataset, text=part.text, image=part.image))
        for part in settings.parts
    ]
    recommenders = [load_finetuned(data, paths.run(part.run).finetuned) for part, data in found]
    first = found[0][1]
    text = next((data for part, data in found if part.text != "none"), first)
    image = next((data for part, data in found if part.image != "none"), first)
    features: dict[Modality, Feature] = {
        "text": text.features["text"],
        "image": image.features["image"],
    }
    names = [part.run for part in settings.parts]
    return Members(names, recommenders, replace(first, features=features))


def search_weights(
    members: Members, settings: WeightsParams, *, metric: str, mask_history: bool
) -> FoundWeights:
    """The weights that rank validation targets best; no test target is looked at.

    Raises:
        DataError: there is nobody to validate on.
    """
    held_out = hold_out_validation(members.data.sequences)
    require_held_out(held_out)
    with ExitStack() as stack:
        for part in members.recommenders:
            stack.enter_context(inference(part))
        counts = members.data.training_counts
        return find_weights(
            part_scores(members.recommenders, held_out.histories, counts),
            held_out,
            metric=metric,
            steps=settings.steps,
            mask_history=mask_history,
            groups=_groups(settings),
        )


def _groups(settings: WeightsParams) -> Groups:
    match settings:
        case GlobalWeights():
            return Groups()
        case GroupedWeights():
            return Groups(settings.history_ends, settings.count_ends, settings.min_targets)
        case _:
            assert_never(settings)


def weights_record(members: Members, found: FoundWeights, metric: str) -> dict[str, Any]:
    """What is known of the weights, as JSON values."""
    return {
        "parts": list(members.names),
        "weights": found.weights.values.tolist(),
        "history_ends": list(found.weights.history_ends),
        "count_ends": list(found.weights.count_ends),
        "metric": metric,
        "validation": {
            "ensemble": found.value,
            "global_weights": found.of_global,
            "parts": dict(zip(members.names, found.of_parts, strict=True)),
            "num_targets": found.num_targets,
            "num_settings": found.num_settings,
        },
    }


def write_weights(record: dict[str, Any], path: Path) -> None:
    """Write what is known of the weights."""
    write_json(sealed(record), path)


def read_weights(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """The record that `write_weights` wrote, of these parts.

    Raises:
        DataError: it is missing, is not as it was written, or is of other parts.
    """
    try:
        record: dict[str, Any] = read_sealed(path)
    except FileNotFoundError:
        raise DataError(f"{path}: file not found; {_REMEDY}") from None
    except DamagedError as error:
        raise DataError(f"{error}; {_REMEDY}") from None
    if record["parts"] != list(names):
        raise DataError(
            f"{path}: has weights of {', '.join(record['parts'])}, but the ensemble is of "
            f"{', '.join(names)}; {_REMEDY}"
        )
    return record


def build_ensemble(members: Members, record: dict[str, Any]) -> Ensemble:
    """The parts with their weights, as `read_weights` gives them."""
    weights = PartWeights(
        torch.tensor(record["weights"], dtype=torch.float64),
        record["history_ends"],
        record["count_ends"],
    )
    return Ensemble(members.recommenders, weights, members.data.training_counts)


def evaluate_ensemble(
    members: Members,
    record: dict[str, Any],
    users: pa.Table,
    *,
    mask_history: MaskHistory,
    list_length: int,
    cold_positions: ColdPositions | None,
) -> Evaluated:
    """As `evaluate_run`, by the weighted sum of the parts."""
    data = members.data
    ensemble = build_ensemble(members, record)

    def rank(held_out: HeldOut, length: int) -> Ranked:
        return ensemble.rank(held_out, mask_history=mask_history, list_length=length)

    found = rank_everything(rank, data, list_length=list_length, cold_positions=cold_positions)
    histories = full_histories(data.sequences)
    vectors = ensemble.vectors(histories)
    if vectors is None:
        return found
    return found._replace(vectors=vector_tables(*vectors, histories, items=data.items, users=users))
