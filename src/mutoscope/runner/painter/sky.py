"""The sky: its gradient, the sun or moon with their light, stars, clouds and northern lights."""

from dataclasses import dataclass

import numpy as np

from mutoscope.runner.painter.canvas import Array, Canvas, colour, mix, shift, smoothstep
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene


@dataclass(frozen=True)
class Light:
    """Where the sun or moon stands, how large it is, and where the horizon lies; in heights of the picture."""

    x: float
    y: float
    radius: float
    horizon: float


def place_light(scene: Scene, canvas: Canvas, horizon: float) -> Light:
    """Put the sun or moon where the time of day has it."""
    rng = canvas.rng
    across = canvas.aspect * float(rng.choice([rng.uniform(0.2, 0.4), rng.uniform(0.6, 0.8)]))
    low = {"dawn": 0.13, "day": 0.42, "sunset": 0.07, "dusk": -0.02, "night": 0.36}[scene.time]
    height = horizon - (low + float(rng.uniform(0, 0.1)) * (low > 0))
    radius = {"dawn": 0.03, "day": 0.026, "sunset": 0.05, "dusk": 0.045, "night": 0.055}[scene.time]
    return Light(across, max(0.1, height), radius, horizon)


def paint_sky(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    """The whole sky, from the gradient to the clouds."""
    _gradient(canvas, colours, light)
    if scene.stars:
        paint_stars(canvas, light.horizon, dense=not scene.moon)
    if scene.aurora:
        _aurora(canvas, light)
    _body(canvas, scene, colours, light)
    if scene.clouds > 0.02:
        _clouds(canvas, scene, colours, light)


def distance(canvas: Canvas, x: float, y: float) -> Array:
    """Distance of every pixel from a point."""
    return np.sqrt((canvas.x - x) ** 2 + (canvas.y - y) ** 2)


def _gradient(canvas: Canvas, colours: Palette, light: Light) -> None:
    wobble = (canvas.noise(0.6, 3, stretch=3) - 0.5) * 0.08
    height = np.clip(canvas.y / light.horizon + wobble, 0, 1) ** 1.15
    stops = np.linspace(0, 1, len(colours.sky))
    for channel in range(3):
        canvas.pixels[..., channel] = np.interp(height, stops, colours.sky[:, channel])


def _body(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    veil = {"storm": 0.1, "rain": 0.15, "fog": 0.45, "snow": 0.3}.get(scene.weather, 1.0)
    far = distance(canvas, light.x, light.y)
    if scene.night and not scene.moon:
        return
    wide = 0.16 if scene.night else 0.42
    halo = np.exp(-far / wide) * (0.28 if scene.night else 0.34) + np.exp(-far / 0.09) * 0.36
    room = np.clip(1.08 - canvas.pixels.mean(axis=2), 0.1, 1)
    canvas.glow(colours.light, halo * room * (0.3 + 0.7 * veil) * (0.75 if scene.time == "day" else 0.95))
    disc = smoothstep(light.radius + canvas.pixel * 1.5, light.radius - canvas.pixel * 1.5, far)
    if scene.night:
        spots = canvas.noise(light.radius * 1.4, 4)
        canvas.blend(colour("#f3f1e6") * (1.08 - 0.42 * smoothstep(0.45, 0.68, spots))[..., None], disc * veil)
    else:
        canvas.blend(mix(colours.light, np.array([1.25, 1.2, 1.1], dtype=np.float32), 0.75), disc * veil)


def paint_stars(canvas: Canvas, horizon: float, *, dense: bool) -> None:
    """Stars of many magnitudes, thicker along a pale band across the sky."""
    rng = canvas.rng
    tilt, shift = float(rng.uniform(-0.7, 0.7)), float(rng.uniform(0.1, 0.5))
    away = canvas.y - shift - tilt * (canvas.x - canvas.aspect / 2)
    cloud = canvas.noise(0.25, 6)
    band = np.exp(-((away / 0.13) ** 2)) * smoothstep(0.38, 0.75, cloud) * (0.34 if dense else 0.12)
    fade = smoothstep(horizon, horizon * 0.45, canvas.y)
    canvas.glow(colour("#9fb0e8"), band * fade)
    count = int((1500 if dense else 700) * canvas.aspect)
    stars = np.zeros((canvas.height, canvas.width), dtype=np.float32)
    rows = (rng.random(count) * min(horizon, 1.0) * canvas.height).astype(int)
    columns = rng.integers(0, canvas.width, count)
    power = rng.random(count).astype(np.float32) ** 7 * 1.5 + 0.12
    spread = max(1, round(canvas.height / 700))
    for down in range(-spread, spread + 1):
        for right in range(-spread, spread + 1):
            weight = np.exp(-(down * down + right * right) / (0.35 * (spread + 0.6) ** 2))
            rows_here, columns_here = (
                (rows + down).clip(0, canvas.height - 1),
                (columns + right).clip(0, canvas.width - 1),
            )
            np.maximum.at(stars, (rows_here, columns_here), power * weight)
    canvas.glow(colour("#eef2ff"), stars * (0.25 + 0.75 * fade))


def _clouds(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    """Two decks: high thin streaks, and heaped clouds lit from the side of the sun."""
    high = smoothstep(0.52, 0.85, canvas.noise(0.22, 5, stretch=5)) * 0.5
    fade = smoothstep(0, 0.1, canvas.y) * smoothstep(light.horizon + 0.02, light.horizon - 0.12, canvas.y)
    near_sun = np.exp(-distance(canvas, light.x, light.y) / 0.5)
    lit = mix(colours.sky[4], colours.light * (0.4 if scene.night else 1.05), 0.3 + 0.6 * near_sun[..., None])
    canvas.blend(lit, high * fade * min(1.0, scene.clouds + 0.25))
    heap = canvas.noise(0.34, 7, 0.55, stretch=2.2)
    level = 0.72 - 0.34 * scene.clouds
    body = smoothstep(level, level + 0.16, heap)
    step = max(2, canvas.height // 60)
    toward = shift(heap, step if light.y < 0.3 else -step, step if light.x < canvas.aspect / 2 else -step)
    edge = np.clip((heap - toward) * 5 + 0.5, 0, 1)
    thick = smoothstep(level, level + 0.4, heap)
    dark = 0.55 if scene.weather == "storm" else 1.0
    paint = mix(lit, colours.cloud_shadow * dark, np.clip(0.25 + 0.8 * thick - 0.55 * edge, 0, 1)[..., None])
    canvas.blend(paint, body * fade * (0.35 + 0.6 * min(1.0, scene.clouds * 1.3)))


def _aurora(canvas: Canvas, light: Light) -> None:
    """Curtains of light that hang from wandering lines."""
    for tint, lower in (("#4dffb0", 0.0), ("#39d6e8", 0.06), ("#b06cff", -0.07)):
        line = light.horizon * 0.62 + lower + canvas.line(0.9, 4) * 0.16
        rays = 0.45 + 0.55 * np.abs(canvas.line(0.05, 3))
        up = line - canvas.y
        curtain = np.exp(-np.clip(up, 0, None) / (0.17 + 0.08 * rays)) * smoothstep(-0.02, 0.012, up)
        canvas.glow(colour(tint), curtain * rays * 0.42)
