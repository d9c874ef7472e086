"""Paid AI generation: credits, durable Replicate jobs and stored results in one service."""

__version__ = "0.1.0"
