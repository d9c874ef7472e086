"""Who is asking: the one dependency through which every route of ``/v1`` learns its principal."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mutoscope.accounts.principal import Principal
from mutoscope.api.parts import Parts
from mutoscope.core.errors import Forbidden, InvalidRequest, Unauthenticated
from mutoscope.web.printable import ACCOUNT_HEADER, account_name

# Headers of which a second one would leave open which of them counts.
_SINGLE = ("authorization", "mutoscope-account", "idempotency-key", "content-type")

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer mk_…`.")


class AccountNeeded(InvalidRequest):
    """An operator's key alone does not say whose things a route is about."""

    code, title = "account_needed", "Say for which account"


async def caller(
    request: Request,
    parts: Parts,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    mutoscope_account: Annotated[
        str | None,
        Header(description="With an operator's key: the account to act for, by its id or external id (UTF-8)."),
    ] = None,
) -> Principal:
    """Check the key, and for whom it acts.

    Raises:
        Unauthenticated: No key, or not a good one.
        Forbidden: An account's key that would act for another account.
        InvalidRequest: A header that may come once came twice, or names no account that can be.
        NotFound: An operator would act for an account that is not there.
    """
    doubled = [name for name in _SINGLE if len(request.headers.getlist(name)) > 1]
    if doubled:
        raise InvalidRequest(f"The header {doubled[0]} came more than once.")
    if credentials is None:
        raise Unauthenticated("Send an API key: Authorization: Bearer mk_….")
    act_for = None if mutoscope_account is None else account_name(mutoscope_account)
    return await parts.accounts.authenticate(credentials.credentials, act_for=act_for)


Caller = Annotated[Principal, Depends(caller)]


@dataclass(frozen=True, slots=True)
class Acting:
    """A principal, and the account that its request is about."""

    principal: Principal
    account_id: str


async def acting(principal: Caller) -> Acting:
    """For whom a request acts.

    Raises:
        AccountNeeded: An operator did not say which account.
    """
    if principal.account_id is None:
        raise AccountNeeded(f"Set the header {ACCOUNT_HEADER} to the account's id or external id.")
    return Acting(principal, principal.account_id)


async def operating(principal: Caller) -> Principal:
    """An operator. Raises ``Forbidden`` for everybody else."""
    if principal.scope != "operator":
        raise Forbidden("This needs an operator's key.")
    return principal


OnBehalf = Annotated[Acting, Depends(acting)]
