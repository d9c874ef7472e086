"""The wire shapes of Replicate's HTTP API, shared by the provider that calls it and the runner that serves it."""
