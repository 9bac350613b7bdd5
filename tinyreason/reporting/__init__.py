"""The page of a run, the table and the picture of a sweep."""
