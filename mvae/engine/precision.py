"""How exact the matrix products of training are: a choice of speed against rounding."""

import contextlib
from collections.abc import Iterator

import jax

from mvae.errors import unknown

# To jax "bfloat16" is a least precision, which Nvidia GPUs meet with TensorFloat-32: the algorithm has to be named.
PRECISIONS = {
    "default": None,
    "bfloat16": "BF16_BF16_F32",
    "tensorfloat32": "tensorfloat32",
    "float32": "float32",
}


def check_precision(name: str) -> None:
    """Raises a UsageError if there is no such precision."""
    if name not in PRECISIONS:
        raise unknown("matmul_precision", name, PRECISIONS)


@contextlib.contextmanager
def products_in(name: str) -> Iterator[None]:
    """Context in which what is compiled rounds the factors of matrix products so, where they do not ask for themselves.

    Sums are in float32. "default" leaves it to the device: TensorFloat-32 on Nvidia GPUs, bfloat16 on TPUs. So do
    convolutions in "bfloat16". A CPU computes in float32 whatever is asked.

    Args:
        name: One of `PRECISIONS`.
    """
    check_precision(name)
    if PRECISIONS[name] is None:
        yield
        return
    with jax.default_matmul_precision(PRECISIONS[name]):
        yield
