"""Data sets of critiques and solutions, built from attempts and a teacher."""
