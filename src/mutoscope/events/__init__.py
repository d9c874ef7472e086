"""The outbox: what happened to an account, in one gap-free sequence, written in the transaction that made it true."""
