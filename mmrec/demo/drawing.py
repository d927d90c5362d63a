"""A product and a view -> its picture, drawn at twice the size and scaled down.

Everything that varies between two pictures of equal attributes (size, place, tilt, motif,
light, shadow, specks) comes from the product's seed and the view number.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from mmrec.demo.attributes import COLOURS
from mmrec.demo.patterns import Colour, blend, draw_pattern
from mmrec.demo.silhouettes import SILHOUETTES, Shape

_OVERSAMPLING = 2
_INK: Colour = (24, 20, 22)
_PAPER: Colour = (255, 252, 244)
# Top and bottom tone of each background; all pale, so that no product drowns.
_BACKGROUNDS: dict[str, tuple[Colour, Colour]] = {
    "paper": ((255, 255, 255), (255, 255, 255)),
    "cream": ((246, 238, 220), (246, 238, 220)),
    "mist": ((222, 226, 230), (222, 226, 230)),
    "sky": ((206, 226, 244), (244, 250, 254)),
    "blush": ((250, 224, 220), (254, 246, 242)),
    "sunset": ((252, 226, 196), (236, 214, 236)),
    "studio": ((236, 236, 236), (190, 192, 196)),
}


@dataclass(frozen=True)
class Product:
    """What a picture shows, by name, and the seed of everything else in it."""

    category: str
    colour: str
    pattern: str
    background: str
    seed: int


def draw_product(product: Product, view: int, size: int) -> Image.Image:
    """Draw one picture of a product.

    Args:
        product: what to draw.
        view: number of the picture; each has its own tilt, size and light.
        size: width and height of the returned RGB picture in pixels.
    """
    generator = np.random.default_rng([product.seed, view])
    canvas = size * _OVERSAMPLING
    picture = _draw_background(product.background, canvas, generator)
    figure = _place(_draw_figure(product, canvas, generator), view, generator)
    picture.paste(blend(_INK, _PAPER, 0.25), mask=_shadow_of(figure, generator))
    picture.paste(figure, mask=figure)
    return picture.resize((size, size), Image.Resampling.BOX)


def _draw_background(name: str, canvas: int, generator: np.random.Generator) -> Image.Image:
    top, bottom = _BACKGROUNDS[name]
    share = np.linspace(0.0, 1.0, canvas)[:, None, None]
    rows = np.asarray(top) * (1 - share) + np.asarray(bottom) * share
    rows = np.clip(rows + generator.uniform(-5, 5), 0, 255).astype(np.uint8)
    picture = Image.fromarray(rows).resize((canvas, canvas), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    if generator.random() < 0.5:  # a table edge
        edge = float(generator.uniform(0.68, 0.8)) * canvas
        pen.rectangle((0, edge, canvas, canvas), fill=blend(bottom, _INK, 0.1))
    for _ in range(int(generator.integers(0, 4))):  # specks that mean nothing
        x, y = generator.uniform(0.02, 0.98, size=2) * canvas
        radius = float(generator.uniform(0.008, 0.02)) * canvas
        grey = int(generator.integers(120, 230))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(grey, grey, grey))
    return picture


def _draw_figure(product: Product, canvas: int, generator: np.random.Generator) -> Image.Image:
    """Draw the product upright: RGBA, transparent where it is not."""
    jitter = generator.uniform(-9, 9, size=3)
    base = np.clip(np.asarray(COLOURS[product.colour]) + jitter, 0, 255).astype(int)
    colour: Colour = (int(base[0]), int(base[1]), int(base[2]))
    dark = blend(colour, _INK, 0.38) if product.colour != "black" else (78, 78, 84)
    texture = draw_pattern(product.pattern, colour, canvas, generator)
    figure = Image.new("RGB", (canvas, canvas), dark)
    outline = Image.new("L", (canvas, canvas), 0)
    for shape in SILHOUETTES[product.category]:
        if shape.part == "behind":
            _draw_shape(ImageDraw.Draw(outline), shape, canvas, 255)
    body = Image.new("L", (canvas, canvas), 0)
    for shape in SILHOUETTES[product.category]:
        if shape.part in ("body", "cut"):
            _draw_shape(ImageDraw.Draw(body), shape, canvas, 255 if shape.part == "body" else 0)
    figure.paste(_light(texture, generator), mask=body)
    outline = ImageChops.lighter(outline, body)
    for shape in SILHOUETTES[product.category]:
        if shape.part in ("dark", "light"):
            tone = dark if shape.part == "dark" else blend(colour, _PAPER, 0.88)
            _draw_shape(ImageDraw.Draw(figure), shape, canvas, tone)
            _draw_shape(ImageDraw.Draw(outline), shape, canvas, 255)
    figure.putalpha(outline)
    return figure


def _light(texture: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Brighten one side of the body and darken the other."""
    strength = float(generator.uniform(0.04, 0.16)) * (1 if generator.random() < 0.5 else -1)
    ramp = strength * np.linspace(1.0, -1.0, texture.width)[None, :] * 255
    for tone, levels in (((255, 255, 255), ramp), ((0, 0, 0), -ramp)):
        row = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
        texture.paste(tone, mask=row.resize(texture.size, Image.Resampling.NEAREST))
    return texture


def _draw_shape(pen: ImageDraw.ImageDraw, shape: Shape, canvas: int, fill: int | Colour) -> None:
    at = [value * canvas for value in shape.at]
    width = max(1, round(shape.width * canvas))
    if shape.kind == "polygon":
        pen.polygon(at, fill=fill)
    elif shape.kind == "ellipse":
        pen.ellipse(at, fill=fill)
    elif shape.kind == "rounded":
        pen.rounded_rectangle(at, radius=width, fill=fill)
    elif shape.kind == "arc":
        pen.arc(at[:4], shape.at[4], shape.at[5], fill=fill, width=width)
    else:
        pen.line(at, fill=fill, width=width)


def _place(figure: Image.Image, view: int, generator: np.random.Generator) -> Image.Image:
    """Tilt, scale, shift and for odd views mirror the figure."""
    canvas = figure.width
    angle = np.deg2rad(generator.uniform(-7, 7) if view == 0 else generator.uniform(-16, 16))
    scale = float(generator.uniform(0.74, 0.92) if view < 2 else generator.uniform(0.86, 1.02))
    shift = generator.uniform(-0.05, 0.05, size=2) * canvas
    flip = -1.0 if view % 2 else 1.0
    cos, sin = float(np.cos(angle)) / scale, float(np.sin(angle)) / scale
    middle = canvas / 2
    target = middle + shift
    matrix = (
        flip * cos,
        flip * sin,
        middle - flip * (cos * target[0] + sin * target[1]),
        -sin,
        cos,
        middle + sin * target[0] - cos * target[1],
    )
    size, how = (canvas, canvas), Image.Resampling.BILINEAR
    return figure.transform(size, Image.Transform.AFFINE, matrix, how)


def _shadow_of(figure: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A soft shadow of the figure, moved to one side and down."""
    canvas = figure.width
    drift = int(generator.uniform(-0.04, 0.04) * canvas)
    depth = float(generator.uniform(0.12, 0.3))
    small = figure.getchannel("A").resize((canvas // 4, canvas // 4), Image.Resampling.BOX)
    soft = small.filter(ImageFilter.GaussianBlur(canvas / 4 * 0.018)).resize((canvas, canvas))
    moved = ImageChops.offset(soft, drift, int(0.025 * canvas))
    return moved.point([round(level * depth) for level in range(256)])
