"""Benchmarks: each measures the real service and, in the same run, its floor: the same work by hand on raw drivers.

``make bench NAME=accept`` runs one. Progress goes to stderr; the last line of stdout is one JSON object. How to read
them is in ``docs/performance.md``.
"""
