"""The story of a run and its chapters."""
