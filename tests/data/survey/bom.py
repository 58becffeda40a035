"""After a byte order mark."""
