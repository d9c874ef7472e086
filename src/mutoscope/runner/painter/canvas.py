"""The canvas: float pixels at twice the final size, and the few tools that every part of a picture is made with.

Lengths are in heights of the picture, ``x`` from 0 at the left, ``y`` from 0 at the top to 1 at the bottom.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[Any]
SUPERSAMPLING = 2


def colour(text: str) -> Array:
    """``#rrggbb`` as three floats from 0 to 1."""
    return np.array([int(text[index : index + 2], 16) for index in (1, 3, 5)], dtype=np.float32) / 255


def mix(one: Array, other: Array, share: Any) -> Array:
    """``one`` where ``share`` is 0, ``other`` where it is 1."""
    return one + (other - one) * share


def smoothstep(low: float, high: float, value: Any) -> Array:
    """0 below ``low``, 1 above ``high``, and smooth between."""
    share = np.clip((np.asarray(value, dtype=np.float32) - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def shift(field: Array, down: int, right: int) -> Array:
    """The field moved by whole pixels; what comes in from outside repeats the edge."""
    height, width = int(field.shape[0]), int(field.shape[1])
    rows = (np.arange(height) - down).clip(0, height - 1)
    columns = (np.arange(width) - right).clip(0, width - 1)
    return field[rows[:, None], columns[None, :]]


class Canvas:
    """The picture while it is painted."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width = width * SUPERSAMPLING
        self.height = height * SUPERSAMPLING
        self.aspect = width / height
        self.rng = rng
        self.pixels: Array = np.zeros((self.height, self.width, 3), dtype=np.float32)
        self.x: Array = (np.arange(self.width, dtype=np.float32) + 0.5) / self.height
        self.y: Array = ((np.arange(self.height, dtype=np.float32) + 0.5) / self.height)[:, None]
        self.pixel = 1 / self.height

    def blend(self, paint: Array, mask: Array) -> None:
        """Lay ``paint`` over the picture where ``mask`` is 1."""
        share = mask[..., None] if mask.ndim == 2 else mask
        self.pixels += (paint - self.pixels) * share

    def glow(self, paint: Array, strength: Array) -> None:
        """Add light."""
        self.pixels += paint * strength[..., None]

    def below(self, line: Array) -> Array:
        """1 below a line ``y(x)``, with a soft edge of one pixel."""
        return np.clip((self.y - line) / self.pixel + 0.5, 0, 1)

    def at(self, line: Array, x: float) -> float:
        """Where a line is at ``x``; beyond the picture, where it is at its edge."""
        return float(line[min(self.width - 1, max(0, int(x * self.height)))])

    def drawing(self) -> "Drawing":
        """An empty mask to draw shapes on."""
        return Drawing(self)

    def noise(self, size: float, octaves: int = 5, gain: float = 0.5, stretch: float = 1.0) -> Array:
        """Cloud-like noise around 0.5: features of ``size`` heights, ``stretch`` times as wide as high."""
        total, weight, amount = np.zeros((self.height, self.width), dtype=np.float32), 0.0, 1.0
        for octave in range(octaves):
            cells = 2**octave / size
            rows, columns = max(2, round(cells) + 1), max(2, round(cells * self.aspect / stretch) + 1)
            if max(rows, columns) > self.height:
                break
            total += amount * self.enlarge(self.rng.random((rows, columns), dtype=np.float32))
            weight += amount
            amount *= gain
        return total / weight

    def enlarge(self, grid: Array) -> Array:
        """A small grid stretched smoothly over the whole picture."""
        image = Image.fromarray(grid).resize((self.width, self.height), Image.Resampling.BICUBIC)
        return np.asarray(image, dtype=np.float32)

    def line(self, size: float, octaves: int = 6, gain: float = 0.5, *, sharp: float = 0.0) -> Array:
        """A wandering line over x, from -1 to 1: waves of ``size`` heights; ``sharp`` turns waves into peaks."""
        total, weight, amount = np.zeros(self.width, dtype=np.float32), 0.0, 1.0
        for octave in range(octaves):
            count = max(3, round(self.aspect * 2**octave / size) + 2)
            points = self.rng.uniform(-1, 1, count)
            places = np.linspace(0, 1, self.width) * (count - 1)
            left = np.minimum(places.astype(int), count - 2)
            share = smoothstep(0, 1, places - left)
            wave = points[left] * (1 - share) + points[left + 1] * share
            total += amount * (wave * (1 - sharp) + (1 - 2 * np.abs(wave)) * sharp)
            weight += amount
            amount *= gain
        return (total / weight).astype(np.float32)


class Drawing:
    """A mask that shapes are drawn on, in heights of the picture; drawn large and made small, so edges are soft."""

    _EXTRA = 2

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._scale = canvas.height * self._EXTRA
        self._image = Image.new("L", (canvas.width * self._EXTRA, canvas.height * self._EXTRA))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: list[tuple[float, float]], ink: int = 255) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * self._scale, y * self._scale) for x, y in points], fill=ink)

    def box(self, left: float, top: float, right: float, bottom: float, ink: int = 255) -> None:
        """A filled rectangle."""
        scaled = [value * self._scale for value in (left, top, right, bottom)]
        if scaled[2] >= scaled[0] and scaled[3] >= scaled[1]:
            self._draw.rectangle(scaled, fill=ink)

    def disc(self, x: float, y: float, radius: float, ink: int = 255, flat: float = 1.0) -> None:
        """A filled circle, or an ellipse ``flat`` times as high as wide."""
        across, up = radius * self._scale, radius * flat * self._scale
        middle_x, middle_y = x * self._scale, y * self._scale
        self._draw.ellipse([middle_x - across, middle_y - up, middle_x + across, middle_y + up], fill=ink)

    def stroke(self, points: list[tuple[float, float]], width: float, ink: int = 255) -> None:
        """A line through points."""
        path = [(x * self._scale, y * self._scale) for x, y in points]
        self._draw.line(path, fill=ink, width=max(1, round(width * self._scale)), joint="curve")

    def mask(self) -> Array:
        """What was drawn, from 0 to 1."""
        return np.asarray(self._image.reduce(self._EXTRA), dtype=np.float32) / 255
