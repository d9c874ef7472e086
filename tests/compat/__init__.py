"""Tests of the front door, over loopback."""
