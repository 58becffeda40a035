pattern = "\d"
assert (1, "always true")
