"""A message being handled: actor, turn, steps, kernel, committer. The only door to pykka."""
