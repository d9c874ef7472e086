"""Abstract pictures: paint that was poured and folded, in the colours of the prompt."""

import numpy as np

from mutoscope.runner.painter.canvas import Array, Canvas, colour, mix, shift, smoothstep
from mutoscope.runner.painter.scene import Scene

_SETS = (
    ("#0b2545", "#13709a", "#f2e9dc", "#e4572e", "#f3a712"),
    ("#1d1135", "#6a2c70", "#b83b5e", "#f08a5d", "#f9ed9f"),
    ("#06302b", "#1f7a6c", "#c9e4ca", "#f4d58d", "#bf3100"),
    ("#10131c", "#2f4b7c", "#a05195", "#ff7c43", "#ffd380"),
)


def paint_abstract(canvas: Canvas, scene: Scene) -> None:
    """The whole picture."""
    rng = canvas.rng
    names = list(_SETS[int(rng.integers(len(_SETS)))])
    for index, tint in enumerate(scene.tints):
        names[(2, 1, 3)[index]] = tint
    tints = np.stack([colour(one) for one in names])
    first, second = _field(canvas, 0.7), _field(canvas, 0.7)
    folded = _warp(canvas, first, second, 0.45)
    again = _warp(canvas, folded, second, 0.3)
    value = (again - again.min()) / max(1e-6, float(again.max() - again.min()))
    flow = np.clip(value * 1.15 - 0.08, 0, 1) * (len(tints) - 1)
    for channel in range(3):
        canvas.pixels[..., channel] = np.interp(flow, np.arange(len(tints)), tints[:, channel])
    step = max(1, canvas.height // 400)
    slope_x, slope_y = again - shift(again, 0, step), again - shift(again, step, 0)
    light = np.clip((slope_x + slope_y) * 10, -0.5, 0.7)
    canvas.pixels *= (1 + 0.38 * light)[..., None]
    canvas.glow(colour("#fff6e6"), np.clip(light - 0.2, 0, 1) ** 2 * 0.9)
    veins = np.abs(np.sin(value * 34))
    canvas.blend(
        np.broadcast_to(mix(tints[0], colour("#000000"), np.float32(0.3)), canvas.pixels.shape),
        smoothstep(0.09, 0.0, veins) * 0.3,
    )
    canvas.blend(
        np.broadcast_to(colour("#e8c56a"), canvas.pixels.shape), smoothstep(0.035, 0.0, np.abs(value - 0.62)) * 0.65
    )


def _field(canvas: Canvas, size: float) -> Array:
    return canvas.noise(size, 5, 0.5)


def _warp(canvas: Canvas, field: Array, by: Array, amount: float) -> Array:
    """The field, read where another field has pushed to."""
    turn = by * 6.5
    rows = np.arange(canvas.height)[:, None] + (np.sin(turn) * amount * canvas.height * (0.4 + field)).astype(int)
    columns = np.arange(canvas.width)[None, :] + (np.cos(turn) * amount * canvas.height * (0.4 + field)).astype(int)
    rows, columns = np.abs(rows), np.abs(columns)
    rows = np.where(rows >= canvas.height, 2 * canvas.height - 2 - rows, rows).clip(0, canvas.height - 1)
    columns = np.where(columns >= canvas.width, 2 * canvas.width - 2 - columns, columns).clip(0, canvas.width - 1)
    return field[rows, columns]
