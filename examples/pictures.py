"""A script for Replicate: paint a picture, enlarge it, have a file judged, and tell a story as it is written.

    pip install replicate
    python pictures.py "a lighthouse at dusk" out

It uses nothing but Replicate's own client, which reads where to go and as whom from the environment:
REPLICATE_BASE_URL (https://api.replicate.com where it is not set) and REPLICATE_API_TOKEN.
"""

import argparse
from pathlib import Path
from typing import Any

import httpx
import replicate

PAINTER = "mutoscope/painter"  # at Replicate: black-forest-labs/flux-schnell
UPSCALER = "mutoscope/upscale"  # at Replicate: nightmareai/real-esrgan:VERSION
JUDGE = "mutoscope/classify-safety"  # at Replicate: falcons-ai/nsfw_image_detection:VERSION
WRITER = "mutoscope/scribe"  # at Replicate: meta/meta-llama-3-8b-instruct
WRITER_INPUT = {"max_tokens": 40, "tokens_per_second": 10}  # the speed is the local writer's own: leave it out there


def save(output: Any, path: Path) -> Path:
    """Keep a file that a model made. The client makes a FileOutput of a link to https; one to http is left a link."""
    data = httpx.get(output).raise_for_status().content if isinstance(output, str) else output.read()
    path.write_bytes(data)
    return path


def paint(prompt: str, folder: Path) -> Path:
    """Text to image."""
    [picture] = replicate.run(PAINTER, input={"prompt": prompt, "num_outputs": 1, "output_format": "png"})
    return save(picture, folder / "picture.png")


def enlarge(picture: Path, folder: Path) -> Path:
    """A file of this machine as input: the client uploads it."""
    with picture.open("rb") as file:
        larger = replicate.run(UPSCALER, input={"image": file, "scale": 2})
    return save(larger, folder / "larger.png")


def judge(picture: Path) -> Any:
    """A file as input, and no file as output."""
    with picture.open("rb") as file:
        return replicate.run(JUDGE, input={"image": file})


def tell(prompt: str) -> int:
    """Text, shown as it comes. Gives the number of pieces."""
    pieces = 0
    for event in replicate.stream(WRITER, input={"prompt": prompt, **WRITER_INPUT}):
        print(event, end="", flush=True)
        pieces += str(event) != ""
    print()
    return pieces


def main() -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(description="Pictures and a story from a prompt.")
    parser.add_argument("prompt")
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)

    picture = paint(given.prompt, given.folder)
    print(f"painted: {picture}")
    print(f"enlarged: {enlarge(picture, given.folder)}")
    print(f"judged: {judge(picture)}")
    print(f"told in {tell(given.prompt)} pieces")


if __name__ == "__main__":
    main()
