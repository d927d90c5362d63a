"""Reference points: recommenders that see neither text nor pictures."""
