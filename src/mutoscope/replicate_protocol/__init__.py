"""The wire shapes of Replicate's HTTP API, one topic a module, shared by all who call it and all who serve it."""
