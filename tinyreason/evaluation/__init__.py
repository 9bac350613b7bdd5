"""Scores, benchmarks, comparisons and controls: whether a model is better, and how sure that is."""
