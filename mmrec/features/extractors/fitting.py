"""Weights and pictures of another size than a model's: libraries stretch the ones or fail late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import Any

from mmrec.features.extractors.checkpoint_report import lacking_message
from mmrec.features.extractors.hub import WeightsError

Step = Callable[..., Any]
Weights = dict[str, Any]


@contextmanager
def refusing_stretched_clips(model: str) -> Iterator[None]:
    """Refuse open_clip weights whose positions would be interpolated for a configuration.

    The library does so silently, and the vectors are not those the weights were made for.

    Raises:
        WeightsError: names the first such weights with both of their shapes.
    """
    from open_clip import factory

    def checked(stretch: Step, weights: Weights, module: Any) -> None:
        _unstretched(model, module, lambda: stretch(weights, module), weights)

    with (
        _replaced(factory, "resize_pos_embed", checked),
        _replaced(factory, "resize_text_pos_embed", checked),
    ):
        yield


@contextmanager
def refusing_unfit_backbones(model: str) -> Iterator[None]:
    """Refuse timm weights that would be interpolated, likewise, and such as are not whole.

    Raises:
        WeightsError: names the first such weights.
    """
    from timm.models import _builder

    def checked(load: Step, module: Any, *rest: Any, filter_fn: Step | None, **others: Any) -> None:
        def convert(weights: Weights, *given: Any) -> Weights:
            step = filter_fn or _as_they_are
            found = _unstretched(model, module, lambda: step(weights, *given), weights)
            _check_whole(model, module, found)
            return found

        load(module, *rest, filter_fn=convert, **others)

    with _replaced(_builder, "load_pretrained", checked):
        yield


def _as_they_are(weights: Weights, *_: Any) -> Weights:
    return weights


@contextmanager
def _replaced(library: Any, name: str, around: Step) -> Iterator[None]:
    before = getattr(library, name)
    setattr(library, name, partial(around, before))
    try:
        yield
    finally:
        setattr(library, name, before)


def _unstretched(
    model: str, module: Any, step: Callable[[], Weights | None], weights: Weights
) -> Weights:
    """What a step makes of weights that have the module's names: they must keep their sizes.

    Those with other names are of another layout, which the step converts as it has to.
    """
    before = {name: tuple(getattr(value, "shape", ())) for name, value in weights.items()}
    after = step() or weights
    if not module.state_dict().keys() <= before.keys():
        return after
    for name, made_for in before.items():
        wanted = tuple(after[name].shape) if name in after else made_for
        if prod(wanted) != prod(made_for):
            raise WeightsError(
                f"model '{model}': its weights {name} have the shape {_text(made_for)}, its "
                f"configuration wants {_text(wanted)}; give the configuration the size of picture "
                "or length of text that the weights were made for, or choose another model"
            )
    return after


def _check_whole(model: str, module: Any, weights: Weights) -> None:
    """Refuse weights without some that then were random numbers: timm allows it of a few models.

    A missing norm stays as it is made, which changes nothing: FCMAE was published without its last.
    """
    made = module.state_dict()
    lacking = [n for n in made if n not in weights and len(made[n].unique()) > 1]
    if lacking:
        raise WeightsError(lacking_message(model, lacking))


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
