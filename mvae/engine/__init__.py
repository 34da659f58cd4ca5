"""The engine of training: stages in, states out; batches, devices, seeds, checkpoints. It knows no method."""

from typing import TYPE_CHECKING

from mvae.lazy import lazily

if TYPE_CHECKING:
    from mvae.engine.files import write_atomically, write_json
    from mvae.engine.memory import memory_limit, need_of
    from mvae.engine.mesh import build_mesh, seeds_mesh
    from mvae.engine.metrics import read_records
    from mvae.engine.precision import products_in
    from mvae.engine.processes import use_cpu_devices
    from mvae.engine.program import Program, build_program
    from mvae.engine.seeds import is_sequential, seed_keys
    from mvae.engine.signals import Interrupted

__all__ = [
    "Interrupted",
    "Program",
    "build_mesh",
    "build_program",
    "is_sequential",
    "memory_limit",
    "need_of",
    "products_in",
    "read_records",
    "seed_keys",
    "seeds_mesh",
    "use_cpu_devices",
    "write_atomically",
    "write_json",
]

__getattr__ = lazily(
    __name__,
    {
        "mvae.engine.files": ("write_atomically", "write_json"),
        "mvae.engine.memory": ("memory_limit", "need_of"),
        "mvae.engine.mesh": ("build_mesh", "seeds_mesh"),
        "mvae.engine.metrics": ("read_records",),
        "mvae.engine.precision": ("products_in",),
        "mvae.engine.processes": ("use_cpu_devices",),
        "mvae.engine.program": ("Program", "build_program"),
        "mvae.engine.seeds": ("is_sequential", "seed_keys"),
        "mvae.engine.signals": ("Interrupted",),
    },
)
