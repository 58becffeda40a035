"""Replay: another runner of the same turns, on recorded outcomes and no world outside."""
