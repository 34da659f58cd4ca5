"""Draws that do not depend on which tests ran before."""

import pytest

STATES = {}


@pytest.fixture(autouse=True)
def fresh_draws(request):
    """Sets the generator of a test's file back to where it was once the file was imported."""
    generator = getattr(request.module, "RNG", None) if request.module is not None else None
    if generator is not None:
        generator.bit_generator.state = STATES.setdefault(request.module.__name__, generator.bit_generator.state)
