"""What is true on disk: a journal of records, and tables that are folds of it.

The only door to lmdb, msgpack and msgspec.
"""
