"""What users test their actors with: time that tests move, scripted tools, crashes everywhere."""
