"""Rewards, advantages, samplers, data and teachers of the person's own, in a file or an installed package."""
