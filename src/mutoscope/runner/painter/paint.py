"""Puts a picture together, back to front, and says after each step how far it is."""

import hashlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from mutoscope.runner.painter.abstract import paint_abstract
from mutoscope.runner.painter.buildings import paint_cabin, paint_lighthouse
from mutoscope.runner.painter.canvas import Canvas
from mutoscope.runner.painter.city import paint_city
from mutoscope.runner.painter.cosmos import paint_space
from mutoscope.runner.painter.deep import paint_deep
from mutoscope.runner.painter.details import paint_balloons, paint_birds, paint_boat, paint_flowers
from mutoscope.runner.painter.finish import finish
from mutoscope.runner.painter.land import paint_dunes, paint_hills, paint_mountains
from mutoscope.runner.painter.palette import Palette, palette
from mutoscope.runner.painter.scene import Scene, read_prompt
from mutoscope.runner.painter.sky import Light, paint_sky, place_light
from mutoscope.runner.painter.trees import paint_forest
from mutoscope.runner.painter.water import paint_water
from mutoscope.runner.painter.weather import paint_weather

STEPS = 5


def paint(prompt: str, seed: int, size: tuple[int, int], step: Callable[[int], None]) -> tuple[Image.Image, Scene]:
    """Paint one picture; the same prompt, seed and size always give the same one.

    Args:
        prompt: Whose words decide what is seen.
        seed: Which of the many pictures of this prompt.
        size: Width and height in pixels.
        step: Called with 1 to ``STEPS`` after each step; what it raises ends the painting.
    """
    digest = hashlib.sha256(f"{seed}\n{' '.join(prompt.lower().split())}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    scene = read_prompt(prompt, rng)
    canvas = Canvas(*size, rng)
    match scene.kind:
        case "space":
            paint_space(canvas, scene)
        case "deep":
            paint_deep(canvas, scene)
        case "abstract":
            paint_abstract(canvas, scene)
        case _:
            _landscape(canvas, scene, step)
    step(STEPS - 1)
    image = finish(canvas)
    step(STEPS)
    return image, scene


def _landscape(canvas: Canvas, scene: Scene, step: Callable[[int], None]) -> None:
    colours = palette(scene, canvas.rng)
    light = place_light(scene, canvas, _horizon(scene, canvas.rng))
    paint_sky(canvas, scene, colours, light)
    if scene.balloon:
        paint_balloons(canvas, scene, colours, light)
    step(1)
    if scene.mountains:
        paint_mountains(canvas, scene, colours, light)
    if scene.city:
        paint_city(canvas, scene, colours, light, base=light.horizon)
    step(2)
    if scene.water:
        _shore(canvas, scene, colours, light)
    elif scene.dunes:
        paint_dunes(canvas, scene, colours, light)
    else:
        _fields(canvas, scene, colours, light)
    if scene.birds:
        paint_birds(canvas, colours, light)
    step(3)
    paint_weather(canvas, scene, colours)


def _shore(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    """What stands at the water's edge, the water that mirrors it, and what floats on it."""
    shore = light.horizon + 0.015
    if scene.forest:
        paint_forest(canvas, scene, colours, light, base=light.horizon - 0.015, end=light.horizon + 0.02)
    if scene.cabin:
        paint_cabin(canvas, scene, colours, ground=light.horizon + 0.012)
    if scene.lighthouse:
        paint_lighthouse(canvas, scene, colours, shore=light.horizon)
    paint_water(canvas, scene, colours, light, shore=shore)
    if scene.boat:
        paint_boat(canvas, scene, colours, shore=shore)


def _fields(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    """Hills, and what grows or stands on them."""
    start = ground = light.horizon + (0.02 if scene.mountains or scene.city else 0.0)
    if scene.hills or not scene.forest:
        ground = float(paint_hills(canvas, scene, colours, light, start=start)[1].mean())
    if scene.cabin:
        paint_cabin(canvas, scene, colours, ground=ground)
    if scene.forest:
        paint_forest(canvas, scene, colours, light, base=start + (0.12 if scene.hills else 0.0), end=1.16)
    if scene.flowers:
        paint_flowers(canvas, scene, colours, start=start + 0.12)


def _horizon(scene: Scene, rng: np.random.Generator) -> float:
    if scene.water:
        return float(rng.uniform(0.56, 0.64))
    if scene.city:
        return float(rng.uniform(0.8, 0.88))
    if scene.flowers or scene.dunes:
        return float(rng.uniform(0.46, 0.54))
    return float(rng.uniform(0.55, 0.64))
