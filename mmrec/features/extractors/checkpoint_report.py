"""What a transformers checkpoint lacks of its model, and what the model does not take of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from torch import nn

from mmrec.features.extractors.hub import WeightsError

REPORTING: Final = {"output_loading_info": True, "ignore_mismatched_sizes": True}
"""Settings with which transformers hands over what else it would say in a log or refuse."""


@dataclass(frozen=True)
class CheckpointReport:
    """A model as it was loaded. The library itself only warns of what is wrong with it."""

    module: Any
    missing: frozenset[str]
    """Parameters that the checkpoint lacks: they are random numbers."""
    unexpected: frozenset[str]
    """Weights that have no place in the model."""
    mismatched: tuple[tuple[str, object, object], ...]
    """Weights of another shape than the model's, with both."""

    def lacking(self) -> dict[int, str]:
        """Names of the tensors that are random numbers, by their identity."""
        tensors = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        return {id(tensors[name]): name for name in self.missing if name in tensors}

    def check_fits(self, model: str) -> None:
        """Refuse a model of other shapes than its checkpoint, or that is a part of it.

        Whole heads may be left over, but no blocks.

        Raises:
            WeightsError: names the first weight that does not fit.
        """
        if self.mismatched:
            name, found, expected = self.mismatched[0]
            raise WeightsError(
                f"model '{model}': {len(self.mismatched)} weights of its checkpoint do not fit its "
                f"config.json (first: {name}, found {_shape(found)}, expected {_shape(expected)}); "
                "the two do not belong together: copy both again, or choose another model"
            )
        left = sorted(name for name in self.unexpected if _is_of_a_block(self.module, name))
        if left:
            raise WeightsError(
                f"model '{model}': its checkpoint has {len(left)} weights of blocks that are not "
                f"in its config.json (first: {left[0]}); the two do not belong together: copy "
                "both again, or choose another model"
            )


@contextmanager
def reports_of_checkpoints() -> Iterator[list[CheckpointReport]]:
    """Reports of all models that are loaded meanwhile, by a library that does not hand them on."""
    from transformers import PreTrainedModel

    found: list[CheckpointReport] = []
    before: Any = PreTrainedModel.__dict__["from_pretrained"]

    def reporting(cls: Any, *arguments: Any, **settings: Any) -> Any:
        module, report = before.__func__(cls, *arguments, **{**settings, **REPORTING})
        found.append(checkpoint_report(module, report))
        return module

    PreTrainedModel.from_pretrained = classmethod(reporting)  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        PreTrainedModel.from_pretrained = before  # type: ignore[method-assign]


def checkpoint_report(module: Any, report: Any) -> CheckpointReport:
    """The report of a model that was loaded as `REPORTING` says."""
    return CheckpointReport(
        module,
        frozenset(report["missing_keys"]),
        frozenset(report["unexpected_keys"]),
        tuple(sorted(report["mismatched_keys"])),
    )


def lacking_message(model: str, lacking: Sequence[str]) -> str:
    """What is said of a checkpoint without some of the weights that are needed."""
    return (
        f"model '{model}': its checkpoint lacks {len(lacking)} weights (first: {lacking[0]}); it "
        "belongs to another architecture than its config.json says: copy both again, or choose "
        "another model"
    )


def _shape(shape: Any) -> str:
    return " × ".join(map(str, shape))


def _is_of_a_block(module: Any, name: str) -> bool:
    """Whether a weight belongs to one of the blocks of a model, be it there or not."""
    steps = name.split(".")
    # A checkpoint of another head names its encoder in front.
    return _leads_into_blocks(module, steps) or _leads_into_blocks(module, steps[1:])


def _leads_into_blocks(module: Any, steps: list[str]) -> bool:
    within = False
    for step in steps:
        within = within or isinstance(module, nn.ModuleList)
        if not hasattr(module, step):
            return within
        module = getattr(module, step)
    # What can be found is a buffer that is computed and not loaded.
    return False
