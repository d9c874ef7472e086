"""Tests of the uploads room."""
