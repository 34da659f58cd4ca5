"""Comparison of samples and point sets."""
