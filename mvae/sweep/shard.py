"""Shares of a sweep, for arrays of jobs that know no more than their number."""

import re
from collections.abc import Sequence
from typing import TypeVar

from mvae.errors import UsageError

T = TypeVar("T")


def parse_shard(text: str) -> tuple[int, int]:
    """Returns (k, n) of "k/n", shard k of n, counted from 0.

    Raises:
        UsageError: If that is not what it says.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not int(match[1]) < int(match[2]):
        raise UsageError(f"--shard={text}: write K/N with K from 0 to N - 1, such as 0/4")
    return int(match[1]), int(match[2])


def shard_of(members: Sequence[T], k: int, n: int) -> Sequence[T]:
    """Returns the k-th of n contiguous shares, their sizes as equal as can be.

    Neighbours stay together, since they are the ones that tend to fit into one program.

    >>> [list(shard_of(range(7), k, 3)) for k in range(3)]
    [[0, 1], [2, 3], [4, 5, 6]]
    """
    return members[len(members) * k // n : len(members) * (k + 1) // n]
