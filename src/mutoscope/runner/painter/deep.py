"""Under water: light that falls in shafts, a reef in layers, weeds, bubbles and a shoal."""

import numpy as np

from mutoscope.runner.painter.canvas import Canvas, Drawing, colour, mix, smoothstep
from mutoscope.runner.painter.scene import Scene

_CORALS = ("#e8605a", "#f0a04b", "#c85a9a", "#7d6fd0", "#4fb0a0")


def paint_deep(canvas: Canvas, scene: Scene) -> None:
    """The whole picture."""
    rng = canvas.rng
    bright = colour(scene.tints[0]) if scene.tints else colour("#5fd0d8")
    depth = canvas.y + (canvas.noise(0.6, 3, stretch=2) - 0.5) * 0.15
    water = mix(
        mix(bright, colour("#eafcf4"), np.float32(0.45)),
        bright * colour("#7fb4d8"),
        smoothstep(0, 0.35, depth)[..., None],
    )
    canvas.pixels[:] = mix(water, colour("#062238"), smoothstep(0.2, 1.1, depth)[..., None])
    x = canvas.aspect * float(rng.uniform(0.35, 0.65))
    angle = (canvas.x - x) / (canvas.y + 0.35)
    rays = np.interp(angle.ravel(), np.linspace(-3, 3, canvas.width), canvas.line(0.04, 4)).reshape(angle.shape)
    shafts = smoothstep(0.0, 0.7, rays) * smoothstep(0.95, 0.0, canvas.y) * np.exp(-np.abs(angle) / 0.9)
    canvas.glow(colour("#dffcf0"), shafts * 0.38)
    _shoal(canvas)
    for near in (0.35, 0.65, 1.0):
        _reef(canvas, near)
    bubbles = canvas.drawing()
    for _ in range(70):
        bubbles.disc(
            float(rng.uniform(0, canvas.aspect)),
            float(rng.random()),
            float(rng.uniform(0.001, 0.006)),
            ink=int(rng.integers(60, 170)),
        )
    canvas.glow(colour("#e8fffb"), bubbles.mask() * 0.5)


def _reef(canvas: Canvas, near: float) -> None:
    rng = canvas.rng
    line = 0.98 - 0.18 * (1 - near) - 0.1 * (0.5 + canvas.line(0.5, 5, 0.5))
    water, dark = colour("#1b6f8c"), colour("#031626")
    body = mix(mix(water, dark, np.float32(near)), colour("#0c3c50"), (canvas.noise(0.03, 4) * 0.7)[..., None])
    canvas.blend(body, canvas.below(line))
    for _ in range(int(10 * canvas.aspect)):
        x = float(rng.uniform(0, canvas.aspect))
        foot, size = canvas.at(line, x) + 0.02, (0.06 + 0.1 * float(rng.random())) * near
        drawing = canvas.drawing()
        (_weed if rng.random() < 0.5 else _coral)(drawing, rng, x, foot, size)
        tint = colour(_CORALS[int(rng.integers(len(_CORALS)))])
        paint = mix(
            mix(water, tint, np.float32(0.25 + 0.5 * near)),
            dark,
            smoothstep(foot - size, foot + 0.05, canvas.y)[..., None] * 0.6,
        )
        canvas.blend(np.broadcast_to(paint, canvas.pixels.shape), drawing.mask() * 0.95)


def _weed(drawing: Drawing, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    for blade in range(5):
        phase, reach = float(rng.uniform(0, 6)), size * float(rng.uniform(0.8, 1.8))
        points = [
            (x + (blade - 2) * size * 0.09 + np.sin(phase + share * 4) * size * 0.12 * share, foot - reach * share)
            for share in np.linspace(0, 1, 12)
        ]
        drawing.stroke([(float(a), float(b)) for a, b in points], size * 0.035)


def _coral(drawing: Drawing, rng: np.random.Generator, x: float, foot: float, size: float) -> None:
    stack = [(x, foot, -np.pi / 2, size * 0.42, 5)]
    while stack:
        left, down, angle, length, generation = stack.pop()
        right, up = left + np.cos(angle) * length, down + np.sin(angle) * length
        drawing.stroke([(float(left), float(down)), (float(right), float(up))], size * 0.02 * generation * 0.6)
        drawing.disc(float(right), float(up), size * 0.006 * generation)
        if generation > 1:
            stack.extend(
                (right, up, angle + turn + float(rng.normal(0, 0.16)), length * 0.74, generation - 1)
                for turn in (-0.5, 0.45)
            )


def _shoal(canvas: Canvas) -> None:
    rng, drawing = canvas.rng, canvas.drawing()
    middle_x, middle_y = canvas.aspect * float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.3, 0.5))
    side = float(rng.choice([-1.0, 1.0]))
    for _ in range(34):
        x, y = middle_x + float(rng.normal(0, 0.16)), middle_y + float(rng.normal(0, 0.07))
        size = float(rng.uniform(0.008, 0.018))
        drawing.disc(x, y, size, flat=0.42)
        drawing.polygon(
            [
                (x - side * size * 0.8, y),
                (x - side * size * 1.7, y - size * 0.5),
                (x - side * size * 1.7, y + size * 0.5),
            ]
        )
    canvas.blend(np.broadcast_to(colour("#0d4258"), canvas.pixels.shape), drawing.mask() * 0.75)
