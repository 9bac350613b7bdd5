"""Decides in one place whether a completion is correct."""
