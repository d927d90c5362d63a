"""Is it content that helps a run? The same training on features that say nothing."""
