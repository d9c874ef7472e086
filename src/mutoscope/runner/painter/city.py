"""A city: ranks of buildings, whose windows light up as the day goes."""

import numpy as np

from mutoscope.runner.painter.canvas import Array, Canvas, Drawing, colour, mix, smoothstep
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene
from mutoscope.runner.painter.sky import Light

_WINDOWS = ("#ffd79a", "#ffe9c4", "#ffc477", "#cfe4ff")
_NEON = ("#ff3d9a", "#35e0ff", "#a05cff", "#ffb84d", "#4dffc3")
_LIT = {"dawn": 0.12, "day": 0.0, "sunset": 0.22, "dusk": 0.42, "night": 0.5}


def paint_city(canvas: Canvas, scene: Scene, colours: Palette, light: Light, *, base: float) -> None:
    """Three ranks of buildings that stand on ``base``."""
    ranks = 3
    for index in range(ranks):
        near = (index + 1) / ranks
        walls, lamps, signs = canvas.drawing(), canvas.drawing(), canvas.drawing()
        foot = base + 0.01 + 0.05 * index * (0 if scene.water else 1)
        middle = canvas.aspect * float(canvas.rng.uniform(0.35, 0.65))
        x = -0.05
        while x < canvas.aspect:
            width = float(canvas.rng.uniform(0.035, 0.085)) * (0.6 + 0.6 * near)
            centre = float(np.exp(-(((x - middle) / (0.35 * canvas.aspect)) ** 2)))
            height = (0.09 + 0.36 * centre * float(canvas.rng.random()) ** 0.8) * (1.15 - 0.35 * near) + 0.02
            _building(canvas, (walls, lamps, signs), (x, foot, width, height), _LIT[scene.time] * (0.5 + 0.5 * near))
            x += width * float(canvas.rng.uniform(0.82, 1.25))
        mask = np.maximum(walls.mask(), canvas.below(np.full_like(canvas.x, foot)))
        canvas.blend(_walls(canvas, scene, colours, light, near), mask)
        _lights(canvas, scene, lamps.mask(), signs.mask(), near)


def _building(
    canvas: Canvas, layers: tuple[Drawing, Drawing, Drawing], box: tuple[float, float, float, float], lit: float
) -> None:
    walls, lamps, signs = layers
    x, foot, width, height = box
    rng = canvas.rng
    top = foot - height
    walls.box(x, top, x + width, foot)
    crown = float(rng.random())
    if height > 0.2 and crown < 0.35:
        inset = width * 0.22
        walls.box(x + inset, top - height * 0.09, x + width - inset, top)
        walls.box(x + width / 2 - 0.0015, top - height * 0.24, x + width / 2 + 0.0015, top)
    elif crown < 0.5 and height < 0.13:
        walls.polygon([(x, top), (x + width * 0.5, top - width * 0.45), (x + width, top)])
    columns, rows = max(2, int(width / 0.0115)), max(2, int(height / 0.0165))
    wide, high = width / columns, height / rows
    on = rng.random((rows, columns)) < lit * float(rng.uniform(0.4, 1.5))
    for row, column in zip(*np.nonzero(on), strict=True):
        left, up = x + (column + 0.26) * wide, top + (row + 0.28) * high
        lamps.box(left, up, left + wide * 0.5, up + high * 0.46, ink=int(rng.integers(120, 256)))
    if rng.random() < 0.3 and height > 0.12:
        left = x + width * float(rng.uniform(0.1, 0.6))
        signs.box(left, top + height * 0.12, left + width * 0.12, top + height * float(rng.uniform(0.35, 0.6)))


def _walls(canvas: Canvas, scene: Scene, colours: Palette, light: Light, near: float) -> Array:
    dark = mix(colours.shadow, colour("#1a1c2c"), np.float32(0.5))
    if scene.time == "day":
        dark = mix(colour("#5b6878"), colours.shadow, np.float32(0.3))
    wall = mix(colours.haze, dark, np.float32(0.3 + 0.65 * near))
    sun = np.exp(-np.abs(canvas.x - light.x) / 0.5) * (0.1 if scene.night else 0.3)
    haze = smoothstep(light.horizon - 0.25, light.horizon + 0.05, canvas.y) * (0.55 - 0.35 * near)
    return mix(mix(wall, colours.light, (sun * (1 - 0.5 * near))[..., None]), colours.haze, haze[..., None])


def _lights(canvas: Canvas, scene: Scene, lamps: Array, signs: Array, near: float) -> None:
    rng = canvas.rng
    choices = [colour(one) for one in (_NEON if scene.neon else _WINDOWS)]
    patches = canvas.noise(0.05, 2)
    paint = choices[int(rng.integers(len(choices)))] * np.ones_like(canvas.pixels)
    for level in np.linspace(0.35, 0.65, 4):
        other = choices[int(rng.integers(len(choices)))]
        paint = mix(paint, other, (patches > level)[..., None])
    canvas.blend(paint * 1.05, lamps * (0.35 + 0.6 * near))
    if scene.neon:
        canvas.blend(np.clip(paint * 1.3, 0, 1.4), signs)
