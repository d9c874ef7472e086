"""The principal: who a request acts as, once its key has been checked."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["operator", "account"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking.

    Attributes:
        key_id: The API key, or ``None`` for somebody whom the host application vouches for.
        scope: An operator may do everything; an account only what is its own.
        account_id: Whose things this is about; ``None`` for an operator who acts for nobody.
    """

    key_id: str | None
    scope: Scope
    account_id: str | None
