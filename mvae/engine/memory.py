"""How much device memory a training takes, read from its compiled programs, and how much there is."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from mvae.data import Dataset
from mvae.engine.program import Program
from mvae.engine.seeds import is_sequential
from mvae.errors import UsageError

SHARE = 0.9  # of the memory that programs may take by the estimate; the rest is for what it does not see
_CGROUP = Path("/sys/fs/cgroup/memory.max")


class Need(NamedTuple):
    """Bytes of a training: `fixed`, the data and the scratch of sequential seeds, and `per_seed`."""

    fixed: int
    per_seed: int

    def seeds_in(self, limit: int) -> int:
        """Returns how many seeds fit into so many bytes; 0 if not even one does."""
        return max(0, int(SHARE * limit) - self.fixed) // max(self.per_seed, 1)


def need_of(programs: Sequence[Program], dataset: Dataset, num_seeds: int, previous: Any) -> Need:
    """Returns what the stages of a training take at most, from the compiler's own account of its buffers.

    The data count once, as does the scratch if the seeds are sequential; all else is shared out over the seeds. What
    evaluation takes is not in it. The programs are compiled by this, once: running them compiles nothing again.

    Args:
        programs: One for each stage, of `num_seeds` seeds.
        dataset: The data.
        num_seeds: Seeds in the programs.
        previous: What the first stage's init gets for the stage before.
    """
    train = _bytes_of(dataset.train)
    kept = scratch = 0
    for program in programs:
        init, run, previous = program.lowered(previous)
        for stats in (_memory_of(init), _memory_of(run)):
            # A donated argument is the result.
            whole = stats.argument_size_in_bytes + stats.output_size_in_bytes - stats.alias_size_in_bytes
            kept, scratch = max(kept, whole), max(scratch, stats.temp_size_in_bytes)
    once = scratch if num_seeds > 1 and is_sequential(num_seeds) else 0
    of_seeds = max(kept - train, 0) + scratch - once
    return Need(train + _bytes_of(dataset.test) + once, -(-of_seeds // num_seeds))


def check_room(programs: Sequence[tuple[str, Program]], num_seeds: int, num_devices: int = 1) -> None:
    """Checks that what the stages of a training carry from step to step fits, of which nothing is made yet.

    Args:
        programs: Name and program of each stage.
        num_seeds: Seeds in the programs.
        num_devices: Devices that they are shared out to.

    Raises:
        UsageError: If it does not.
    """
    previous, room = None, memory_limit() * num_devices
    for name, program in programs:
        progress = jax.eval_shape(program.init, previous)
        needed = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(progress))
        if needed > room:
            raise UsageError(
                f"{num_seeds} seed(s) of stage {name} take {needed / 1e9:.3g} GB, of {room / 1e9:.3g} GB that there "
                "are: give fewer seeds by config.num_seeds, or smaller nets by the widths of config.model"
            )
        previous = progress.state


def is_out_of_memory(error: BaseException) -> bool:
    """Whether jax raised this since memory did not suffice."""
    return isinstance(error, jax.errors.JaxRuntimeError) and any(
        words in str(error) for words in ("RESOURCE_EXHAUSTED", "Out of memory")
    )


def _memory_of(lowered: jax.stages.Lowered) -> Any:
    """The compiler's account of a program: bytes of arguments, results, scratch, and of arguments that are results."""
    return lowered.compile().memory_analysis()


def _bytes_of(arrays: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(arrays))


def memory_limit() -> int:
    """Returns the bytes that programs may take on one device: its own limit, or on CPU its share of the machine's."""
    device = jax.local_devices()[0]
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    granted = _CGROUP.read_text().strip() if _CGROUP.exists() else "max"
    return (machine if granted == "max" else min(machine, int(granted))) // jax.local_device_count()
