"""What each category looks like: shapes on the unit square, x to the right and y down."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["behind", "body", "cut", "dark", "light"]
Kind = Literal["polygon", "ellipse", "rounded", "line", "arc"]


@dataclass(frozen=True)
class Shape:
    """One primitive of a silhouette.

    Attributes:
        part: ``behind`` and ``dark`` are drawn in a dark shade of the product's colour, before
            and after the body; ``body`` carries colour and pattern, ``cut`` removes body;
            ``light`` is drawn last in a pale tone.
        kind: which PIL primitive.
        at: its coordinates: a point list, a box, or for ``arc`` a box and two angles in degrees.
        width: stroke of ``line`` and ``arc``, corner radius of ``rounded``.
    """

    part: Part
    kind: Kind
    at: tuple[float, ...]
    width: float = 0.0


def _shape(part: Part, kind: Kind, *at: float, width: float = 0.0) -> Shape:
    return Shape(part, kind, at, width)


SILHOUETTES: dict[str, tuple[Shape, ...]] = {
    "backpack": (
        _shape("behind", "arc", 0.38, 0.02, 0.62, 0.26, 180, 360, width=0.045),
        _shape("behind", "rounded", 0.12, 0.46, 0.28, 0.84, width=0.06),
        _shape("behind", "rounded", 0.72, 0.46, 0.88, 0.84, width=0.06),
        _shape("body", "rounded", 0.2, 0.12, 0.8, 0.92, width=0.22),
        _shape("dark", "rounded", 0.29, 0.56, 0.71, 0.84, width=0.06),
        _shape("light", "line", 0.33, 0.64, 0.67, 0.64, width=0.02),
        _shape("dark", "line", 0.22, 0.4, 0.78, 0.4, width=0.025),
    ),
    "book": (
        _shape("behind", "polygon", 0.2, 0.14, 0.86, 0.14, 0.86, 0.92, 0.2, 0.92),
        _shape("light", "polygon", 0.24, 0.83, 0.84, 0.83, 0.84, 0.89, 0.24, 0.89),
        _shape("body", "polygon", 0.14, 0.08, 0.8, 0.08, 0.8, 0.82, 0.14, 0.82),
        _shape("dark", "polygon", 0.14, 0.08, 0.23, 0.08, 0.23, 0.9, 0.18, 0.9, 0.14, 0.84),
        _shape("light", "rounded", 0.34, 0.2, 0.7, 0.36, width=0.02),
        _shape("dark", "line", 0.4, 0.28, 0.64, 0.28, width=0.025),
    ),
    "boot": (
        _shape(
            "body",
            "polygon",
            *(0.28, 0.08, 0.62, 0.08, 0.62, 0.5, 0.8, 0.58, 0.9, 0.7, 0.9, 0.82, 0.26, 0.82),
        ),
        _shape("dark", "polygon", 0.25, 0.82, 0.92, 0.82, 0.92, 0.91, 0.5, 0.91, 0.48, 0.87),
        _shape("dark", "polygon", 0.25, 0.82, 0.44, 0.82, 0.42, 0.94, 0.25, 0.94),
        _shape("dark", "rounded", 0.26, 0.06, 0.64, 0.15, width=0.02),
        _shape("light", "line", 0.5, 0.26, 0.62, 0.26, width=0.025),
        _shape("light", "line", 0.5, 0.36, 0.62, 0.36, width=0.025),
        _shape("light", "line", 0.5, 0.46, 0.62, 0.46, width=0.025),
    ),
    "bottle": (
        _shape("behind", "rounded", 0.41, 0.03, 0.59, 0.14, width=0.02),
        _shape(
            "body",
            "polygon",
            *(0.43, 0.12, 0.57, 0.12, 0.57, 0.28, 0.7, 0.42, 0.7, 0.95, 0.3, 0.95, 0.3, 0.42),
            *(0.43, 0.28),
        ),
        _shape("light", "line", 0.36, 0.46, 0.36, 0.88, width=0.025),
        _shape("dark", "line", 0.43, 0.2, 0.57, 0.2, width=0.02),
    ),
    "bowl": (
        _shape("behind", "polygon", 0.36, 0.78, 0.64, 0.78, 0.68, 0.86, 0.32, 0.86),
        _shape("body", "ellipse", 0.06, 0.02, 0.94, 0.82),
        _shape("cut", "polygon", 0, 0, 1, 0, 1, 0.42, 0, 0.42),
        _shape("dark", "ellipse", 0.06, 0.34, 0.94, 0.5),
        _shape("light", "ellipse", 0.12, 0.375, 0.88, 0.47),
    ),
    "candle": (
        _shape("behind", "ellipse", 0.14, 0.8, 0.86, 0.96),
        _shape("body", "rounded", 0.34, 0.34, 0.66, 0.88, width=0.03),
        _shape("dark", "line", 0.5, 0.24, 0.5, 0.36, width=0.02),
        _shape("light", "ellipse", 0.34, 0.31, 0.66, 0.39),
        _shape("dark", "line", 0.5, 0.24, 0.5, 0.35, width=0.02),
        _shape("light", "polygon", 0.5, 0.02, 0.58, 0.16, 0.55, 0.26, 0.45, 0.26, 0.42, 0.16),
        _shape("dark", "arc", 0.7, 0.74, 0.96, 0.92, 250, 110, width=0.03),
    ),
    "chair": (
        _shape("behind", "line", 0.3, 0.1, 0.3, 0.96, width=0.05),
        _shape("behind", "line", 0.72, 0.1, 0.72, 0.9, width=0.05),
        _shape("behind", "line", 0.22, 0.6, 0.2, 0.98, width=0.05),
        _shape("behind", "line", 0.8, 0.6, 0.82, 0.98, width=0.05),
        _shape("body", "rounded", 0.25, 0.05, 0.77, 0.46, width=0.07),
        _shape("body", "polygon", 0.25, 0.54, 0.77, 0.54, 0.88, 0.7, 0.14, 0.7),
        _shape("dark", "line", 0.14, 0.71, 0.88, 0.71, width=0.035),
    ),
    "clock": (
        _shape("behind", "ellipse", 0.16, 0.03, 0.4, 0.24),
        _shape("behind", "ellipse", 0.6, 0.03, 0.84, 0.24),
        _shape("behind", "line", 0.28, 0.8, 0.2, 0.97, width=0.06),
        _shape("behind", "line", 0.72, 0.8, 0.8, 0.97, width=0.06),
        _shape("body", "ellipse", 0.1, 0.12, 0.9, 0.92),
        _shape("light", "ellipse", 0.29, 0.31, 0.71, 0.73),
        _shape("dark", "line", 0.5, 0.52, 0.5, 0.37, width=0.03),
        _shape("dark", "line", 0.5, 0.52, 0.61, 0.58, width=0.03),
    ),
    "dress": (
        _shape("behind", "line", 0.4, 0.04, 0.4, 0.16, width=0.03),
        _shape("behind", "line", 0.6, 0.04, 0.6, 0.16, width=0.03),
        _shape(
            "body",
            "polygon",
            *(0.36, 0.12, 0.44, 0.19, 0.56, 0.19, 0.64, 0.12, 0.62, 0.42, 0.88, 0.94),
            *(0.12, 0.94, 0.38, 0.42),
        ),
        _shape("dark", "polygon", 0.375, 0.4, 0.625, 0.4, 0.64, 0.46, 0.36, 0.46),
    ),
    "guitar": (
        _shape("behind", "line", 0.5, 0.08, 0.5, 0.56, width=0.07),
        _shape("behind", "rounded", 0.42, 0.02, 0.58, 0.13, width=0.02),
        _shape("body", "ellipse", 0.3, 0.4, 0.7, 0.7),
        _shape("body", "ellipse", 0.22, 0.56, 0.78, 0.97),
        _shape("dark", "line", 0.5, 0.08, 0.5, 0.5, width=0.065),
        _shape("dark", "ellipse", 0.43, 0.54, 0.57, 0.68),
        _shape("dark", "line", 0.4, 0.82, 0.6, 0.82, width=0.035),
        _shape("light", "line", 0.5, 0.08, 0.5, 0.82, width=0.014),
    ),
    "hat": (
        _shape("behind", "ellipse", 0.03, 0.6, 0.97, 0.84),
        _shape("body", "ellipse", 0.03, 0.58, 0.97, 0.8),
        _shape("body", "rounded", 0.25, 0.2, 0.75, 0.72, width=0.17),
        _shape("dark", "polygon", 0.25, 0.54, 0.75, 0.54, 0.76, 0.66, 0.24, 0.66),
    ),
    "lamp": (
        _shape("behind", "line", 0.5, 0.4, 0.5, 0.92, width=0.05),
        _shape("behind", "ellipse", 0.28, 0.86, 0.72, 0.97),
        _shape("body", "polygon", 0.34, 0.06, 0.66, 0.06, 0.9, 0.54, 0.1, 0.54),
        _shape("dark", "line", 0.1, 0.54, 0.9, 0.54, width=0.025),
        _shape("light", "line", 0.7, 0.56, 0.7, 0.7, width=0.016),
        _shape("light", "ellipse", 0.68, 0.69, 0.72, 0.73),
    ),
    "mug": (
        _shape("behind", "arc", 0.58, 0.3, 0.95, 0.72, 0, 360, width=0.075),
        _shape("body", "rounded", 0.12, 0.16, 0.74, 0.9, width=0.08),
        _shape("cut", "polygon", 0.1, 0.1, 0.78, 0.1, 0.78, 0.2, 0.1, 0.2),
        _shape("dark", "ellipse", 0.12, 0.12, 0.74, 0.28),
        _shape("light", "ellipse", 0.16, 0.145, 0.7, 0.255),
    ),
    "pillow": (
        _shape(
            "body",
            "polygon",
            *(0.04, 0.14, 0.5, 0.22, 0.96, 0.14, 0.89, 0.5, 0.96, 0.86, 0.5, 0.78, 0.04, 0.86),
            *(0.11, 0.5),
        ),
        _shape("dark", "ellipse", 0.02, 0.11, 0.09, 0.18),
        _shape("dark", "ellipse", 0.91, 0.11, 0.98, 0.18),
        _shape("dark", "ellipse", 0.02, 0.82, 0.09, 0.89),
        _shape("dark", "ellipse", 0.91, 0.82, 0.98, 0.89),
    ),
    "shirt": (
        _shape(
            "body",
            "polygon",
            *(0.34, 0.12, 0.66, 0.12, 0.97, 0.3, 0.87, 0.49, 0.75, 0.42, 0.75, 0.92, 0.25, 0.92),
            *(0.25, 0.42, 0.13, 0.49, 0.03, 0.3),
        ),
        _shape("cut", "ellipse", 0.38, 0.02, 0.62, 0.22),
        _shape("dark", "arc", 0.37, 0.01, 0.63, 0.24, 20, 160, width=0.03),
    ),
    "sock": (
        _shape(
            "body",
            "polygon",
            *(0.34, 0.06, 0.66, 0.06, 0.66, 0.52, 0.9, 0.68, 0.94, 0.82, 0.86, 0.93, 0.72, 0.94),
            *(0.44, 0.8, 0.34, 0.66),
        ),
        _shape("light", "polygon", 0.32, 0.04, 0.68, 0.04, 0.68, 0.16, 0.32, 0.16),
        _shape("light", "ellipse", 0.74, 0.72, 0.95, 0.94),
        _shape("light", "ellipse", 0.33, 0.6, 0.48, 0.78),
    ),
    "table": (
        _shape("behind", "line", 0.26, 0.46, 0.26, 0.76, width=0.05),
        _shape("behind", "line", 0.74, 0.46, 0.74, 0.76, width=0.05),
        _shape("dark", "line", 0.11, 0.56, 0.11, 0.92, width=0.06),
        _shape("dark", "line", 0.89, 0.56, 0.89, 0.92, width=0.06),
        _shape("body", "polygon", 0.2, 0.28, 0.8, 0.28, 0.98, 0.56, 0.02, 0.56),
        _shape("dark", "polygon", 0.02, 0.55, 0.98, 0.55, 0.98, 0.63, 0.02, 0.63),
    ),
    "teapot": (
        _shape("behind", "arc", 0.66, 0.3, 0.98, 0.74, 250, 110, width=0.065),
        _shape("behind", "polygon", 0.26, 0.72, 0.0, 0.36, 0.11, 0.3, 0.34, 0.5),
        _shape("body", "ellipse", 0.18, 0.26, 0.8, 0.88),
        _shape("dark", "ellipse", 0.32, 0.22, 0.66, 0.36),
        _shape("dark", "ellipse", 0.43, 0.12, 0.55, 0.24),
        _shape("dark", "line", 0.34, 0.88, 0.64, 0.88, width=0.05),
    ),
    "umbrella": (
        _shape("behind", "line", 0.5, 0.04, 0.5, 0.84, width=0.035),
        _shape("behind", "arc", 0.34, 0.76, 0.52, 0.95, 0, 180, width=0.04),
        _shape("body", "ellipse", 0.04, 0.1, 0.96, 1.02),
        _shape("cut", "polygon", 0, 0.54, 1, 0.54, 1, 1.1, 0, 1.1),
        _shape("cut", "ellipse", 0.04, 0.48, 0.35, 0.62),
        _shape("cut", "ellipse", 0.35, 0.48, 0.65, 0.62),
        _shape("cut", "ellipse", 0.65, 0.48, 0.96, 0.62),
        _shape("dark", "line", 0.5, 0.1, 0.35, 0.54, width=0.015),
        _shape("dark", "line", 0.5, 0.1, 0.65, 0.54, width=0.015),
        _shape("behind", "line", 0.5, 0.5, 0.5, 0.84, width=0.035),
    ),
    "vase": (
        _shape("behind", "line", 0.5, 0.3, 0.32, 0.08, width=0.02),
        _shape("behind", "line", 0.5, 0.3, 0.66, 0.06, width=0.02),
        _shape("light", "ellipse", 0.25, 0.02, 0.39, 0.15),
        _shape("light", "ellipse", 0.59, 0.0, 0.73, 0.13),
        _shape(
            "body",
            "polygon",
            *(0.36, 0.26, 0.64, 0.26, 0.58, 0.38, 0.74, 0.54, 0.76, 0.68, 0.62, 0.95, 0.38, 0.95),
            *(0.24, 0.68, 0.26, 0.54, 0.42, 0.38),
        ),
        _shape("dark", "rounded", 0.34, 0.23, 0.66, 0.29, width=0.02),
    ),
}
