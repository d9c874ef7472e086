"""Trees: ranks of firs in the mist, round crowns in leaf or blossom."""

import numpy as np

from mutoscope.runner.painter.canvas import Array, Canvas, Drawing, colour, mix, smoothstep
from mutoscope.runner.painter.land import depth_colour
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene
from mutoscope.runner.painter.sky import Light

_CROWNS = {"autumn": ("#c8652a", "#8e3b1f", "#d99a35"), "spring": ("#e9a9bd", "#d98aa6", "#f3cbd6")}


def paint_forest(
    canvas: Canvas, scene: Scene, colours: Palette, light: Light, *, base: float, end: float = 1.0
) -> None:
    """Ranks of trees from ``base`` down to ``end``, with mist between them."""
    ranks = 4 if end - base > 0.2 else 2
    for index in range(ranks):
        near = (index + 1) / ranks
        ground = base + (end - base) * (index / ranks) ** 1.2 + canvas.line(0.9, 3) * 0.025 * min(1, (end - base) * 4)
        height = (0.045 if ranks > 2 else 0.07) + 0.16 * near**1.5 * (1 if ranks > 2 else 0.35)
        drawing = canvas.drawing()
        crowns = scene.season in _CROWNS
        x = -0.05
        while x < canvas.aspect + 0.05:
            size = height * float(canvas.rng.uniform(0.6, 1.25))
            foot = canvas.at(ground, x) + 0.01
            if crowns and canvas.rng.random() < 0.75:
                crown(drawing, canvas.rng, x, foot, size * 0.85)
            else:
                fir(drawing, canvas.rng, x, foot, size)
            x += size * float(canvas.rng.uniform(0.16, 0.42))
        mask = np.maximum(drawing.mask(), canvas.below(ground))
        canvas.blend(_leaves(canvas, scene, colours, light, (near, ground, height)), mask)


def _leaves(canvas: Canvas, scene: Scene, colours: Palette, light: Light, rank: tuple[float, Array, float]) -> Array:
    near, ground, height = rank
    base = depth_colour(colours, 0.3 + 0.7 * near, scene)
    leaf = mix(base, colours.ground, np.float32(0.35 * near))
    if tints := _CROWNS.get(scene.season):
        patches = canvas.noise(0.07 * (0.5 + near), 3)
        warm = mix(colour(tints[0]), colour(tints[1]), smoothstep(0.35, 0.6, patches)[..., None])
        warm = mix(warm, colour(tints[2]), smoothstep(0.55, 0.75, patches)[..., None])
        leaf = mix(leaf, warm * (0.35 if scene.night else 0.85), np.float32(0.25 + 0.45 * near))
    speckle = canvas.noise(0.012, 2) - 0.5
    sun = np.exp(-np.abs(canvas.x - light.x) / 0.35)
    up = np.clip((ground - canvas.y) / height, 0, 1)
    shown = (
        leaf * (1 + 0.5 * speckle[..., None])
        + colours.light * (up * sun * (0.05 if scene.night else 0.16) * near)[..., None]
    )
    mist = smoothstep(-0.25 * height, 1.4 * height, canvas.y - ground + 0.55 * height) * (0.85 - 0.7 * near)
    return mix(shown, colours.haze, mist[..., None])


def fir(drawing: Drawing, rng: np.random.Generator, x: float, foot: float, height: float) -> None:
    """One fir: tiers of drooping branches around a thin trunk."""
    tiers = int(min(14.0, max(6.0, height * 90)))
    width = height * float(rng.uniform(0.14, 0.2))
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    for tier in range(1, tiers + 1):
        share = tier / tiers
        y = foot - height * (1 - share * 0.94)
        reach = width * share**0.9
        for side, edge in ((-1, left), (1, right)):
            out = reach * float(rng.uniform(0.72, 1.12))
            edge.append((x + side * out, y + height * 0.022))
            edge.append((x + side * out * 0.45, y - height * 0.004))
    drawing.polygon([(x, foot - height), *right, *reversed(left)])
    drawing.box(x - height * 0.012, foot - height * 0.1, x + height * 0.012, foot + 0.02)


def crown(drawing: Drawing, rng: np.random.Generator, x: float, foot: float, height: float) -> None:
    """One broad-leaved tree: a trunk that forks under a heap of leaves."""
    drawing.polygon(
        [
            (x - height * 0.035, foot + 0.01),
            (x - height * 0.015, foot - height * 0.5),
            (x + height * 0.015, foot - height * 0.5),
            (x + height * 0.035, foot + 0.01),
        ],
    )
    for _ in range(34):
        angle, out = float(rng.uniform(0, 2 * np.pi)), float(rng.random()) ** 0.6
        across = x + np.cos(angle) * out * height * 0.32
        up = foot - height * 0.66 + np.sin(angle) * out * height * 0.27
        drawing.disc(float(across), float(up), height * float(rng.uniform(0.06, 0.12)))
