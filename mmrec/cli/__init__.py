"""Subcommands of the terminal, a module each; imported when they are called."""
