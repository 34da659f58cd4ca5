"""Precisions of costly tests."""

import pytest

# For tests with the fixture `dtype`: float32 always, float64 with the slow ones.
DOUBLE_IS_SLOW = pytest.mark.parametrize(
    "dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)], indirect=True
)
