"""The app that Inngest knows: client, functions and relay, over HTTP (``mount``) or a connection (``connect``)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import inngest
from inngest.connect import connect

from mutoscope.core.errors import ConfigurationError
from mutoscope.core.settings import Settings
from mutoscope.engines.claims import ClaimDue, Claims
from mutoscope.engines.inngest.functions import Functions, Work
from mutoscope.engines.inngest.relay import InngestEngine, claim_unattended
from mutoscope.engines.inngest.worker import StepWorker
from mutoscope.engines.leases import Leases
from mutoscope.generations.machine import Machine
from mutoscope.generations.signals import Signals

log = logging.getLogger(__name__)

DEV_SERVER = "http://127.0.0.1:8288"
RECONNECT_S = 2.0


class App:
    """Everything of ours that Inngest sees.

    Args:
        settings: All settings.
        machine: The parts of the state machine.
        signals: The bell of this process.
        claims: Makes what finds rows, of what tells which are due.
        cancel: Cancels a generation, by account and id.
        scheduled: What is to be done every minute, by name.
    """

    def __init__(
        self,
        settings: Settings,
        machine: Machine,
        signals: Signals,
        claims: Callable[[ClaimDue], Claims],
        cancel: Callable[[str, str], Awaitable[object]],
        scheduled: Mapping[str, Work],
    ) -> None:
        self._settings = settings
        self._client = _client(settings)
        leases = Leases(machine, settings.engine.lease_s)
        due = claims(claim_unattended(settings.engine))
        self.engine = InngestEngine(machine, signals, due, leases, self._client, settings.engine)
        self._functions = Functions(
            self._client,
            StepWorker(machine, leases),
            settings.inngest,
            restart=self.engine.restart,
            cancel=cancel,
            scheduled=scheduled,
        ).all()

    def mount(self, api: Any) -> None:
        """Serve the functions at ``/api/inngest`` of a FastAPI application."""
        from inngest.fast_api import serve

        origin = self._settings.inngest_serve_origin or self._settings.public_url
        serve(api, self._client, self._functions, serve_origin=origin)

    async def connect(self) -> None:
        """Make steps over a connection that is made again whenever it breaks: the SDK's own gives up after a while.

        Cancelled, it takes no more steps, and ends when those under way have.
        """
        while True:
            try:
                await self._connection()
                log.warning("the connection to Inngest ended; it is made again")
            except Exception as error:  # noqa: BLE001 - the SDK has no one error for a server that is away
                log.warning("the connection to Inngest broke; it is made again: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _connection(self) -> None:
        connection = connect([(self._client, self._functions)], shutdown_signals=[])
        working = asyncio.create_task(connection.start(), name="connection")
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            await connection.close()
            await asyncio.wait({working}, timeout=self._settings.engine.shutdown_s)
            raise


def _client(settings: Settings) -> inngest.Inngest:
    event_key, signing_key = settings.inngest_event_key, settings.inngest_signing_key
    dev = settings.inngest_dev
    if not dev and not (event_key and signing_key):
        raise ConfigurationError(
            'engine.kind = "inngest" needs INNGEST_EVENT_KEY and INNGEST_SIGNING_KEY, or INNGEST_DEV=1 for a '
            "development server"
        )
    base_url = settings.inngest_base_url or ((dev if isinstance(dev, str) else DEV_SERVER) if dev else None)
    return inngest.Inngest(
        app_id=settings.inngest.app_id,
        is_production=not dev,
        api_base_url=base_url,
        event_api_base_url=base_url,
        event_key=event_key.get_secret_value() if event_key else None,
        signing_key=signing_key.get_secret_value() if signing_key else None,
        logger=logging.getLogger("inngest"),
    )
