"""The last touches: bloom, a soft curve, a vignette, film grain, and down to the final size."""

import numpy as np
from PIL import Image, ImageFilter

from mutoscope.runner.painter.canvas import SUPERSAMPLING, Canvas, smoothstep


def finish(canvas: Canvas) -> Image.Image:
    """The picture as it is saved."""
    _bloom(canvas)
    pixels = canvas.pixels
    pixels = np.where(pixels > 0.8, 0.8 + 0.2 * np.tanh((pixels - 0.8) / 0.2 * 0.9), pixels)
    pixels = pixels + (smoothstep(0, 1, np.clip(pixels, 0, 1)) - pixels) * 0.22
    away = np.sqrt(((canvas.x - canvas.aspect / 2) / max(canvas.aspect, 1)) ** 2 + (canvas.y - 0.5) ** 2)
    pixels = pixels * (1 - 0.3 * smoothstep(0.35, 0.85, away))[..., None]
    grain = canvas.rng.normal(0, 0.022, pixels.shape[:2]).astype(np.float32)
    pixels = pixels + (grain * (0.5 + 0.5 * (1 - pixels.mean(axis=2))))[..., None]
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    return image.reduce(SUPERSAMPLING)


def _bloom(canvas: Canvas) -> None:
    """Light that spills over from what is very bright."""
    small = Image.fromarray((np.clip(canvas.pixels - 0.72, 0, 0.6) / 0.6 * 255).astype(np.uint8)).reduce(4)
    wide = small.filter(ImageFilter.GaussianBlur(canvas.height / 120)).resize(
        (canvas.width, canvas.height), Image.Resampling.BILINEAR
    )
    canvas.pixels += np.asarray(wide, dtype=np.float32) / 255 * 0.32
