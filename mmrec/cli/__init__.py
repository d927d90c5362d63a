"""The console script `mmrec`: its registry, and the commands that are of it alone."""
