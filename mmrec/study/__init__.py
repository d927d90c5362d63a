"""Many runs written once: rows x seeds of a table, trained in a workspace of their own."""
