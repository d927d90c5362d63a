"""MMSR's step from cached states and with whole encoders, ready to be made."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.mmsr_encoders import WholeTokens
from benchmarks.mmsr_world import MODALITIES, SEED, Precision, World, run
from mmrec.models.items.tokens import ItemTokens, TokenItemEncoder, TokenMap
from mmrec.models.mmsr.build import build_recommender, build_training
from mmrec.params.training import Modality
from mmrec.training.optimizer import build_optimizer

FormName = Literal["mmrec", "whole", "whole, every block trained"]
FORMS: dict[str, FormName] = {"mmrec": "mmrec", "recomputed": "mmrec", "whole": "whole"}
EVERY: FormName = "whole, every block trained"


class Form:
    """A loss on a model's parameters, and the optimiser's steps on them.

    Args:
        name: which.
        world: what is trained on.
        drop: with dropout as in training, or without any.
        precision: of the states that `mmrec` reads.
    """

    def __init__(
        self, name: FormName, world: World, *, drop: bool, precision: Precision = "float16"
    ) -> None:
        params = world.case.params()
        data = world.kept(precision)
        torch.manual_seed(1)
        self.model = build_recommender(params, data, "finetune")
        training = build_training(params, self.model, data, run())
        self.parts: dict[Modality, ItemTokens | WholeTokens] = {}
        for modality in MODALITIES:
            part: ItemTokens | WholeTokens = getattr(self.model.item_encoder, modality)
            if name != "mmrec":
                part = _whole(world, modality, part.projection, below=name != "whole")
                setattr(self.model.item_encoder, modality, part)
            self.parts[modality] = part
        self.objective = training.objective.train(drop)
        self.batch = world.batch
        self._optimizer = build_optimizer(self.objective, params.finetune, stage="finetune")

    def loss(self) -> Tensor:
        """Of the batch, with its graph."""
        torch.manual_seed(SEED)
        return torch.stack(list(self.objective(self.batch).values())).sum()

    def step(self) -> None:
        """One step as the trainer makes it."""
        self.backward()
        self.update()

    def backward(self) -> None:
        """Gradients of the batch's loss, and no others."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.loss())

    def update(self) -> None:
        """Move the parameters."""
        self._optimizer.step()

    def tuned(self) -> dict[str, nn.Parameter]:
        """The encoders' blocks that are trained from states."""
        found: dict[str, nn.Parameter] = {}
        for modality, part in self.parts.items():
            if isinstance(part, WholeTokens):
                own = part.tuned()
            else:
                assert part.last_blocks is not None
                own = dict(part.last_blocks.named_parameters())
            found |= {f"{modality}.{name}": value for name, value in own.items()}
        return found


def _whole(world: World, modality: Modality, projection: nn.Module, *, below: bool) -> WholeTokens:
    assert isinstance(projection, TokenMap)
    encoder, contents = world.encoders[modality], world.contents[modality]
    return WholeTokens(encoder, contents, world.place, projection, below=below)


def keep_everything(form: Form) -> None:
    """Of a step from states, for its gradients, as far as memory goes."""
    encoder = form.model.item_encoder
    assert isinstance(encoder, TokenItemEncoder)
    encoder.items_kept = encoder.num_items
