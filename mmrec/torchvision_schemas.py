"""Lets `import torchvision`, which open_clip needs, succeed where its operators do not load."""

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# A library's definitions live as long as the object that made them.
_libraries: list[torch.library.Library] = []


def define_missing_operators() -> None:
    """Define the schemas torchvision asks for on import; call before `import open_clip`.

    The torchvision of the package registry is compiled against the CUDA build of torch. Next to a
    CPU build its extension does not load, and the import then fails on "operator torchvision::nms
    does not exist", although nothing here ever calls that operator. Where the extension does load,
    nothing is defined.
    """
    _load_extension()
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
            library.define(name + schema)  # type: ignore[no-untyped-call]
            _libraries.append(library)


def _load_extension() -> None:
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for extension in sorted(Path(spec.origin).parent.glob("_C*.so")):
        # What it says when it cannot load is what this module is for.
        with suppress(OSError):
            torch.ops.load_library(str(extension))  # type: ignore[no-untyped-call]
