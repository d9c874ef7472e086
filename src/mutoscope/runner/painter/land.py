"""The ground: mountains, hills and dunes, each layer paler the farther it is."""

import numpy as np

from mutoscope.runner.painter.canvas import Array, Canvas, colour, mix, shift, smoothstep
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene
from mutoscope.runner.painter.sky import Light


def depth_colour(colours: Palette, near: float, scene: Scene) -> Array:
    """The colour of a shadowed layer: haze far away, the ground's own dark close by."""
    thick = {"fog": 0.95, "snow": 0.9, "rain": 0.9}.get(scene.weather, 1.15)
    return mix(colours.haze, colours.shadow, np.float32(np.clip(near**thick, 0, 1) * 0.96))


def paint_mountains(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    """Three to four ranges, the far ones in haze, lit from the sun's side, with snow on high."""
    ranges = int(canvas.rng.integers(3, 5))
    for index in range(ranges):
        near = (index + 1) / (ranges + 1)
        high = (0.34 - 0.2 * near) * float(canvas.rng.uniform(0.85, 1.2))
        peaks = canvas.line(0.75 - 0.3 * near, 8, 0.48, sharp=0.8)
        swell = canvas.line(1.6, 2) * 0.5
        ridge = light.horizon - 0.02 + 0.03 * index - high * np.clip(0.52 + 0.62 * peaks + 0.3 * swell, 0.02, 1.5)
        _range(canvas, scene, colours, light, (near, ridge))


def _range(canvas: Canvas, scene: Scene, colours: Palette, light: Light, layer: tuple[float, Array]) -> None:
    near, ridge = layer
    mask = canvas.below(ridge)
    depth = np.clip(canvas.y - ridge, 0, 1)
    rock = _relief(canvas, ridge, depth, light)
    base = depth_colour(colours, 0.25 + 0.7 * near, scene)
    bright = {"night": 0.35, "dusk": 0.6, "sunset": 0.85}.get(scene.time, 0.95)
    lit = mix(base, colours.light * bright, 0.42 if scene.night else 0.5)
    paint = mix(base * 0.92, lit, rock[..., None] * (0.75 - 0.25 * near))
    if scene.season == "winter" or not scene.dunes:
        top = float(ridge.min())
        line = top + (light.horizon - top) * (0.9 if scene.season == "winter" else 0.42)
        patchy = (canvas.noise(0.06, 4) - 0.5) * 0.16
        snow = smoothstep(line + 0.06, line - 0.06, canvas.y + patchy) * smoothstep(0.2, 0.62, rock + 0.12)
        white = mix(
            base, np.float32(0.98) * mix(colours.light, colour("#ffffff"), 0.5), 0.78 if not scene.night else 0.4
        )
        paint = mix(paint, white, (snow * 0.85)[..., None])
    mist = smoothstep(0.02, 0.3, depth) * (0.75 - 0.5 * near)
    canvas.blend(mix(paint, colours.haze, mist[..., None]), mask)


def _relief(canvas: Canvas, ridge: Array, depth: Array, light: Light) -> Array:
    """How much light falls on each point of a range: gullies that run down from the ridge, one side bright."""
    side = np.where(canvas.x < light.x, 1.0, -1.0) * smoothstep(0.0, 0.25, np.abs(canvas.x - light.x))
    rough = canvas.noise(0.16, 7, 0.6)
    shifted = _sample_rows(ridge, (depth * (0.55 + rough) * canvas.height * 0.8 * (rough - 0.5) * 2.2).astype(int))
    step = max(2, canvas.height // 220)
    slope = (shift(shifted, 0, -step) - shift(shifted, 0, step)) / (2 * step * canvas.pixel)
    grain = rough - shift(rough, step // 2, step)
    return np.clip(0.42 - slope * side * 0.34 + grain * side * 3.4, 0, 1)


def _sample_rows(line: Array, shift: Array) -> Array:
    columns = (np.arange(line.size)[None, :] + shift).clip(0, line.size - 1)
    return line[columns]


def paint_hills(canvas: Canvas, scene: Scene, colours: Palette, light: Light, *, start: float) -> list[Array]:
    """Rolling hills from ``start`` down to the lower edge; returns their lines, from far to near."""
    lines: list[Array] = []
    count = 4
    for index in range(count):
        near = (index + 1) / count
        top = start + (1.02 - start) * (index / count) ** 1.35
        line = top + canvas.line(1.1 - 0.15 * index, 3, 0.4) * (0.035 + 0.03 * near)
        depth = np.clip(canvas.y - line, 0, 1)
        tufts = canvas.noise(0.012 + 0.02 * near, 3, stretch=2.5)
        folds = canvas.noise(0.3, 4, stretch=3)
        sun = np.exp(-np.abs(canvas.x - light.x) / 0.8) * (0.25 if scene.night else 0.8)
        own = mix(colours.haze, colours.ground, np.float32(0.25 + 0.75 * near**0.7))
        bright = mix(own, colours.light, (0.3 * sun * smoothstep(0.12, 0.0, depth) + 0.12 * sun)[..., None])
        rough = 0.5 if scene.season == "winter" else 1.2
        shade = np.clip((folds - 0.5) * rough + (tufts - 0.5) * (0.5 + 0.5 * near) + depth * 1.1, -0.2, 0.85)
        canvas.blend(
            mix(bright, mix(colours.haze, colours.shadow, np.float32(0.3 + 0.7 * near)), shade[..., None]),
            canvas.below(line),
        )
        lines.append(line)
    return lines


def paint_dunes(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    """Sand: sharp crests, one flank in the light and one in shade, and ripples close by."""
    side = 1.0 if light.x < canvas.aspect / 2 else -1.0
    count = 5
    for index in range(count):
        near = (index + 1) / count
        top = light.horizon + (0.98 - light.horizon) * (index / count) ** 1.3
        crest = top - np.abs(canvas.line(0.9 + 0.35 * index, 2, 0.35)) * (0.05 + 0.1 * near) + 0.03
        depth = np.clip(canvas.y - crest, 0, 1)
        fold = _sample_rows(crest, (depth * canvas.height * 1.3 * side * -1).astype(int))
        step = max(2, canvas.height // 120)
        slope = (shift(fold, 0, -step) - shift(fold, 0, step)) / (2 * step * canvas.pixel)
        ripples = (
            np.sin((depth * (1 + depth) + 0.12 * canvas.noise(0.25, 3, stretch=3)) * 420 * (1.4 - near)) * 0.05 * near
        )
        lit = np.clip(0.55 + slope * side * 2.4 + ripples - depth * 0.5, 0, 1)
        sand = mix(colours.shadow, mix(colours.ground, colours.light, np.float32(0.35)), lit[..., None])
        sand = sand * colour("#8fa8e0") if scene.night else sand
        canvas.blend(mix(colours.haze, sand, np.float32(0.35 + 0.65 * near)), canvas.below(crest))
