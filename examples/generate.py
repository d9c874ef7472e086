"""Mutoscope's own client: ask what it costs, paint a picture, enlarge it, save both, and see what is left.

    python generate.py "a lighthouse at dusk" out

MUTOSCOPE_URL and MUTOSCOPE_API_KEY say where the service is and whose credits are spent; `make run` prints both.
"""

import argparse
import os
from pathlib import Path

from mutoscope.client import Client, Generation

PAINTER, UPSCALER = "painter", "upscale"  # names of the catalog: [models.painter] and [models.upscale]


def main() -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(description="A paid picture from a prompt, and a larger one.")
    parser.add_argument("prompt")
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)

    with Client(os.environ["MUTOSCOPE_URL"], os.environ["MUTOSCOPE_API_KEY"]) as client:
        request = {"prompt": given.prompt}
        print(f"it will cost at most {client.quote(PAINTER, request).credits} credits")
        picture = completed(client.generate(PAINTER, request))
        print(f"painted for {picture.credits.charged}: {save(client, picture, given.folder / 'picture.png')}")
        # A stored file's link is input like any other, if the provider can reach this service.
        larger = completed(client.generate(UPSCALER, {"image": picture.files[0].url, "scale": 2}))
        print(f"enlarged for {larger.credits.charged}: {save(client, larger, given.folder / 'larger.png')}")
        for balance in client.credits():
            print(f"left: {balance.available} of {balance.credit_type}")


def completed(generation: Generation) -> Generation:
    """The generation, or why there is none; then nothing was charged."""
    if generation.failure:
        raise SystemExit(f"{generation.id} {generation.status}: {generation.failure.detail}")
    return generation


def save(client: Client, generation: Generation, path: Path) -> Path:
    """Download the generation's first file, checked against its hash."""
    return client.download(generation.files[0], path)


if __name__ == "__main__":
    main()
