"""The checks of ``mutoscope doctor`` that are about models.

What is wrong with the provider is said once, by its own check; its models are then not asked for, and said to be so.
"""

from collections.abc import Mapping, Sequence

from mutoscope.cli.provider_accounts import of_account, opened
from mutoscope.cli.results import Result
from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.core.settings import Settings
from mutoscope.providers.base import CreateRefused
from mutoscope.providers.replicate import Replicate
from mutoscope.replicate_protocol.references import InvalidReference
from mutoscope.replicate_protocol.schemas import input_schema


async def models(settings: Settings) -> Sequence[Result]:
    """Does the provider know every model, does its schema fit its price, and is its price the one that applies?"""
    if not settings.models:
        return [Result("models", "advice", "none are configured", "Add [models.ALIAS] to mutoscope.toml.")]
    try:
        async with opened(settings) as providers:
            return [*await _known(settings, providers), *_priced_twice(settings)]
    except ConfigurationError as error:
        return [Result("models", "failed", "cannot be looked up without a token", error.detail)]


async def _known(settings: Settings, providers: Mapping[str, Replicate]) -> Sequence[Result]:
    main = next(iter(providers))
    owners = {alias: providers[(one.accounts or (main,))[0]] for alias, one in settings.models.items()}
    ill = [one for one in providers.values() if one in owners.values() and not await _answers(one)]
    return [
        _not_checked(alias, owner) if owner in ill else await _model(settings, owner, alias)
        for alias, owner in owners.items()
    ]


async def _answers(replicate: Replicate) -> bool:
    try:
        await replicate.account()
    except MutoscopeError:
        return False
    return True


def _not_checked(alias: str, owner: Replicate) -> Result:
    return Result(
        f"model {alias}", "skipped", f"not checked, because of what is said of the {of_account('provider', owner)}"
    )


async def _model(settings: Settings, replicate: Replicate, alias: str) -> Result:
    model, name = settings.models[alias], f"model {alias}"
    try:
        inputs = (input_schema(await replicate.openapi_schema(model.reference)) or {}).get("properties", {})
    except (CreateRefused, InvalidReference) as error:
        return Result(name, "failed", error.detail, f"Check [models.{alias}] reference.")
    except MutoscopeError as error:
        todo = "That is not about its settings: run `mutoscope doctor` again in a minute."
        return Result(name, "failed", f"not checked: {error.detail}", todo)
    counted = model.price.outputs_input
    if model.price.per_output and model.price.max_outputs > 1 and counted not in inputs:
        detail = f"is priced per output, but {model.reference} has no input {counted!r}"
        return Result(name, "advice", detail, f"Set price.outputs_input of [models.{alias}], or max_outputs = 1.")
    return Result(name, "ok", f"{model.reference}: {len(inputs)} inputs")


def _priced_twice(settings: Settings) -> Sequence[Result]:
    """Under Replicate's API a model is known by its reference, so only one of its entries can apply there."""
    first: dict[tuple[str, str], str] = {}
    found: list[Result] = []
    for alias, model in settings.models.items():
        before = first.setdefault((model.kind, model.reference), alias)
        other = settings.models[before]
        if (other.price, other.credit_type) != (model.price, model.credit_type):
            detail = f"costs something else than [models.{before}], which is asked for {model.reference} by that name"
            todo = f"Leave out one of them, unless [models.{alias}] is meant for `/v1` alone."
            found.append(Result(f"price of {alias}", "advice", detail, todo))
    return found
