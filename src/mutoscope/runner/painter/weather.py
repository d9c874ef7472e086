"""What is between the eye and the scene: rain, snow and fog."""

import numpy as np

from mutoscope.runner.painter.canvas import Canvas, colour, smoothstep
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene


def paint_weather(canvas: Canvas, scene: Scene, colours: Palette) -> None:
    """Lay the weather over the finished scene."""
    match scene.weather:
        case "rain" | "storm":
            _rain(canvas)
        case "snow":
            _snow(canvas)
        case "fog":
            banks = canvas.noise(0.4, 5, stretch=4)
            thick = smoothstep(0.35, 0.75, banks) * smoothstep(0.2, 0.7, canvas.y) * 0.5
            canvas.blend(np.broadcast_to(colours.haze, canvas.pixels.shape), thick)
        case _:
            return
    if scene.weather == "storm":
        _lightning(canvas)


def _rain(canvas: Canvas) -> None:
    rng, drawing = canvas.rng, canvas.drawing()
    lean = float(rng.uniform(-0.25, 0.25))
    for _ in range(int(900 * canvas.aspect)):
        x, y, length = (
            float(rng.uniform(-0.2, canvas.aspect + 0.2)),
            float(rng.uniform(-0.1, 1)),
            float(rng.uniform(0.015, 0.05)),
        )
        drawing.stroke([(x, y), (x + lean * length, y + length)], 0.0009, ink=int(rng.integers(60, 190)))
    canvas.glow(colour("#c9d6e4"), drawing.mask() * 0.32)


def _snow(canvas: Canvas) -> None:
    rng = canvas.rng
    for size, count, strength in ((0.0014, 1100, 0.65), (0.0028, 420, 0.8), (0.006, 70, 0.55)):
        drawing = canvas.drawing()
        for _ in range(int(count * canvas.aspect)):
            radius = size * float(rng.uniform(0.6, 1.4))
            drawing.disc(
                float(rng.uniform(0, canvas.aspect)), float(rng.random()), radius, ink=int(rng.integers(120, 256))
            )
        canvas.blend(np.broadcast_to(colour("#f6f9fd"), canvas.pixels.shape), drawing.mask() * strength)


def _lightning(canvas: Canvas) -> None:
    rng, drawing, bright = canvas.rng, canvas.drawing(), canvas.drawing()
    x, y = canvas.aspect * float(rng.uniform(0.2, 0.8)), 0.02
    points = [(x, y)]
    while y < 0.5:
        x, y = x + float(rng.normal(0, 0.022)), y + float(rng.uniform(0.015, 0.04))
        points.append((x, y))
        if rng.random() < 0.3:
            fork = [(x, y), (x + float(rng.normal(0, 0.05)), y + 0.05), (x + float(rng.normal(0, 0.08)), y + 0.09)]
            bright.stroke(fork, 0.0012, ink=150)
    bright.stroke(points, 0.0024)
    drawing.stroke(points, 0.02)
    canvas.glow(colour("#b9c8ff"), drawing.mask() * 0.18)
    canvas.blend(np.broadcast_to(colour("#f6f4ff") * 1.2, canvas.pixels.shape), bright.mask())
