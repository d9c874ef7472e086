"""Finds models and collections by the words of a query. A word counts more in a name than in a description."""

import re
from collections.abc import Iterable

from mutoscope.replicate_protocol.collections import CollectionItem
from mutoscope.replicate_protocol.models import Model

_WORD = re.compile(r"[^\W_]+")
_NAME_WEIGHT, _TEXT_WEIGHT = 3.0, 1.0


def find_models(query: str, models: Iterable[Model]) -> list[tuple[Model, float]]:
    """Models that fit, the best first, each with a score from 0 (excluded) to 1."""
    scored = [(one, _score(query, f"{one.owner} {one.name}", one.description or "")) for one in models]
    return sorted(((one, score) for one, score in scored if score), key=lambda found: -found[1])


def find_collections(query: str, collections: Iterable[CollectionItem]) -> list[CollectionItem]:
    """Collections that fit, the best first."""
    scored = [(one, _score(query, f"{one.name} {one.slug}", one.description)) for one in collections]
    return [one for one, score in sorted(scored, key=lambda found: -found[1]) if score]


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def _score(query: str, name: str, text: str) -> float:
    """How much of the query is found: every word may add its weight, a beginning of a word half of it."""
    wanted = words(query)
    if not wanted:
        return 0.0
    weight = sum(max(_NAME_WEIGHT * _fit(word, name), _TEXT_WEIGHT * _fit(word, text)) for word in wanted)
    return round(weight / (_NAME_WEIGHT * len(wanted)), 4)


def _fit(word: str, text: str) -> float:
    there = words(text)
    if word in there:
        return 1.0
    return 0.5 if any(one.startswith(word) for one in there) else 0.0
