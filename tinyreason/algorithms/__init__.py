"""Shapes the training signal, one idea a file: rewards and advantages."""
