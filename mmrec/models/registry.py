"""Every model there is: where its settings lead. Only the module of the chosen one is loaded."""

from __future__ import annotations

from typing import Any, Protocol, assert_never, runtime_checkable

from mmrec.models.data import ModelData, TrainingRun
from mmrec.params.model import Stage
from mmrec.params.models.registry import ModelParams
from mmrec.recommender import Recommender, Training


class System(Protocol):
    """A model's module `build`."""

    def build_recommender(self, params: Any, data: ModelData, stage: Stage) -> Recommender:
        """The recommender of one of the model's two trainings, with fresh weights."""


@runtime_checkable
class TrainedSystem(System, Protocol):
    """That of a model which trains, in one of the two at least."""

    def build_training(
        self, params: Any, recommender: Any, data: ModelData, run: TrainingRun
    ) -> Training:
        """What trains a recommender that was built for this stage."""


def system_of(params: ModelParams) -> System:
    """The module that builds the model of these settings."""
    system: TrainedSystem
    untrained: System
    match params.name:
        case "mp4sr":
            from mmrec.models.mp4sr import build as system
        case "mmsrec":
            from mmrec.models.mmsrec import build as system
        case "pmmrec":
            from mmrec.models.pmmrec import build as system
        case "mmsr":
            from mmrec.models.mmsr import build as system
        case "sasrec":
            from mmrec.models.sasrec import build as system
        case "gru4rec":
            from mmrec.models.gru4rec import build as system
        case "sasrecm":
            from mmrec.models.sasrecm import build as system
        case "fdsa":
            from mmrec.models.fdsa import build as system
        case "morec":
            from mmrec.models.morec import build as system
        case "nextitnet":
            from mmrec.models.nextitnet import build as system
        case "bert4rec":
            from mmrec.models.bert4rec import build as system
        case "itemknn":
            from mmrec.models.itemknn import build as untrained

            return untrained
        case "contentknn":
            from mmrec.models.contentknn import build as untrained

            return untrained
        case "transitions":
            from mmrec.models.transitions import build as untrained

            return untrained
        case "popularity":
            from mmrec.models.popularity import build as untrained

            return untrained
        case _:
            assert_never(params.name)
    return system
