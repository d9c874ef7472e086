import pytest
from PIL import ImageStat

from mutoscope.runner.painter.paint import STEPS, paint


@pytest.mark.parametrize(
    "prompt",
    [
        "neon city in the rain",
        "snowy forest with a cabin",
        "stormy sea, lighthouse, lightning",
        "desert dunes at night",
        "flower meadow with balloons and birds",
        "aurora over a frozen lake",
        "a ringed planet",
        "coral reef",
        "abstract swirls of teal",
        "sailing boat in the fog",
        "autumn forest by a lake",
        "",
        "zzz \x00 ☂ " * 500,
    ],
)
def test_every_scene_can_be_painted(prompt: str) -> None:
    steps: list[int] = []
    image, _ = paint(prompt, 3, (264, 256), steps.append)
    assert image.size == (264, 256)
    assert steps[-1] == STEPS
    assert steps == sorted(steps)
    assert min(ImageStat.Stat(image).stddev) > 4
