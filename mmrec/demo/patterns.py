"""Surface patterns: a pattern name, two colours and a scale -> an RGB texture."""

import math

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Mix ``share`` of the second colour into the first."""
    mixed = [round(a + (b - a) * share) for a, b in zip(first, second, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def accent_of(colour: Colour) -> Colour:
    """The pattern's second tone: pale, so that the product keeps one colour name."""
    return blend(colour, (255, 252, 244), 0.86)


def draw_pattern(
    pattern: str, colour: Colour, size: int, generator: np.random.Generator
) -> Image.Image:
    """Draw a square RGB texture of ``size`` pixels, its motif drawn about seven times across."""
    image = Image.new("RGB", (size, size), colour)
    pen = ImageDraw.Draw(image)
    accent = accent_of(colour)
    step = size * float(generator.uniform(0.15, 0.19))
    shift = float(generator.uniform(0, step))
    if pattern == "striped":
        upright = bool(generator.random() < 0.5)
        _draw_bars(pen, accent, size, step, shift, upright)
    elif pattern == "checked":
        _draw_checks(pen, accent, size, step * 0.8, shift)
    elif pattern == "zigzag":
        _draw_zigzags(pen, accent, size, step, shift)
    elif pattern in ("dotted", "starry", "floral"):
        _draw_motifs(pen, pattern, colour, size, step, shift)
    elif pattern != "plain":
        raise ValueError(f"pattern: found {pattern!r}, which the demo shop cannot draw")
    return image


def _draw_bars(
    pen: ImageDraw.ImageDraw, accent: Colour, size: int, step: float, shift: float, upright: bool
) -> None:
    for number in range(-1, int(size / step) + 2):
        low = number * step + shift
        high = low + step * 0.42
        pen.rectangle((low, 0, high, size) if upright else (0, low, size, high), fill=accent)


def _draw_checks(
    pen: ImageDraw.ImageDraw, accent: Colour, size: int, step: float, shift: float
) -> None:
    cells = int(size / step) + 3
    for row in range(cells):
        for column in range(row % 2, cells, 2):
            x, y = (column - 1) * step + shift, (row - 1) * step + shift
            pen.rectangle((x, y, x + step, y + step), fill=accent)


def _draw_zigzags(
    pen: ImageDraw.ImageDraw, accent: Colour, size: int, step: float, shift: float
) -> None:
    half = step * 0.62
    for row in range(-1, int(size / step) + 2):
        y = row * step * 1.2 + shift
        points = [
            (column * half - shift, y + (half if column % 2 else 0.0))
            for column in range(int(size / half) + 4)
        ]
        pen.line(points, fill=accent, width=max(1, round(step * 0.36)), joint="curve")


def _draw_motifs(
    pen: ImageDraw.ImageDraw, pattern: str, colour: Colour, size: int, step: float, shift: float
) -> None:
    pitch = step * {"dotted": 1.15, "starry": 1.45, "floral": 1.5}[pattern]
    for row in range(-1, int(size / pitch) + 2):
        for column in range(-1, int(size / pitch) + 2):
            x = (column + 0.5 * (row % 2)) * pitch + shift
            y = row * pitch + shift
            if pattern == "dotted":
                _draw_disc(pen, x, y, pitch * 0.28, accent_of(colour))
            elif pattern == "starry":
                _draw_star(pen, x, y, pitch * 0.44, accent_of(colour))
            else:
                _draw_flower(pen, x, y, pitch * 0.46, colour)


def _draw_disc(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _draw_star(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    points = []
    for corner in range(10):
        reach = radius * (1.0 if corner % 2 == 0 else 0.45)
        angle = math.pi * corner / 5 - math.pi / 2
        points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    pen.polygon(points, fill=colour)


def _draw_flower(
    pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour
) -> None:
    for petal in range(5):
        angle = 2 * math.pi * petal / 5 - math.pi / 2
        reach = radius * 0.58
        spot = (x + reach * math.cos(angle), y + reach * math.sin(angle))
        _draw_disc(pen, *spot, radius * 0.38, accent_of(colour))
    _draw_disc(pen, x, y, radius * 0.34, blend(colour, (20, 16, 12), 0.45))
