"""Models of your own: Python files with a Cog-style predictor, described and run in processes apart from the server."""
