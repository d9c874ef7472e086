"""Runs models: in the server, or in processes of their own that can be stopped and replaced."""
