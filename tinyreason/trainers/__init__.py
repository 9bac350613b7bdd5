"""Trainers: the only home of trl."""
