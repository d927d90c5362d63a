"""A synthetic shop with known truth (pictures, texts, users) and the small CLIP that reads it."""
