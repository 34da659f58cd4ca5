"""Hyperbolic space, with the law of Brownian motion from its origin, which stands in for the uniform one."""
