"""The collections of a runner: its models, sorted by what they are good for."""

from collections.abc import Sequence
from dataclasses import dataclass

from mutoscope.replicate_protocol.collections import CollectionItem


@dataclass(frozen=True, slots=True)
class Shown:
    """A collection, and the full names of the models in it."""

    item: CollectionItem
    models: tuple[str, ...]


def _shown(name: str, description: str, *models: str) -> Shown:
    slug = name.lower().replace(" ", "-")
    return Shown(CollectionItem(name=name, slug=slug, description=description), models)


_ALL = (
    _shown("Text to image", "Pictures from words.", "mutoscope/painter"),
    _shown("Super resolution", "Upscaling models that make pictures larger.", "mutoscope/upscale"),
    _shown("Language models", "Models that write text, piece by piece.", "mutoscope/scribe"),
    _shown("Trainable language models", "Models that can be trained on a text.", "mutoscope/scribe"),
    _shown("Detect nsfw content", "Models that judge pictures.", "mutoscope/classify-safety"),
    _shown("Test models", "For developing and testing clients.", "mutoscope/echo"),
)


def collections(offered: Sequence[str]) -> list[Shown]:
    """The collections that have a model among the full names that are offered, with those models."""
    kept = [Shown(one.item, tuple(name for name in one.models if name in offered)) for one in _ALL]
    return [one for one in kept if one.models]
