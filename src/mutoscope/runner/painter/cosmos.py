"""Space: stars, a nebula in the colours of the prompt, and a planet, perhaps with rings."""

import numpy as np

from mutoscope.runner.painter.canvas import Array, Canvas, colour, mix, smoothstep
from mutoscope.runner.painter.scene import Scene
from mutoscope.runner.painter.sky import distance, paint_stars

_NEBULAE = (("#3a1c71", "#d76d77", "#ffd194"), ("#0b3a5b", "#2fb6c4", "#d6f5e3"), ("#2b0f54", "#ab1f65", "#ff9a6b"))


def paint_space(canvas: Canvas, scene: Scene) -> None:
    """The whole picture."""
    rng = canvas.rng
    tints = [colour(one) for one in (scene.tints or _NEBULAE[int(rng.integers(len(_NEBULAE)))])]
    while len(tints) < 3:
        tints.append(mix(tints[-1], colour("#fff1d8"), np.float32(0.55)))
    canvas.pixels[:] = colour("#04050d") + colour("#0a0d22") * canvas.noise(0.8, 3)[..., None]
    warp = canvas.noise(0.5, 4)
    for tint, size, strength in zip(tints, (0.75, 0.5, 0.32), (0.42, 0.32, 0.26), strict=False):
        gas = canvas.noise(size, 8, 0.58)
        folded = 1 - np.abs(2 * gas - 1)
        body = smoothstep(0.52, 1.05, folded * (0.5 + 0.95 * warp)) ** 1.25
        canvas.glow(tint, body * strength)
    dust = smoothstep(0.52, 0.72, canvas.noise(0.4, 7, 0.6))
    canvas.pixels *= (1 - 0.62 * dust)[..., None]
    paint_stars(canvas, 1.6, dense=True)
    _planet(canvas, tints, rings=scene.rings or bool(rng.random() < 0.4))


def _planet(canvas: Canvas, tints: list[Array], *, rings: bool) -> None:
    rng = canvas.rng
    x, y = canvas.aspect * float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.45, 0.75))
    radius = float(rng.uniform(0.14, 0.24))
    far = distance(canvas, x, y)
    disc = smoothstep(radius + canvas.pixel, radius - canvas.pixel, far)
    across, up = (canvas.x - x) / radius, (canvas.y - y) / radius
    bulge = np.sqrt(np.clip(1 - across**2 - up**2, 0, 1))
    sun = np.clip(across * -0.6 + up * -0.45 + bulge * 0.66, 0, 1) ** 0.8
    tilt = up + across * 0.3
    bands = canvas.noise(0.1, 5, stretch=6) * 0.5 + 0.5 * (
        0.5 + 0.5 * np.sin(tilt * 15 + 3 * canvas.noise(0.2, 4, stretch=3))
    )
    skin = mix(
        mix(tints[0], colour("#f2e2c8"), np.float32(0.35)),
        mix(tints[1], colour("#7a5a48"), np.float32(0.3)),
        bands[..., None],
    )
    shade = (0.03 + 1.05 * sun)[..., None]
    rim = np.exp(-np.abs(far - radius) / 0.012) * np.clip(-0.6 * across - 0.45 * up, 0, 1)
    canvas.blend(skin * shade, disc)
    canvas.glow(mix(tints[1], colour("#cfe4ff"), np.float32(0.6)), rim * 0.55)
    if rings:
        flat = np.sqrt((across + 0.3 * up) ** 2 + ((up - 0.3 * across) * 3.6) ** 2)
        grooves = 0.55 + 0.45 * np.sin(flat * 46 + 2 * np.sin(flat * 11))
        ring = smoothstep(1.32, 1.38, flat) * smoothstep(2.15, 2.05, flat) * grooves
        front = (up - 0.3 * across > 0) | (far > radius)
        canvas.blend(np.broadcast_to(colour("#e6d3b3"), canvas.pixels.shape) * 0.85, ring * front * 0.75)
