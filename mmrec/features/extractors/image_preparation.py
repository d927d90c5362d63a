"""Pictures to the tensors that a frozen encoder reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from PIL import Image

from mmrec.features.contract import canonical_json

if TYPE_CHECKING:
    from mmrec.params.features import ImagePreparationParams

_FILTERS: Final = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_DECISIVE: Final = (
    "crop_pct",
    "crop_size",
    "do_center_crop",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "image_mean",
    "image_std",
    "resample",
    "rescale_factor",
)


@dataclass(frozen=True)
class Preparation:
    """Turns a picture into a tensor [3, height, width]; always of the same height and width."""

    apply: Callable[[Image.Image], torch.Tensor]
    settings: str
    """Everything that decides the tensor, as JSON, for fingerprints."""


@dataclass(frozen=True)
class SquarePreparation:
    """A square picture, scaled to [0, 1] and standardised by channel."""

    side: int
    """Pixels."""
    fit: str
    """`squash` to the square, or `crop` its centre after scaling the shorter side."""
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """Tensor [3, side, side]."""
        width, height = (self.side, self.side)
        if self.fit == "crop":
            scale = self.side / min(image.size)
            width, height = (max(self.side, round(length * scale)) for length in image.size)
        scaled = image.convert("RGB").resize((width, height), _FILTERS[self.interpolation])
        left, top = (width - self.side) // 2, (height - self.side) // 2
        square = scaled.crop((left, top, left + self.side, top + self.side))
        # [side, side, 3]
        values = np.asarray(square, np.float32) / 255
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return torch.from_numpy((values - mean) / std).permute(2, 0, 1).contiguous()


def square_preparation(params: ImagePreparationParams) -> Preparation:
    """The preparation that `params` spell out."""
    return prepared_square(
        SquarePreparation(params.side, params.fit, params.interpolation, params.mean, params.std)
    )


def prepared_square(square: SquarePreparation) -> Preparation:
    """A square preparation with its settings."""
    return Preparation(square, canonical_json({"square": asdict(square)}))


def processor_preparation(processor: Any) -> Preparation:
    """The preparation of a transformers image processor."""

    def apply(image: Image.Image) -> torch.Tensor:
        pixels: torch.Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0]
        return pixels

    # The processor's own dictionary has more keys in every version of the library.
    settings = {name: getattr(processor, name, None) for name in _DECISIVE}
    settings["resized"] = dict(processor.size)
    if settings["crop_size"] is not None:
        settings["crop_size"] = dict(settings["crop_size"])
    kind = type(processor).__name__.removesuffix("Pil").removesuffix("Fast")
    return Preparation(apply, canonical_json({kind: settings}))
