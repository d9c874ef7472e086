"""Tests of the webhooks that go out."""
