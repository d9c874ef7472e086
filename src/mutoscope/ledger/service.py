"""The ledger's one door. Every function works inside the caller's transaction and never commits it."""

from mutoscope.ledger.expiry import expire_due
from mutoscope.ledger.grants import grant
from mutoscope.ledger.reads import balances, lots, transfers
from mutoscope.ledger.refunds import refund
from mutoscope.ledger.reservations import reserve
from mutoscope.ledger.settlements import post, void

__all__ = ["balances", "expire_due", "grant", "lots", "post", "refund", "reserve", "transfers", "void"]
