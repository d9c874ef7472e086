"""Tests of the HTTP API, over loopback."""
