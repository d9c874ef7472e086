"""Reads and writes pictures for the models, within bounds."""

import io
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from mutoscope.runner.models.base import ModelFailed

MAX_PIXELS = 4 * 2**20


def read_picture(data: bytes) -> Image.Image:
    """The picture in ``data``, upright and in RGB. Raises ``ModelFailed`` if it is none, or has over 4 Mi pixels."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ModelFailed(
                    f"The image has {image.width}x{image.height} pixels; at most {MAX_PIXELS} are allowed."
                )
            return ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelFailed("The file input is not an image that can be read.") from error


def write_picture(image: Image.Image, path: Path, about: dict[str, str]) -> None:
    """Write by the path's extension, with ``about`` in the file: PNG text chunks, or an Exif description."""
    match path.suffix:
        case ".png":
            info = PngInfo()
            for key, text in about.items():
                info.add_itxt(key, text.replace("\0", " "))
            image.save(path, pnginfo=info)
        case _:
            exif = Image.Exif()
            exif[0x010E] = (
                "; ".join(f"{key}: {text}" for key, text in about.items()).encode("ascii", "replace").decode()
            )
            image.save(path, quality=92, exif=exif, method=4)
