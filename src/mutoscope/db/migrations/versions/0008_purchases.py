"""What a purchase buys of one credit type belongs to one account: it cannot be granted to two."""

import sqlalchemy as sa
from alembic import op

from mutoscope.core.errors import ConfigurationError

revision = "0008_purchases"
down_revision = "0007_budgets"
branch_labels = None
depends_on = None

PURCHASES = sa.text("source = 'purchase'")
DOUBLED = sa.text(
    "SELECT external_id FROM credit_lots WHERE source = 'purchase' "
    "GROUP BY credit_type, external_id HAVING count(*) > 1 ORDER BY external_id LIMIT 5"
)


def upgrade() -> None:
    """Who paid cannot be known here: what was granted twice is left for people to look at.

    Raises:
        ConfigurationError: A purchase was granted to several accounts.
    """
    doubled = op.get_bind().scalars(DOUBLED).all()
    if doubled:
        raise ConfigurationError(
            f"These purchases were granted to more than one account: {', '.join(doubled)}. Find out who paid, set the "
            "source of the other lots in credit_lots to 'adjustment', and run `mutoscope migrate` again."
        )
    op.create_index(
        "uq_credit_lots_purchase",
        "credit_lots",
        ["credit_type", "external_id"],
        unique=True,
        sqlite_where=PURCHASES,
        postgresql_where=PURCHASES,
    )
