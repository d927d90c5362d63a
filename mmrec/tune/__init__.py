"""Searches: settings of a run tried on validation, kept, shown, and written as a run of its own."""
