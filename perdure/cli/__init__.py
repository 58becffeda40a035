"""The ledger in a terminal. The only door to click."""
