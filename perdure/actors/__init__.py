"""A message being handled: Actor, turn, steps, kernel, runners, committer. The only door to pykka."""
