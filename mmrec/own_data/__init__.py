"""A first params.yaml for someone's own files: what is in them, and what it is taken for."""
