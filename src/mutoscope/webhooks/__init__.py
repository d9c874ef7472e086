"""Webhooks that go out: what is owed is written with the change it tells of, and sent after it, signed and retried."""
