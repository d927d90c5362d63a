"""What of an environment and a project is as it must be, what is not, and what mends it."""
