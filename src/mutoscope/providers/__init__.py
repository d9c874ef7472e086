"""Who runs the models: a small port and its one adapter so far, Replicate."""
