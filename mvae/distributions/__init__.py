"""Distributions on intervals and spheres that are not Brownian motion, with the special functions they need."""
