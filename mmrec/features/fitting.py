"""Weights and pictures of another size than a model's: libraries stretch the ones or fail late."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import Any

from mmrec.features.hub import WeightsError

Step = Callable[..., Any]
"""Changes weights by name for a module: it gets both, and may give back other weights."""


@contextmanager
def refusing_stretched_clips(model: str) -> Iterator[None]:
    """Refuse open_clip weights whose positions would be interpolated for a configuration.

    The library does so silently, and the vectors are not those the weights were made for.

    Raises:
        WeightsError: names the first such weights with both of their shapes.
    """
    from open_clip import factory

    with (
        _replaced(factory, "resize_pos_embed", partial(_unstretched, model)),
        _replaced(factory, "resize_text_pos_embed", partial(_unstretched, model)),
    ):
        yield


@contextmanager
def refusing_stretched_backbones(model: str) -> Iterator[None]:
    """Refuse timm weights that would be interpolated for a configuration, likewise.

    Raises:
        WeightsError: names the first such weights with both of their shapes.
    """
    from timm.models import _builder

    def checked(load: Step, *arguments: Any, filter_fn: Step | None, **settings: Any) -> None:
        step = None if filter_fn is None else partial(_unstretched, model, filter_fn)
        load(*arguments, filter_fn=step, **settings)

    with _replaced(_builder, "load_pretrained", checked):
        yield


@contextmanager
def _replaced(library: Any, name: str, around: Step) -> Iterator[None]:
    before = getattr(library, name)
    setattr(library, name, partial(around, before))
    try:
        yield
    finally:
        setattr(library, name, before)


def _unstretched(model: str, step: Step, weights: Any, module: Any) -> Any:
    """What a step makes of weights that have the module's names: they must keep their sizes.

    Those with other names are of another layout, which the step converts as it has to.
    """
    before = {name: tuple(getattr(value, "shape", ())) for name, value in weights.items()}
    found = step(weights, module)
    after: Mapping[str, Any] = weights if found is None else found
    if not module.state_dict().keys() <= before.keys():
        return found
    for name, made_for in before.items():
        wanted = tuple(after[name].shape) if name in after else made_for
        if prod(wanted) != prod(made_for):
            raise WeightsError(
                f"model '{model}': its weights {name} have the shape {_text(made_for)}, its "
                f"configuration wants {_text(wanted)}; give the configuration the size of picture "
                "or length of text that the weights were made for, or choose another model"
            )
    return found


def _text(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


@contextmanager
def trying_pictures(model: str) -> Iterator[None]:
    """Say of a model's first picture that fails that it is of another size than the model reads.

    Raises:
        WeightsError: names the setting.
    """
    try:
        yield
    # Which of these it is differs from model to model.
    except (AssertionError, IndexError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        if "memory" in reason:
            raise
        raise WeightsError(
            f"model '{model}': it does not read pictures as they are prepared ({reason}); set "
            "preparation to null for the model's own way, or its side to the one the model reads"
        ) from error
