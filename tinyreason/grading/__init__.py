"""Whether a completion is correct, decided in one place."""
