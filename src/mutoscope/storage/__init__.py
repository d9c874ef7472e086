"""Where finished files live: a small port, its adapters, and the intake that brings provider outputs in."""
