"""Colours that belong together, by the time of day and the weather."""

from dataclasses import dataclass

import numpy as np

from mutoscope.runner.painter.canvas import Array, colour, mix
from mutoscope.runner.painter.scene import Scene


@dataclass(frozen=True)
class Palette:
    """The colours of one picture: the sky from top to horizon, light, haze and the ground, near and in shadow."""

    sky: Array
    light: Array
    haze: Array
    ground: Array
    shadow: Array
    cloud_shadow: Array


_SKIES: dict[str, list[tuple[str, str, str, str, str]]] = {
    "dawn": [
        ("#35477a", "#8a7fb0", "#e6a8a8", "#fbd3a6", "#fff0cf"),
        ("#2c5a80", "#6fa0b8", "#c9c6c0", "#f8d9b2", "#fff3d6"),
    ],
    "day": [
        ("#1f5fa8", "#4c93cf", "#8cc0e4", "#bcdaec", "#dcebf0"),
        ("#2a6f9e", "#5aa5c4", "#9bcfd9", "#c6e2de", "#e6eee2"),
    ],
    "sunset": [
        ("#25234f", "#6a3a73", "#c9525c", "#f58e4c", "#ffd282"),
        ("#2c3a6b", "#72598f", "#cf7b86", "#f7ad76", "#ffe0a3"),
    ],
    "dusk": [
        ("#0f1636", "#26305f", "#574a83", "#a9688a", "#e69a86"),
        ("#101d3c", "#21406a", "#4b6c93", "#9a8ea6", "#e0b49c"),
    ],
    "night": [
        ("#04060f", "#0a1128", "#142244", "#233963", "#3d5580"),
        ("#05070f", "#0b1424", "#12283c", "#1f4252", "#3a6570"),
    ],
}
_LIGHT = {"dawn": "#ffe2b0", "day": "#fff6dd", "sunset": "#ffc070", "dusk": "#ffb08c", "night": "#dce6ff"}
_GROUND: dict[str, tuple[str, str]] = {
    "summer": ("#4d6b3a", "#16241f"),
    "spring": ("#6d8c48", "#1f2e24"),
    "autumn": ("#a5602c", "#2b1d1a"),
    "winter": ("#a9b8c8", "#26303e"),
    "desert": ("#d89a58", "#6b3a2a"),
}
_BRIGHTNESS = {"dawn": 0.75, "day": 1.0, "sunset": 0.55, "dusk": 0.4, "night": 0.16}


def palette(scene: Scene, rng: np.random.Generator) -> Palette:
    """The colours of a scene."""
    choices = _SKIES[scene.time]
    sky = np.stack([colour(text) for text in choices[int(rng.integers(len(choices)))]])
    light = colour(_LIGHT[scene.time])
    ground, shadow = (colour(text) for text in _GROUND["desert" if scene.dunes else scene.season])
    if scene.weather in {"storm", "rain", "fog", "snow"}:
        grey = sky.mean(axis=1, keepdims=True) * colour("#d6dde4")
        sky = mix(sky, grey * (0.72 if scene.weather == "storm" else 0.95), 0.42 if scene.weather == "fog" else 0.66)
        light = mix(light, colour("#e8ecf0"), 0.6)
    for tint in scene.tints[:2]:
        strength = np.linspace(0.55, 0.3, len(sky))[:, None]
        brightness = sky.mean(axis=1, keepdims=True) / max(0.2, float(colour(tint).mean()))
        sky = mix(sky, np.clip(colour(tint) * brightness, 0, 1), strength)
        ground = mix(ground, colour(tint), 0.2)
    if scene.neon:
        sky = mix(sky, np.stack([colour(one) for one in ("#07040f", "#150a2e", "#3a1056", "#8a1c74", "#ff4f9a")]), 0.75)
    bright = _BRIGHTNESS[scene.time]
    low = scene.time in {"sunset", "dusk"}
    haze = mix(sky[2], sky[3], 0.45) if low else mix(sky[3], sky[4], 0.35)
    return Palette(
        sky=sky.astype(np.float32),
        light=light,
        haze=haze,
        ground=mix(ground * (0.25 + 0.75 * bright), haze, 0.12),
        shadow=mix(shadow * (0.3 + 0.7 * bright), sky[1], 0.12),
        cloud_shadow=mix(sky[1], sky[3], 0.35) * 0.92,
    )
