"""The models the runner offers, and what a model is."""
