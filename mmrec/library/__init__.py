"""What a project has, for programs and notebooks: its datasets, features and finished runs."""
