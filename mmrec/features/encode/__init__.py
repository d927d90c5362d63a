"""From rows to a feature: distinct contents, looked up, the missing ones encoded, all written."""
