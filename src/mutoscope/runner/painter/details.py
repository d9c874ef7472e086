"""The small things that a prompt names: flowers, birds, boats, balloons."""

import numpy as np

from mutoscope.runner.painter.canvas import Canvas, colour, mix
from mutoscope.runner.painter.palette import Palette
from mutoscope.runner.painter.scene import Scene
from mutoscope.runner.painter.sky import Light

_PETALS = ("#e8505b", "#f2c14e", "#f7f3ee", "#b67fd6", "#f08fb0", "#6f8fe0")
_BLOOMS = {
    "lavender": "#8a6ad0",
    "poppies": "#d8342b",
    "sunflowers": "#f2b61f",
    "tulips": "#e0455a",
    "roses": "#cf3f5c",
    "blossom": "#f3c3d2",
}
_BALLOONS = ("#d8443c", "#e9a13b", "#3f7fb5", "#7a4f9a", "#3c9a7a")


def paint_flowers(canvas: Canvas, scene: Scene, colours: Palette, *, start: float) -> None:
    """A meadow in bloom: drifts of one colour each, small far away and large at the feet."""
    rng = canvas.rng
    named = [tint for word, tint in _BLOOMS.items() if word in scene.understood] or [*scene.tints, *_PETALS][:4]
    tints = [colour(one) for one in named]
    dense = 2 if len(tints) == 1 else 1
    dim = 0.4 if scene.night else 0.95
    drift = canvas.noise(0.35, 3, stretch=2.5)
    for tint in tints:
        drawing, hearts = canvas.drawing(), canvas.drawing()
        wanted = float(rng.uniform(0.38, 0.62))
        for _ in range(int(900 * canvas.aspect * dense)):
            near = float(rng.random()) ** 0.8
            x, y = float(rng.uniform(0, canvas.aspect)), start + 0.04 + (1.04 - start - 0.04) * near**1.5
            row, column = min(int(y * canvas.height), canvas.height - 1), min(int(x * canvas.height), canvas.width - 1)
            if abs(float(drift[row, column]) - wanted) > (0.1 + 0.05 * near) * dense:
                continue
            size = 0.0018 + 0.0085 * near**2 * float(rng.uniform(0.6, 1.2))
            ink = int(rng.integers(150, 256))
            if near < 0.55:
                drawing.disc(x, y, size, flat=0.72, ink=ink)
                continue
            turn = float(rng.uniform(0, 6.3))
            for petal in np.linspace(turn, turn + 2 * np.pi, 5, endpoint=False):
                drawing.disc(x + np.cos(petal) * size * 0.6, y + np.sin(petal) * size * 0.42, size * 0.52, ink=ink)
            hearts.disc(x, y, size * 0.3, flat=0.8)
        canvas.blend(
            np.broadcast_to(mix(colours.haze * 0.2, tint, np.float32(0.92)) * dim, canvas.pixels.shape), drawing.mask()
        )
        canvas.blend(np.broadcast_to(colour("#f0c84a") * dim, canvas.pixels.shape), hearts.mask() * 0.8)


def paint_birds(canvas: Canvas, colours: Palette, light: Light) -> None:
    """A loose flock."""
    rng, drawing = canvas.rng, canvas.drawing()
    middle_x, middle_y = canvas.aspect * float(rng.uniform(0.3, 0.7)), light.horizon * float(rng.uniform(0.35, 0.6))
    for _ in range(int(rng.integers(7, 14))):
        x, y = middle_x + float(rng.normal(0, 0.11)), middle_y + float(rng.normal(0, 0.05))
        span, lift = float(rng.uniform(0.009, 0.019)), float(rng.uniform(-0.2, 0.75))
        for side in (-1, 1):
            wing = [
                (x, y),
                (x + side * span * 0.5, y - span * 0.42 * lift - span * 0.1),
                (x + side * span, y - span * 0.1 * lift),
            ]
            drawing.stroke(wing, 0.0019)
    canvas.blend(
        np.broadcast_to(mix(colours.shadow, colours.haze, np.float32(0.2)), canvas.pixels.shape), drawing.mask() * 0.9
    )


def paint_boat(canvas: Canvas, scene: Scene, colours: Palette, *, shore: float) -> None:
    """A sailing boat in the middle distance, with its reflection."""
    rng = canvas.rng
    x, size = canvas.aspect * float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.1, 0.14))
    deck = shore + 0.055 + 0.05 * float(rng.random())
    for mirrored in (-1, 1):
        sails, hull = canvas.drawing(), canvas.drawing()

        def at(across: float, up: float, mirrored: int = mirrored) -> tuple[float, float]:
            squeeze = 1.0 if mirrored > 0 else 0.75
            return x + across * size, deck - mirrored * up * size * squeeze

        sails.polygon([at(0.02, 0.98), at(0.04, 0.3), at(0.08, 0.12), at(0.52, 0.12)])
        sails.polygon([at(-0.01, 0.9), at(-0.06, 0.4), at(-0.3, 0.12), at(-0.01, 0.12)])
        hull.polygon([at(-0.42, 0.08), at(0.5, 0.08), at(0.38, -0.06), at(-0.3, -0.06)])
        hull.stroke([at(0.005, 0), at(0.005, 1.0)], 0.0022)
        share = 1.0 if mirrored > 0 else 0.3
        sail = mix(colours.light, colour("#fbf7ee"), np.float32(0.5)) * (0.45 if scene.night else 0.98)
        canvas.blend(np.broadcast_to(sail, canvas.pixels.shape), sails.mask() * share)
        canvas.blend(np.broadcast_to(colours.shadow * 0.7, canvas.pixels.shape), hull.mask() * share)


def paint_balloons(canvas: Canvas, scene: Scene, colours: Palette, light: Light) -> None:
    """Hot-air balloons, the far ones small and pale."""
    rng = canvas.rng
    for near in (0.3, 0.55, 1.0):
        x, radius = canvas.aspect * float(rng.uniform(0.15, 0.85)), 0.085 * near
        y = light.horizon * float(rng.uniform(0.25, 0.62))
        tint = colour(_BALLOONS[int(rng.integers(len(_BALLOONS)))])
        drawing, basket = canvas.drawing(), canvas.drawing()
        drawing.disc(x, y, radius)
        drawing.polygon(
            [
                (x - radius * 0.93, y + radius * 0.36),
                (x + radius * 0.93, y + radius * 0.36),
                (x + radius * 0.16, y + radius * 1.35),
                (x - radius * 0.16, y + radius * 1.35),
            ]
        )
        basket.box(x - radius * 0.13, y + radius * 1.62, x + radius * 0.13, y + radius * 1.84)
        for side in (-1, 1):
            basket.stroke(
                [(x + side * radius * 0.15, y + radius * 1.34), (x + side * radius * 0.11, y + radius * 1.64)], 0.0012
            )
        across = (canvas.x - x) / radius * np.ones_like(canvas.y)
        stripes = (np.sin(np.arcsin(np.clip(across, -1, 1)) * 7) > 0)[..., None]
        side = 1 if light.x > x else -1
        lit = np.clip(0.72 + 0.4 * across * side - 0.25 * (canvas.y - y) / radius, 0.25, 1.15)[..., None]
        paint = mix(tint, colour("#f7efe0"), stripes * 0.85) * lit * (0.35 if scene.night else 1)
        canvas.blend(mix(colours.haze, paint, np.float32(0.45 + 0.5 * near)), drawing.mask())
        canvas.blend(np.broadcast_to(colours.shadow, canvas.pixels.shape), basket.mask() * (0.4 + 0.6 * near))
