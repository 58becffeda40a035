"""Latin-1 without a cookie: é."""
