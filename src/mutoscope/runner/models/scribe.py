"""``mutoscope/scribe``: text from a prompt, word by word, by a chain of word pairs. It is not AI, and says so.

It is here for what is like a language model about it: it streams, the same seed and prompt give the same text, and it
can be trained: a training counts which word follows which in a text, and those counts are the weights.
"""

import asyncio
import json
import random
import zlib
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from mutoscope.runner.models.base import Job, Model, ModelFailed, Sink, Trainer, progress_line
from mutoscope.runner.models.cog_schema import TEXT_ITERATOR, Field, openapi_schema
from mutoscope.runner.models.context import read_input

NOT_AI = "a chain of word pairs, not AI"
Chain = dict[str, list[str]]

FIELDS = (
    Field("prompt", "string", "What to go on from: the last word that it knows.", default="", max_length=2**20),
    Field("seed", "integer", "The same seed and prompt give the same text.", default=0),
    Field("max_tokens", "integer", "How many words to write.", default=60, minimum=1, maximum=20_000),
    Field("tokens_per_second", "number", "How fast; 0 is as fast as it can.", default=0, minimum=0, maximum=10_000),
)
TRAINING_FIELDS = (
    Field("train_data", "string", "A text, or the URL of one, to learn word pairs from.", format="uri"),
    Field("steps", "integer", "How many steps the progress shows.", default=10, minimum=1, maximum=1000),
    Field("seconds", "number", "How long to take.", default=0, minimum=0, maximum=600),
)

_TEXT = """
A mutoscope is a machine that shows pictures. You put in a coin, you turn the crank, and the cards fall one after
another, so fast that the picture moves. When you stop, the picture stops. When you turn back, the picture runs back.
The cards are photographs on a wheel, and the wheel is as large as a plate. There is a lamp above the cards and a lens
before your eyes. Nobody else sees what you see. The machine stood at the sea, in the arcade, between the scales and
the fortune teller. A coin bought a minute. If the wheel stuck, the man who kept the machines gave the coin back,
because a picture that nobody saw was a picture that nobody paid for. The coin, the crank and the picture are all
there is, and the picture is what you came for.
"""


async def predict(job: Job, sink: Sink) -> Any:
    """Write one text."""
    chain = _read_chain(job.weights) if job.weights else _chain(_TEXT)
    prompt, seed, count = str(job.input["prompt"]), int(job.input["seed"]), int(job.input["max_tokens"])
    pause_s = 1 / float(job.input["tokens_per_second"]) if job.input["tokens_per_second"] else 0.0
    sink.started()
    sink.log(f"mutoscope/scribe is {NOT_AI}.\nUsing seed: {seed}\n")
    loop = asyncio.get_running_loop()
    began, words = loop.time(), write(chain, prompt, seed, count)
    for index, word in enumerate(words):
        await asyncio.sleep(max(0.0, began + index * pause_s - loop.time()))
        sink.append(word if index == 0 else f" {word}")
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]


def write(chain: Chain, prompt: str, seed: int, count: int) -> list[str]:
    """So many words, each one that has followed the word before; the same arguments, the same words."""
    dice = random.Random(zlib.crc32(f"{seed}/{prompt}".encode()))  # noqa: S311 - reproducible on purpose
    known = [word for word in prompt.split() if word in chain]
    word = known[-1] if known else dice.choice(sorted(chain))
    words: list[str] = []
    while len(words) < count:
        word = dice.choice(chain.get(word) or sorted(chain))
        words.append(word)
    return words


async def train(job: Job, sink: Sink) -> Any:
    """Count the word pairs of a text and write them down."""
    url, steps = str(job.input["train_data"]), int(job.input["steps"])
    sink.started()
    sink.log(f"mutoscope/scribe learns by counting: it is {NOT_AI}.\n")
    data = await asyncio.to_thread(read_input, url, job.uploads, lambda: None)
    if not (chain := _chain(data.decode(errors="replace"))):
        raise ModelFailed("The training text has fewer than two words.")
    loop = asyncio.get_running_loop()
    began = loop.time()
    for step in range(1, steps + 1):
        await asyncio.sleep(float(job.input["seconds"]) / steps)
        sink.log(progress_line(step, steps, loop.time() - began))
    path, link = job.file("weights.json")
    path.write_text(json.dumps(chain, sort_keys=True))
    return link


def _chain(text: str) -> Chain:
    words, chain = text.split(), Chain()
    for word, following in pairwise(words):
        chain.setdefault(word, []).append(following)
    return chain


@lru_cache(maxsize=16)
def _read_chain(path: str) -> Chain:
    return json.loads(Path(path).read_text())


MODEL = Model(
    owner="mutoscope",
    name="scribe",
    description=f"Text that comes word by word ({NOT_AI}): for trying streams, and trainings that take no time.",
    openapi_schema=openapi_schema(FIELDS, TEXT_ITERATOR, TRAINING_FIELDS),
    predictor=predict,
    trainer=Trainer(train),
)
