"""What is true on disk: an append-only journal of records, and tables that are folds of it. The only door to lmdb and msgpack."""
