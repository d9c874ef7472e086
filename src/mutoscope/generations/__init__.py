"""The heart: a generation is a row with a state, and ``advance`` performs its next transition."""
