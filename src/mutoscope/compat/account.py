"""The caller's own account, and the secret that signs its webhooks."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mutoscope.compat.requests import account_of, guarded, parts_of
from mutoscope.replicate_protocol.account import Account
from mutoscope.replicate_protocol.webhooks import WebhookSecret


async def account(request: Request) -> Response:
    """``GET /account``: the account here, not the one at the provider."""
    row = await parts_of(request).accounts.get(account_of(request))
    # The Python client insists on a name.
    return JSONResponse(Account(type="user", username=row.external_id, name=row.name or row.external_id).shown())


async def webhook_secret(request: Request) -> Response:
    """``GET /webhooks/default/secret``: made when it is first asked for."""
    secret = await parts_of(request).webhook_secrets.current(account_of(request))
    return JSONResponse(WebhookSecret(key=secret).shown(), headers={"Cache-Control": "no-store"})


ROUTES = [
    guarded("/v1/account", account, "GET"),
    guarded("/v1/webhooks/default/secret", webhook_secret, "GET"),
]
