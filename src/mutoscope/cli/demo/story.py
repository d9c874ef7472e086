"""The demo's story, told over HTTP like any app would: an account, credits, a picture, the same picture larger."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from mutoscope.bootstrap import Runtime
from mutoscope.cli.bars import Bar
from mutoscope.cli.inputs import data_uri
from mutoscope.cli.output import console, say
from mutoscope.client import AsyncClient, Balance, DownloadFailed, File, Generation, Transfer
from mutoscope.core.errors import MutoscopeError
from mutoscope.core.ids import new_id

ACCOUNT = "demo"
GRANT = 100
KEY_NAME = "demo"


class StoryFailed(MutoscopeError):
    """A generation of the demo did not complete."""

    code, title = "demo_failed", "The demo did not work"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened: the generations, all movements of credits (oldest first), and the balance after them."""

    generations: Sequence[Generation]
    transfers: Sequence[Transfer]
    balance: Balance


async def fresh_keys(runtime: Runtime) -> tuple[str, str]:
    """An operator's key and one of the demo's account.

    Those of earlier demos are revoked: nobody knows them any more.
    """
    account = await runtime.accounts.create(ACCOUNT, name="Demo")
    after: str | None = None
    while page := await runtime.accounts.list_keys(after=after):
        for key in page:
            if key.name == KEY_NAME and key.revoked_at is None:
                await runtime.accounts.revoke_key(key.id)
        after = page[-1].id
    _, operator = await runtime.accounts.create_key("operator", name=KEY_NAME)
    _, user = await runtime.accounts.create_key("account", account.id, name=KEY_NAME)
    return operator, user


async def tell(url: str, key: str, prompt: str, *, by_link: bool) -> Outcome:
    """Play it.

    Args:
        url: Where the service is.
        key: An operator's.
        prompt: What to paint.
        by_link: Whether the model server can fetch a link to our storage; else the picture is sent along.

    Raises:
        StoryFailed: A generation failed.
    """
    async with AsyncClient(url, key) as operator:
        account = await operator.create_account(ACCOUNT, name="Demo")
        lot = await operator.grant(account.id, GRANT, external_id=new_id("demo"))
        say(f"Account {ACCOUNT!r} is given {lot.amount} {lot.credit_type} credits.\n")
    async with AsyncClient(url, key, account=ACCOUNT) as client:
        say(f"painter: {prompt}")
        picture = await _run(client, "painter", {"prompt": prompt})
        say("upscale: the same picture, larger")
        image = picture.files[0].url if by_link else await _embedded(picture.files[0])
        larger = await _run(client, "upscale", {"image": image, "scale": 2})
        transfers = [one async for one in client.transfers()]
        (balance,) = [one for one in await client.credits() if one.credit_type == lot.credit_type]
    return Outcome([picture, larger], transfers[::-1], balance)


async def _run(client: AsyncClient, model: str, inputs: dict[str, object]) -> Generation:
    with Bar(console, model) as bar:
        done = await client.generate(model, inputs, on_progress=bar.show)
    if done.status != "completed" or not done.files:
        reason = done.failure.detail if done.failure else "it gave no file"
        raise StoryFailed(f"{model} {done.status}: {reason} Its credits came back ({done.id}).")
    say(f"  {done.status}: {done.credits.charged} credits\n")
    return done


async def _embedded(file: File) -> str:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            answer = await http.get(file.url)
            return data_uri(answer.raise_for_status().content, "the picture")
    except httpx.HTTPError as error:
        raise DownloadFailed(f"{file.url} could not be fetched: {error}") from error
