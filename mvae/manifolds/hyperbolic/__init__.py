"""Hyperbolic space, with the distribution of Brownian motion from its origin, which stands in for the uniform one."""
