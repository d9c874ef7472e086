"""``mutoscope demo``: everything on one machine, from a prompt to two paid, stored pictures."""
