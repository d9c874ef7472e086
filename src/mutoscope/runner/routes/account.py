"""Who the token belongs to, what hardware there is, and the secret that signs webhooks."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutoscope.replicate_protocol.webhooks import WebhookSecret
from mutoscope.runner.account import ACCOUNT, HARDWARE
from mutoscope.runner.routes.body import runner
from mutoscope.runner.routes.pages import show


async def account(_request: Request) -> Response:
    """``GET /v1/account``: a runner has one."""
    return show(ACCOUNT)


async def hardware(_request: Request) -> Response:
    """``GET /v1/hardware``."""
    return JSONResponse([one.shown() for one in HARDWARE])


async def webhook_secret(request: Request) -> Response:
    """``GET /v1/webhooks/default/secret``."""
    return show(WebhookSecret(key=runner(request).webhook_secret))


ROUTES = [
    Route("/v1/account", account, methods=["GET"]),
    Route("/v1/hardware", hardware, methods=["GET"]),
    Route("/v1/webhooks/default/secret", webhook_secret, methods=["GET"]),
]
