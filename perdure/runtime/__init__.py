"""A run from outside: scenarios, starting, resuming, waiting, reading."""
