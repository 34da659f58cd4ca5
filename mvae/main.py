"""Trains, evaluates and draws one experiment.

  python -m mvae.main --config=configs/dvae_torus.py:quick --workdir=runs/quick

Any entry of the config can be set on the command line, as in --config.manifold=sphere:2 or --config.data.size=32;
--config=FILE --help lists them. The same command on the same folder resumes an interrupted run; a finished run only
prints its results again.

All devices train, seeds shared out along one axis and batches along the other; a run may be resumed on other ones.
For several processes, on one host or many with a common file system, start the same command in each with
--coordinator, --num_processes and --process_id, or with --distributed where a cluster says who is who.

--dry_run prints shapes, parameters, memory, steps and the time to expect, trains nothing and needs no folder.

Exit codes: 0 done; 2 bad input; 1 the loss was not finite; 130 and 143 stopped by SIGINT and SIGTERM, a
checkpoint written.
"""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from mvae.engine.signals import Interrupted, StopRequest, leave
from mvae.errors import UsageError
from mvae.programs import HELP, launch, print_help

if TYPE_CHECKING:
    from mvae.runs.overrides import Resolved  # imports jax, as others in functions do: a signal is heeded before

LOGGER = logging.getLogger("mvae.main")  # the module is __main__ where it is the program
_CONFIG = flags.DEFINE_string(
    "config", None, "Config file, FILE.py or FILE.py:ARGUMENT; its entries are --config.NAME=VALUE."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, metrics, figures, results.")
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Say what the run would be, by its programs and some seconds of steps; write nothing."
)
_DEVICES = flags.DEFINE_integer("devices", None, "How many devices train; all of them if not given.")
_CPU_DEVICES = flags.DEFINE_integer(
    "cpu_devices",
    None,
    "As how many devices the CPU counts, such as one per core: faster for several seeds of small models. A divisor of "
    "num_seeds, since the seeds are shared out among them.",
)
_REPLICAS = flags.DEFINE_integer(
    "replicas", None, "Devices that the seeds are shared out to, the others share batches; as many as fit if not given."
)
_PRECISION = flags.DEFINE_enum(
    "matmul_precision",
    "default",
    ["default", "bfloat16", "tensorfloat32", "float32"],
    "To what the factors of matrix products are rounded in training; default is the device's own choice. Products "
    "that must be exact stay so. Convolutions take the device's choice for bfloat16. On CPU it has no effect.",
)
_STREAM = flags.DEFINE_integer(
    "stream",
    None,
    "Leave the training data on the host and send so many batches at a time to the device, for data that it cannot "
    "hold; the numbers are the same to rounding. Needs grain: pip install 'mvae[stream]'.",
)
_CACHE = flags.DEFINE_string(
    "compilation_cache",
    None,
    "Folder of compiled programs, which another start need not compile again, or off. Left out: that of "
    "JAX_COMPILATION_CACHE_DIR, else mvae in the user's cache folder.",
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "One of several processes, as Slurm, Open MPI, Kubernetes or a TPU pod has started them."
)
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0; implies --distributed.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes; implies --distributed.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0; implies --distributed.")
GROUPS = {
    "The run": ("config", "workdir", "dry_run"),
    "Devices and memory": ("devices", "cpu_devices", "replicas", "matmul_precision", "stream", "compilation_cache"),
    "Several processes": ("distributed", "coordinator", "num_processes", "process_id"),
}


def _parse(argv: list[str]) -> list[str]:
    """Parses the command line and returns it, files of flags read.

    Raises:
        UsageError: For bad input, as flags.Error is raised.
    """
    from mvae.runs.config_help import config_help
    from mvae.runs.overrides import split_overrides

    arguments = flags.FLAGS.read_flags_from_files(argv[1:], force_gnu=False)
    overrides, others = split_overrides(arguments)
    if sum(argument.partition("=")[0] in ("--config", "-config") for argument in others) > 1:
        raise UsageError("--config is given more than once: give one, and its entries by --config.NAME=VALUE")
    rest = flags.FLAGS([argv[0], *(argument for argument in others if argument not in HELP)])[1:]
    if HELP & set(others):
        print_help(f"\n\n{config_help(_resolved(overrides))}" if _CONFIG.value else "", GROUPS)
    if rest:
        raise UsageError(f"unexpected argument {rest[0]!r}: flags start with --")
    return [argv[0], *arguments]


def _resolved(overrides: Mapping[str, Any]) -> "Resolved":
    """The config of the flags with the overrides.

    Raises:
        UsageError: If no config was given, there is no such file, it refuses its argument, or anything in it or in an
            override is wrong.
    """
    from mvae.runs.config_file import find_config, load_config
    from mvae.runs.overrides import resolve

    if not _CONFIG.value:
        available = sorted(str(path) for path in Path("configs").glob("*.py"))
        raise UsageError(f"give --config=FILE.py, such as {', '.join(available) or 'dvae_torus'}")
    path, _, argument = _CONFIG.value.partition(":")
    return resolve(load_config(find_config(path), argument), overrides)


def _table(results: Mapping[str, Any]) -> str:
    """The means of a run, one line each, with the standard deviation where there are several seeds.

    A number that the model does not have is listed with the reason.
    """
    lines = [f"{results['num_seeds']} seed(s), {results['num_steps']} steps, {results['num_test']} test examples"]
    for name, mean in sorted(results["mean"].items()):
        std = results["std"][name]
        if mean is None:
            lines.append(f"  {name:20s} not available: {results['unavailable'][name]}")
            continue
        lines.append(f"  {name:20s} {mean:12.6g}" + (f" ± {std:.2g}" if std is not None else ""))
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Runs the experiment of the flags; returns the exit code."""
    try:
        with StopRequest():
            return _main(argv)
    except Interrupted as stop:
        if not (_DISTRIBUTED.value or _COORDINATOR.value or _NUM_PROCESSES.value):
            leave(stop, "mvae")
        print(f"mvae: {stop}; the same command resumes", file=sys.stderr)
        return stop.exit_code  # by a clean end, which the other processes wait for


def _main(argv: list[str]) -> int:
    """Runs the experiment of the flags; returns the exit code.

    Raises:
        Interrupted: On SIGINT or SIGTERM.
        UsageError: For bad input.
    """
    from mvae.engine.compilation_cache import use_compilation_cache
    from mvae.engine.loop import Diverged
    from mvae.engine.processes import connect, is_lead, use_cpu_devices
    from mvae.runs.console import log_to_console
    from mvae.runs.overrides import as_arguments, split_overrides
    from mvae.runs.running import run

    overrides, _ = split_overrides(argv[1:])
    processes = (_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
    resolved = _resolved(overrides)
    if not _WORKDIR.value and not _DRY_RUN.value:
        raise UsageError("give --workdir=FOLDER, the folder of the run")
    if _DISTRIBUTED.value or any(value is not None for value in processes):
        connect(*processes)
    use_cpu_devices(_CPU_DEVICES.value)
    log_to_console(logging.INFO if is_lead() else logging.WARNING)
    use_compilation_cache(_CACHE.value)
    for note in resolved.notes:
        LOGGER.info(note)
    options = {
        "num_devices": _DEVICES.value,
        "replicas": _REPLICAS.value,
        "matmul_precision": _PRECISION.value,
        "stream": _STREAM.value,
    }
    if _DRY_RUN.value:
        from mvae.runs.dry_run import describe_run

        description = describe_run(resolved.block, **options)
        if is_lead():
            print(description)
        return 0
    workdir = Path(str(_WORKDIR.value)).expanduser()
    try:
        results = run(resolved.block, workdir, as_arguments(overrides), **options)
    except Diverged as error:
        print(f"mvae: {error}", file=sys.stderr)
        return 1
    if not is_lead():
        return 0
    print(_table(results))
    print(f"figures in {workdir / 'figures'}")
    return 0


def run() -> None:
    """Entry point of the console script."""
    launch(main, name="mvae", parse=_parse)


if __name__ == "__main__":
    run()
