"""The work of durable.py on other engines, each run by the Python of an environment of its own.

Nothing here imports perdure. `make bench-peers` makes the environments: see bench_peers.py.
"""
