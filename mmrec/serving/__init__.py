"""A finished run over HTTP: a run of `mmrec.library` in, answers as JSON and a page out."""
