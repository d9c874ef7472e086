"""A local Replicate: the same HTTP API over models on this machine, faults on demand. Knows only protocol and core."""
