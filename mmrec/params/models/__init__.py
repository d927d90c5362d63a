"""Settings of every model: one file per system, named as its folder in `mmrec.models`."""
