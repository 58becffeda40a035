"""A message on its way: envelope, inbox, ready set, index, admission."""
