"""What can be wrong with a request for credits."""

from mutoscope.core.errors import Conflict, MutoscopeError


class InsufficientCredits(MutoscopeError):
    """The account cannot cover what was asked.

    Its ``extra``: ``credit_type``, ``needed``, ``available`` (what has not expired), ``held``, and ``limit_source``:
    ``held`` when waiting for running work may free enough, else ``balance``.
    """

    status, code, title = 402, "insufficient_credits", "Not enough credits"


class GrantConflict(Conflict):
    """The same external id was granted before with another amount or expiry, or the purchase to another account."""

    code, title = "grant_conflict", "This grant was made before, differently"
