"""What every room may use: errors, ids, clock, settings, logging. Knows nothing of the rooms above it."""
