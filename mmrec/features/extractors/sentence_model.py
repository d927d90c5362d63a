"""Loading a sentence-transformers model from a folder, an installed package, or the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from mmrec.features.extractors.checkpoint_report import (
    CheckpointReport,
    lacking_message,
    reports_of_checkpoints,
)
from mmrec.features.extractors.hub import WeightsError, loading, model_source
from mmrec.features.extractors.transformer_model import (
    NO_LIMIT,
    check_vocabulary,
    num_positions,
    refuse_beyond,
)
from mmrec.torchvision_schemas import define_missing_operators

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_KIND: Final = "SentenceTransformer"


@dataclass(frozen=True)
class SentenceModel:
    """A loaded model."""

    name: str
    """As the user named it."""
    module: SentenceTransformer
    random: frozenset[int]
    """Identities of parameters that its checkpoint lacks and no vector passes."""

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and values of all that decides a vector."""
        parameters = dict(self.module.named_parameters())
        for name, tensor in self.module.state_dict().items():
            if id(parameters.get(name)) not in self.random:
                yield name, tensor

    def limit_length(self, max_length: int | None) -> int:
        """Have the model read no more than so many tokens of a text; returns how many it reads.

        Args:
            max_length: None is the model's own limit, or as many as it has positions for.

        Raises:
            WeightsError: it has not that many positions, or needs a limit and has none.
        """
        positions = num_positions(_first(self.module, self.name).model)
        if max_length is not None:
            refuse_beyond(positions, max_length, model=self.name)
            limit = max_length
        else:
            # The library takes the positions a table has for those that it can use.
            own = self.module.max_seq_length
            limit = positions if own is None else min(own, positions)
        if limit >= NO_LIMIT:
            raise WeightsError(
                f"model '{self.name}' sets no limit on the length of a text; set max_length"
            )
        self.module.max_seq_length = limit
        return limit


def load_sentence_transformer(model: str, revision: str | None, device: str) -> SentenceModel:
    """Load a model as it was made, in float32; no code of its own is run.

    Raises:
        WeightsError: no such model or file, or it is not whole; says what was looked for.
    """
    # transformers imports torchvision as soon as it is installed.
    define_missing_operators()
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    name = model_source(model)
    options: dict[str, Any] = {
        "device": device,
        "revision": revision,
        "trust_remote_code": False,
        "model_kwargs": {"dtype": torch.float32},
    }
    level = logging.get_verbosity()
    logging.set_verbosity(ERROR)
    try:
        with (
            loading(model, hub_name=None if Path(name).is_dir() else model),
            reports_of_checkpoints() as reports,
        ):
            loaded = SentenceTransformer(name, **options)
            _check_kind(name, revision, model)
    finally:
        logging.set_verbosity(level)
    check_vocabulary(_first(loaded, model).model, loaded.tokenizer, model=model)
    return SentenceModel(model, loaded.eval(), _random(loaded, reports, model))


def _check_kind(name: str, revision: str | None, model: str) -> None:
    """Refuse what the library would make up: a pooling, or a conversion."""
    if _file(name, "modules.json", revision) is None:
        raise WeightsError(
            f"model '{model}': no modules.json among its files, so how its tokens become a vector "
            "is not known; copy all files of the model, or choose the pooling by saving it once "
            "with SentenceTransformer(modules=[...]).save(<folder>) and name that folder"
        )
    described = _file(name, "config_sentence_transformers.json", revision)
    kind = json.loads(described.read_text(encoding="utf-8")) if described else {}
    if kind.get("model_type", _KIND) != _KIND:
        raise WeightsError(
            f"model '{model}': it is a {kind['model_type']}, expected a {_KIND}; choose another"
        )


def _file(name: str, filename: str, revision: str | None) -> Path | None:
    from sentence_transformers.util import load_file_path

    found = load_file_path(name, filename, revision=revision)
    if found is None and "/" not in name and not Path(name).is_dir():
        # As the library itself completes a short name.
        found = load_file_path(f"sentence-transformers/{name}", filename, revision=revision)
    return None if found is None else Path(found)


def _first(loaded: SentenceTransformer, model: str) -> Any:
    kind = type(loaded[0]).__name__
    if kind != "Transformer":
        raise WeightsError(
            f"model '{model}': its first module is {kind}, expected Transformer; choose another"
        )
    return loaded[0]


def _random(
    loaded: SentenceTransformer, reports: list[CheckpointReport], model: str
) -> frozenset[int]:
    """Parameters that the checkpoint lacks: a pooler that no vector passes, else it is refused."""
    first = _first(loaded, model)
    if not any(report.module is first.model for report in reports):
        raise WeightsError(
            f"model '{model}': whether its checkpoint is complete cannot be known of a "
            f"{type(first.model).__name__}; choose another"
        )
    lacking: dict[int, str] = {}
    for report in reports:
        report.check_fits(model)
        lacking |= report.lacking()
    pooler = getattr(first.model, "pooler", None)
    passed = getattr(first, "module_output_name", "token_embeddings") != "token_embeddings"
    spare = set() if pooler is None or passed else {id(one) for one in pooler.parameters()}
    needed = sorted(name for tensor, name in lacking.items() if tensor not in spare)
    if needed:
        raise WeightsError(lacking_message(model, needed))
    return frozenset(lacking)
