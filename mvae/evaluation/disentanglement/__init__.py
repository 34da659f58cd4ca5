"""Disentanglement of codes with respect to known factors."""
