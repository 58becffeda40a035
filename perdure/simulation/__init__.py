"""A simulated world: the real kernel on hands that a seed moves, and what checks it."""
