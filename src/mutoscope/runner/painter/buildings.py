"""The single buildings that a prompt names: a cabin, a lighthouse."""

import numpy as np

from mutoscope.runner.painter.canvas import Canvas, colour, mix
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene
from mutoscope.runner.painter.sky import distance
from mutoscope.runner.painter.trees import crown, fir


def paint_cabin(canvas: Canvas, scene: Scene, colours: Palette, *, ground: float) -> None:
    """A cabin between trees, with a light in the window."""
    rng = canvas.rng
    x, size = canvas.aspect * float(rng.uniform(0.25, 0.7)), 0.1
    trees, wall, roof, window = (canvas.drawing() for _ in range(4))
    for shift in (-1.15, -0.8, 1.25, 1.6):
        plant = crown if scene.season in {"autumn", "spring"} else fir
        plant(trees, rng, x + shift * size, ground + 0.005, size * float(rng.uniform(1.5, 2.3)))
    wall.box(x - size * 0.5, ground - size * 0.45, x + size * 0.5, ground + 0.004)
    roof.polygon(
        [
            (x - size * 0.66, ground - size * 0.4),
            (x - size * 0.3, ground - size * 0.86),
            (x + size * 0.32, ground - size * 0.86),
            (x + size * 0.66, ground - size * 0.4),
        ]
    )
    roof.box(x + size * 0.1, ground - size * 1.05, x + size * 0.2, ground - size * 0.8)
    for left in (-0.3, 0.1):
        window.box(x + left * size, ground - size * 0.32, x + (left + 0.17) * size, ground - size * 0.14)
    dim = {"day": 1.0, "dawn": 0.7, "sunset": 0.6, "dusk": 0.4, "night": 0.25}[scene.time]
    top = colour("#e8edf4") * (0.3 + 0.7 * dim) if scene.season == "winter" else colour("#6b3b2c") * dim
    leaves = {"autumn": colour("#a8532a"), "spring": colour("#d993ab")}.get(scene.season, colours.ground * 0.5) * (
        0.3 + 0.6 * dim
    )
    for paint, drawing in ((leaves, trees), (colour("#7a5238") * dim, wall), (top, roof)):
        canvas.blend(np.broadcast_to(mix(paint, colours.haze, np.float32(0.12)), canvas.pixels.shape), drawing.mask())
    canvas.blend(np.broadcast_to(colour("#ffd98c") * (1.15 if dim < 0.9 else 0.8), canvas.pixels.shape), window.mask())
    canvas.glow(
        colour("#ffb85c"), np.exp(-distance(canvas, x, ground - size * 0.2) / 0.05) * (0.5 if dim < 0.5 else 0.0)
    )


def paint_lighthouse(canvas: Canvas, scene: Scene, colours: Palette, *, shore: float) -> None:
    """A lighthouse on a rock, with its beam when it is dark."""
    rng = canvas.rng
    x, size = canvas.aspect * float(rng.choice([0.22, 0.78])), 0.26
    rock, tower, bands, lamp = (canvas.drawing() for _ in range(4))
    edge = [
        (x + across * 0.3, shore + 0.03 - 0.07 * (1 - abs(across)) * float(rng.uniform(0.6, 1.3)))
        for across in np.linspace(-1, 1, 15)
    ]
    rock.polygon([*edge, (x + 0.3, shore + 0.05), (x - 0.3, shore + 0.05)])
    foot = shore - 0.03

    def half(up: float) -> float:
        return 0.026 - 0.011 * up

    tower.polygon([(x - half(0), foot), (x - half(1), foot - size), (x + half(1), foot - size), (x + half(0), foot)])
    for up in (0.2, 0.6):
        bands.polygon(
            [
                (x - half(up), foot - size * up),
                (x - half(up + 0.2), foot - size * (up + 0.2)),
                (x + half(up + 0.2), foot - size * (up + 0.2)),
                (x + half(up), foot - size * up),
            ]
        )
    bands.polygon([(x - 0.017, foot - size - 0.022), (x, foot - size - 0.045), (x + 0.017, foot - size - 0.022)])
    bands.box(x - 0.02, foot - size - 0.002, x + 0.02, foot - size + 0.003)
    lamp.box(x - 0.01, foot - size - 0.022, x + 0.01, foot - size - 0.002)
    dim = {"day": 1.0, "dawn": 0.8, "sunset": 0.7, "dusk": 0.5, "night": 0.35}[scene.time]
    for paint, drawing in (
        (colours.shadow * 0.8, rock),
        (colour("#f0ece2") * dim, tower),
        (colour("#b8352f") * dim, bands),
        (colour("#fff0bf"), lamp),
    ):
        canvas.blend(np.broadcast_to(paint, canvas.pixels.shape), drawing.mask())
    if dim < 0.8:
        top = foot - size - 0.012
        away = np.abs(canvas.x - x) + 1e-4
        beam = np.exp(-(((canvas.y - top) / (0.004 + 0.07 * away)) ** 2)) * np.exp(-away / 0.5)
        canvas.glow(colour("#fff0bf"), beam * 0.4 + np.exp(-distance(canvas, x, top) / 0.03) * 0.8)
