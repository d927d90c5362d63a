"""Settings of the optimiser, and what it makes of a tiny objective."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn

from mmrec.params.optimizer import ParameterGroup, ScheduleParams
from tests.training.tiny import tiny_batches

KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
LINEAR = {"name": "linear_to", "factor": 0.1, "from_epoch": 3, "to_epoch": 8}
STEP = {"name": "step", "every": 3, "factor": 0.5}
EXPONENTIAL = {"name": "exponential", "factor": 0.9}


def group(*prefixes: str, **settings: float) -> ParameterGroup:
    return ParameterGroup(prefixes=prefixes, **settings)


def schedule(**settings: Any) -> ScheduleParams:
    found: ScheduleParams = TypeAdapter(ScheduleParams).validate_python(settings)
    return found


def trained(objective: nn.Module, optimizer: torch.optim.Optimizer) -> nn.Module:
    torch.manual_seed(3)
    for batch in tiny_batches().epoch(1):
        optimizer.zero_grad()
        torch.stack(list(objective(batch).values())).sum().backward()
        optimizer.step()
    return objective


def named_groups(objective: nn.Module, optimizer: torch.optim.Optimizer) -> list[list[str]]:
    names = {parameter: name for name, parameter in objective.named_parameters()}
    return [[names[one] for one in found["params"]] for found in optimizer.param_groups]
