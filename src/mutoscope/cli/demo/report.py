"""What the demo shows at its end: the account's ledger, adding up, and where the pictures are."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mutoscope.bootstrap import Runtime
from mutoscope.cli.demo.story import ACCOUNT, Outcome
from mutoscope.cli.output import print_table, say
from mutoscope.client import Generation, Transfer
from mutoscope.storage.local import LocalStore

MAX_ROWS = 20


def print_ledger(outcome: Outcome) -> None:
    """Every movement with the balance after it, and the sum."""
    names = {one.id: one.model for one in outcome.generations}
    rows = _rows(outcome.transfers, names)
    if len(rows) > MAX_ROWS:
        say(f"({len(rows) - MAX_ROWS} earlier movements are not shown)")
    columns = ("what", "moved", "credits", "available", "held", "spent", "for")
    print_table(columns, rows[-MAX_ROWS:], title=f"The ledger of account {ACCOUNT!r}")
    now = outcome.balance
    given = sum(one.amount for one in outcome.transfers if one.kind == "grant")
    parts = now.available + now.held + now.spent + now.expired
    verdict = "it adds up" if given == parts else "IT DOES NOT ADD UP"
    sum_of = f"{now.available} available + {now.held} held + {now.spent} spent + {now.expired} expired"
    say(f"{given} given = {sum_of}: {verdict}.\n")


def _rows(transfers: Sequence[Transfer], names: Mapping[str, str]) -> list[tuple[object, ...]]:
    sums = {"issued": 0, "available": 0, "held": 0, "spent": 0, "expired": 0}
    rows: list[tuple[object, ...]] = []
    for one in transfers:
        sums[one.debit] -= one.amount
        sums[one.credit] += one.amount
        after = (sums["available"], sums["held"], sums["spent"])
        what_for = names.get(one.generation_id, "earlier") if one.generation_id else None
        rows.append((one.kind, f"{one.debit} → {one.credit}", one.amount, *after, what_for))
    return rows


async def print_pictures(runtime: Runtime, generations: Sequence[Generation]) -> None:
    """Where each stored file lies, and the link to it."""
    stored = await runtime.generations.files([one.id for one in generations])
    say("The pictures, stored:")
    for generation in generations:
        for row, file in zip(stored[generation.id], generation.files, strict=True):
            place = _shown(runtime.store.path(row.key)) if isinstance(runtime.store, LocalStore) else row.key
            say(f"  {generation.model}: {place} ({file.media_type}, {file.size_bytes:,} bytes)")
            say(f"    {file.url}")
    say("")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def print_next_steps(url: str, user: str, operator: str) -> None:
    """How to go on by hand, while it serves: as the account's user, and as its operator."""
    program = Path(sys.argv[0])
    command = _shown(program.absolute()) if program.name == "mutoscope" else "mutoscope"
    say("Go on with it, in another terminal:")
    say(f"  export MUTOSCOPE_URL={url}")
    say(f"  export MUTOSCOPE_API_KEY={user}   # account {ACCOUNT!r}")
    say(f'  {command} generate painter -i prompt="a harbour in the rain"')
    say('  curl $MUTOSCOPE_URL/v1/credits -H "Authorization: Bearer $MUTOSCOPE_API_KEY"')
    say(f"  {url}/docs describes the API; the operator's key is {operator}\n")
