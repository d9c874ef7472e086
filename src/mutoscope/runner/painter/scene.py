"""What the words of a prompt ask for. Words that mean nothing here only steer the dice."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

_WORDS: dict[str, dict[str, Any]] = {
    "dawn morning sunrise daybreak": {"time": "dawn"},
    "day noon midday daylight sunny summer": {"time": "day"},
    "sunset evening golden afternoon": {"time": "sunset"},
    "dusk twilight blue-hour": {"time": "dusk"},
    "night midnight nocturnal dark starry moonlit moonlight": {"time": "night"},
    "moon moonrise moonlit moonlight lunar crescent": {"moon": True},
    "stars star starry constellation milky": {"stars": True, "time": "night"},
    "aurora northern borealis": {"aurora": True, "time": "night", "stars": True},
    "storm stormy thunder lightning tempest": {"weather": "storm"},
    "rain rainy drizzle wet": {"weather": "rain"},
    "snow snowy snowfall blizzard": {"weather": "snow", "season": "winter"},
    "winter ice icy frozen frost arctic": {"season": "winter"},
    "fog foggy mist misty haze hazy": {"weather": "fog"},
    "cloud clouds cloudy overcast": {"clouds": 0.75},
    "clear cloudless": {"clouds": 0.0},
    "autumn fall october maple": {"season": "autumn"},
    "spring blossom cherry sakura": {"season": "spring", "flowers": True},
    "mountain mountains alps alpine peak peaks fjord summit himalaya cliffs volcano": {"mountains": True},
    "hill hills valley countryside meadow field fields farm prairie grass": {"hills": True},
    "vineyard tuscany village pasture": {"hills": True, "cabin": True},
    "desert dune dunes sahara sand arabia mars": {"dunes": True},
    "forest woods woodland jungle trees pine pines fir spruce": {"forest": True},
    "sea ocean beach coast shore island bay harbor harbour waves": {"water": "sea"},
    "lake pond reflection river stream fjord lagoon water": {"water": "lake"},
    "city skyline town street downtown metropolis tokyo york paris london urban skyscraper skyscrapers": {"city": True},
    "neon cyberpunk synthwave futuristic blade": {"neon": True, "city": True, "time": "night"},
    "flower flowers garden tulips lavender poppies roses sunflowers wildflowers": {"flowers": True, "hills": True},
    "boat boats ship sail sailboat sailing yacht regatta": {"boat": True, "water": "sea"},
    "bird birds seagull gulls geese flock": {"birds": True},
    "balloon balloons": {"balloon": True},
    "cabin house cottage hut home": {"cabin": True},
    "lighthouse": {"lighthouse": True, "water": "sea"},
    "ringed rings saturn": {"rings": True, "kind": "space"},
    "space galaxy nebula cosmos cosmic universe planet planets astronaut spaceship interstellar": {"kind": "space"},
    "underwater reef coral fish jellyfish submarine whale diving abyss": {"kind": "deep"},
    "abstract pattern fluid marble psychedelic texture swirl swirls generative geometric dream": {"kind": "abstract"},
}
COLOURS: dict[str, str] = {
    "red": "#c8352b",
    "crimson": "#a3122a",
    "orange": "#e8772e",
    "gold": "#e0a82e",
    "golden": "#e0a82e",
    "yellow": "#f0cf4a",
    "green": "#3f8f4f",
    "emerald": "#1f8f6a",
    "teal": "#1f8a8c",
    "turquoise": "#36b5b0",
    "cyan": "#3fc4dd",
    "blue": "#2f62b8",
    "indigo": "#3b3a98",
    "purple": "#7a3fa0",
    "violet": "#8250b8",
    "magenta": "#c03a9a",
    "pink": "#ec86a8",
    "rose": "#dd6f86",
    "white": "#f2f0ec",
    "grey": "#8a8f96",
    "gray": "#8a8f96",
    "black": "#15161b",
}
_MEANING = {word: asks for words, asks in _WORDS.items() for word in words.split()}


@dataclass(frozen=True)
class Scene:
    """One composition, before any pixel."""

    kind: str = "landscape"
    time: str = ""
    weather: str = "clear"
    season: str = "summer"
    clouds: float = -1.0
    moon: bool = False
    stars: bool = False
    aurora: bool = False
    mountains: bool = False
    hills: bool = False
    dunes: bool = False
    forest: bool = False
    city: bool = False
    neon: bool = False
    flowers: bool = False
    water: str = ""
    boat: bool = False
    birds: bool = False
    balloon: bool = False
    cabin: bool = False
    lighthouse: bool = False
    rings: bool = False
    tints: tuple[str, ...] = ()
    understood: tuple[str, ...] = field(default=())

    @property
    def night(self) -> bool:
        """Whether the sun is far below the horizon."""
        return self.time == "night"


def read_prompt(prompt: str, rng: np.random.Generator) -> Scene:
    """The scene of a prompt; what it leaves open is decided by the dice."""
    scene = Scene()
    words = re.findall(r"[a-z]+(?:-[a-z]+)*", prompt.lower())
    understood: list[str] = []
    for word in words:
        asks = _MEANING.get(word) or _MEANING.get(word.removesuffix("s"))
        if asks:
            scene = replace(scene, **asks)
        if asks or word in COLOURS:
            understood.append(word)
    tints = tuple(dict.fromkeys(COLOURS[word] for word in words if word in COLOURS))[:3]
    return _complete(replace(scene, tints=tints, understood=tuple(dict.fromkeys(understood))), rng)


def _complete(scene: Scene, rng: np.random.Generator) -> Scene:
    time = scene.time or str(rng.choice(["night"] if scene.moon else ["dawn", "day", "sunset", "sunset", "dusk"]))
    clouds = float(rng.uniform(0.15, 0.55)) if scene.clouds < 0 else scene.clouds
    if scene.weather in {"storm", "rain"}:
        clouds = max(clouds, 0.85)
    if scene.city and not (scene.hills or scene.dunes or scene.water):
        scene = replace(scene, water="lake")
    stars = scene.stars or (time == "night" and scene.weather == "clear")
    scene = replace(scene, time=time, clouds=clouds, stars=stars, moon=_moon(scene, time, rng))
    if scene.kind != "landscape" or any(
        (scene.mountains, scene.hills, scene.dunes, scene.forest, scene.city, scene.water),
    ):
        return scene
    grounds: list[dict[str, Any]] = [
        {"mountains": True, "water": "lake"},
        {"mountains": True, "forest": True},
        {"hills": True, "flowers": scene.season != "winter"},
        {"water": "sea", "birds": not scene.night},
    ]
    return replace(scene, **grounds[int(rng.integers(3 if scene.cabin else 4))])


def _moon(scene: Scene, time: str, rng: np.random.Generator) -> bool:
    return scene.moon or (time == "night" and not scene.aurora and not scene.neon and bool(rng.random() < 0.7))
