"""Builds data sets of critiques and solutions from attempts and a teacher."""
