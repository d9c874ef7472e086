"""Tables of the catalog: the provider's schemas, kept so that accepting a generation asks nobody."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from mutoscope.db.base import Base, Name


class ModelSchema(Base):
    """The ``openapi_schema`` of one model reference, as the provider gave it last."""

    __tablename__ = "model_schemas"

    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    reference: Mapped[str] = mapped_column(Name, primary_key=True)
    openapi_schema: Mapped[dict[str, Any]]
    fetched_at: Mapped[datetime]
