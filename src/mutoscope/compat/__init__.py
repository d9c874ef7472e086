"""The front door: Replicate's HTTP API under ``/replicate/v1``, behind our own keys, for clients that exist already."""
