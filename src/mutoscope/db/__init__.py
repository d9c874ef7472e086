"""The database: engine and transactions, column types, migrations. Rooms above declare their own tables on ``Base``."""

from mutoscope.db.base import Base
from mutoscope.db.engine import Database

__all__ = ["Base", "Database"]
