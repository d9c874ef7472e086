"""Water: the picture above it, mirrored and broken by waves, with the sun's path on it."""

import numpy as np

from mutoscope.runner.painter.canvas import Array, Canvas, colour, mix, smoothstep
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene
from mutoscope.runner.painter.sky import Light


def paint_water(canvas: Canvas, scene: Scene, colours: Palette, light: Light, *, shore: float) -> None:
    """Everything below ``shore`` becomes water: calm on a lake, with waves at sea."""
    rough = 1.0 if scene.water == "sea" else 0.35
    if scene.weather in {"storm", "rain"}:
        rough *= 1.6
    depth = np.clip((canvas.y - shore) / (1 - shore), 1e-3, 1)
    waves = _waves(canvas, depth)
    mirrored = _mirror(canvas, shore, depth, waves * rough)
    deep = mix(colours.sky[1], colours.shadow, np.float32(0.35)) * (0.8 if scene.night else 0.9)
    body = mix(colour("#0d4a5c"), deep, np.float32(0.6)) if scene.time == "day" else deep
    share = (0.16 + 0.5 * depth**0.8) * (0.75 + 0.5 * rough * np.abs(waves))
    paint = mix(mirrored, body, np.clip(share, 0, 0.9)[..., None])
    paint += colours.light * (_path(canvas, scene, light, depth, waves, rough))[..., None]
    crests = smoothstep(0.55, 1.0, waves) * rough * 0.1 * depth
    paint = mix(paint, colours.sky[4], crests[..., None])
    line = np.full_like(canvas.x, shore)
    canvas.blend(paint, canvas.below(line))
    mist = np.exp(-(((canvas.y - shore) / 0.012) ** 2)) * 0.28
    canvas.blend(np.broadcast_to(colours.haze, canvas.pixels.shape), mist * np.ones_like(waves))


def _waves(canvas: Canvas, depth: Array) -> Array:
    """Noise from -1 to 1 in perspective: fine and flat far away, coarse close by."""
    fine, coarse = canvas.noise(0.02, 3, 0.6, stretch=7), canvas.noise(0.07, 4, 0.6, stretch=6)
    finest = canvas.noise(0.008, 2, 0.6, stretch=9)
    near = smoothstep(0.15, 0.85, depth)
    far = smoothstep(0.25, 0.0, depth)
    return np.clip((mix(mix(fine, coarse, near), finest, far) - 0.5) * 4.2, -1, 1)


def _mirror(canvas: Canvas, shore: float, depth: Array, waves: Array) -> Array:
    edge = int(shore * canvas.height)
    rows = np.arange(canvas.height, dtype=np.float32)[:, None]
    mirrored = 2 * edge - rows * 1.0
    shift = waves * (0.006 + 0.055 * depth) * canvas.height
    source_rows = np.clip(mirrored + shift, 0, max(0, edge - 2)).astype(int)
    columns = np.arange(canvas.width)[None, :] + (waves * 0.012 * depth * canvas.height).astype(int)
    return canvas.pixels[source_rows, columns.clip(0, canvas.width - 1)]


def _path(canvas: Canvas, scene: Scene, light: Light, depth: Array, waves: Array, rough: float) -> Array:
    """Sparkles towards the sun or moon, wider the nearer they are."""
    if scene.night and not scene.moon:
        return np.zeros_like(waves)
    width = 0.02 + (0.1 + 0.05 * rough) * depth
    beam = np.exp(-(((canvas.x - light.x) / width) ** 2))
    sparkle = smoothstep(0.05, 0.75, waves)
    strength = {"day": 0.35, "sunset": 0.95, "dawn": 0.7, "dusk": 0.45, "night": 0.75}[scene.time]
    veil = 0.25 if scene.weather in {"storm", "rain", "fog"} else 1.0
    return beam * sparkle * strength * veil * (1 - 0.45 * depth)
