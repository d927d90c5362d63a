"""What an optimiser remembers of each parameter, saved and loaded by the parameter's name.

Neither the number nor the order of groups and parameters matters: torch numbers them, and
a number means another parameter as soon as one of both changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmrec.training.optimizer import parameter_names, trainable_parameters
from mmrec.training.sealed_files import DamagedError

MOMENTS = frozenset({"step", "exp_avg", "exp_avg_sq"})
"""Of Adam and AdamW."""

Moments = dict[nn.Parameter, dict[str, Tensor]]


def moments_by_name(objective: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments of all trainable parameters, as `<name>|<moment>`.

    A parameter that has had no gradient yet has step 0 and nothing else, so that one whose
    moments are lost can be told from it.
    """
    return {
        f"{name}|{moment}": value
        for name, parameter in trainable_parameters(objective).items()
        for moment, value in (optimizer.state.get(parameter) or {"step": torch.zeros(())}).items()
    }


def moments_of(objective: nn.Module, tensors: Mapping[str, Tensor]) -> Moments:
    """What `moments_by_name` gave, for the parameters of an objective.

    Raises:
        DamagedError: a moment is missing, is of no parameter, or of one of another shape.
    """
    names = parameter_names(objective)
    named = {name: parameter for parameter, known in names.items() for name in known}
    moments: Moments = {parameter: {} for parameter in names}
    for joined, value in tensors.items():
        name, _, moment = joined.rpartition("|")
        if name not in named or moment not in MOMENTS:
            raise DamagedError(f"{joined}: found a moment of no trainable parameter")
        if moment in moments[named[name]]:
            raise DamagedError(f"{joined}: found two of a parameter with several names")
        moments[named[name]][moment] = value
    for parameter, found in moments.items():
        _require_whole(parameter, found, names[parameter][0])
    return moments


def load_moments(optimizer: torch.optim.Optimizer, moments: Moments) -> None:
    """Make an optimiser remember what `moments_of` gave; its groups stay as they are."""
    numbered = enumerate(one for group in optimizer.param_groups for one in group["params"])
    state = {number: moments[one] for number, one in numbered if moments[one].keys() == MOMENTS}
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _require_whole(parameter: nn.Parameter, found: Mapping[str, Tensor], name: str) -> None:
    if "step" in found and len(found) == 1 and found["step"] == 0:
        return
    missing = sorted(MOMENTS - found.keys())
    if missing:
        raise DamagedError(f"{name}: {' and '.join(missing)} missing")
    for moment in sorted(MOMENTS - {"step"}):
        shape = tuple(found[moment].shape)
        if shape != parameter.shape:
            raise DamagedError(
                f"{name}|{moment}: found shape {shape}, the parameter has {tuple(parameter.shape)}"
            )
