"""What an audit reports, whichever room it looks at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        check: The name of the invariant that does not hold, stable, such as ``ledger.hold_settlement``.
        subject: The id of what breaks it.
        detail: One sentence with the figures: what was found and what was expected.
    """

    check: str
    subject: str
    detail: str
