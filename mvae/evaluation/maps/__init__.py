"""Quality of maps onto manifolds, and tests of uniformity."""
