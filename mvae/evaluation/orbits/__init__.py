"""Orbits of transport operators, and the classes along them."""
