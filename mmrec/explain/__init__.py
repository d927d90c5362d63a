"""What `dvc repro` would do for a run, and why: DVC's own word, read for the user."""
