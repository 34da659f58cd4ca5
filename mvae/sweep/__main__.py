"""Trains, evaluates and draws the members of a sweep, or what is missing of them, and prints their table.

  python -m mvae.sweep --config=configs/dvae_torus.py:quick --sweep=sweeps/betas.py --workdir=runs/betas

The sweep is a Python file whose function sweep() yields (name, overrides) for each member, such as

  def sweep():
      for beta in (0.5, 1.0, 4.0):
          yield f"beta_{beta:g}", {"model.beta": beta, "num_seeds": 5}

Entries of the config that all members share can be set as for mvae.main, as in --config.num_steps=100.

Each member leaves a run folder WORKDIR/NAME. Members that differ in seeds, model.beta, optimizer.learning_rate or
optimizer.final_learning_rate alone train in one program, in several if memory does not suffice. The same command
on the same folder resumes what was interrupted; several processes may share a folder. With --render nothing is
trained, and the table is made from the run folders alone: --workdir is all that is needed.

Arrays of jobs take shares by number, --shard=$SLURM_ARRAY_TASK_ID/8 with tasks 0 to 7. --executor=ray hands the
programs to the cluster of `ray start`, or to one on this machine.

Exit codes: 0 done; 2 bad input; 1 a member failed, listed at the end; 130 and 143 stopped by SIGINT and SIGTERM,
checkpoints written.
"""

import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from mvae.engine.signals import Interrupted, StopRequest, leave
from mvae.errors import UsageError
from mvae.programs import HELP, launch, print_help

_CONFIG = flags.DEFINE_string("config", None, "Config file, FILE.py or FILE.py:ARGUMENT.")
_SWEEP = flags.DEFINE_string("sweep", None, "Python file with the function sweep().")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the members' run folders.")
_RENDER = flags.DEFINE_bool("render", default=False, help="Print the table of what is there and train nothing.")
_METRICS = flags.DEFINE_list("metrics", ["elbo", "log_likelihood"], "Columns of the table, of results.json.")
_SHARD = flags.DEFINE_string("shard", None, "K/N: run the K-th of N shares of the members, from 0.")
_EXECUTOR = flags.DEFINE_enum("executor", "local", ["local", "ray"], "What runs the programs.")
_SEEDS = flags.DEFINE_integer(
    "seeds_per_program", None, "Seeds in one program at most; left out, as many as fit.", lower_bound=1
)
_MEMORY = flags.DEFINE_float(
    "memory_limit_gb", None, "Memory that programs may take; left out, all of the device's.", lower_bound=0
)
_CPUS = flags.DEFINE_float("cpus_per_member", 1.0, "ray: cores of a task, which is one program.", lower_bound=0)
_GPUS = flags.DEFINE_float(
    "gpus_per_member", None, "ray: GPUs of a task, such as 0.25; left out, 1 where the cluster has any.", lower_bound=0
)
_CPU_DEVICES = flags.DEFINE_integer(
    "cpu_devices", None, "local: as how many devices the CPU counts; a divisor of a program's seeds, such as 2 for 10."
)
_CACHE = flags.DEFINE_string(
    "compilation_cache",
    None,
    "Folder of compiled programs, which another start need not compile again, or off. Left out: that of "
    "JAX_COMPILATION_CACHE_DIR, else mvae in the user's cache folder.",
)
_RETRIES = flags.DEFINE_integer("retries", 3, "ray: how often a task whose worker died is run again.", lower_bound=0)
GROUPS = {
    "The sweep": ("config", "sweep", "workdir", "render", "metrics", "shard"),
    "How it runs": ("executor", "seeds_per_program", "memory_limit_gb", "cpu_devices", "compilation_cache"),
    "On a cluster of ray": ("cpus_per_member", "gpus_per_member", "retries"),
}


def _parse(argv: list[str]) -> list[str]:
    """Parses the command line and returns it, files of flags read.

    Raises:
        UsageError: For bad input, as flags.Error is raised.
    """
    from mvae.runs.overrides import split_overrides

    if HELP & set(argv):
        print_help(groups=GROUPS)
    arguments = flags.FLAGS.read_flags_from_files(argv[1:], force_gnu=False)
    _, others = split_overrides(arguments)
    rest = flags.FLAGS([argv[0], *others])[1:]
    if rest:
        raise UsageError(f"unexpected argument {rest[0]!r}: flags start with --")
    if _EXECUTOR.value == "ray" and _CPU_DEVICES.value is not None:
        raise UsageError("--cpu_devices is of --executor=local; ray has tasks of so many cores: --cpus_per_member")
    needed = {"workdir": _WORKDIR.value} if _RENDER.value else {"config": _CONFIG.value, "sweep": _SWEEP.value}
    for name, value in (needed | {"workdir": _WORKDIR.value}).items():
        if not value:
            raise UsageError(f"give --{name}; --help says how")
    return [argv[0], *arguments]


def _run(workdir: Path, common: Mapping[str, Any]) -> tuple[list[str], int]:
    """Runs the members of the flags; returns their names and the exit code."""
    from mvae.engine.compilation_cache import use_compilation_cache
    from mvae.engine.processes import use_cpu_devices
    from mvae.runs.config_file import find_config, load_config
    from mvae.sweep import build_members, load_sweep, run_members
    from mvae.sweep.ray_executor import ray_executor
    from mvae.sweep.runner import in_process
    from mvae.sweep.shard import parse_shard, shard_of

    named, _, argument = str(_CONFIG.value).partition(":")
    path = find_config(named)
    members = build_members(load_config(path, argument), load_sweep(Path(str(_SWEEP.value))), common)
    share: Sequence = members if _SHARD.value is None else shard_of(members, *parse_shard(_SHARD.value))
    limit = None if _MEMORY.value is None else int(1e9 * _MEMORY.value)
    use_compilation_cache(_CACHE.value)
    use_cpu_devices(_CPU_DEVICES.value)
    execute = functools.partial(in_process, limit=limit)
    if _EXECUTOR.value == "ray":
        execute = ray_executor(
            cpus=_CPUS.value,
            gpus=_GPUS.value,
            retries=_RETRIES.value,
            limit=limit,
            compilation_cache=_CACHE.value,
            config=(path.absolute(), argument),
            sweep=Path(str(_SWEEP.value)).absolute(),
        )
    outcomes = run_members(share, workdir, seeds_per_program=_SEEDS.value, execute=execute)
    for outcome in outcomes:
        if outcome.status == "held":
            print(f"mvae.sweep: {outcome.name} is run by {outcome.reason}", file=sys.stderr)
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    for outcome in failed:
        print(f"mvae.sweep: {outcome.name} failed: {outcome.reason}", file=sys.stderr)
    return [member.name for member in members], 1 if failed else 0


def main(argv: list[str]) -> int:
    """Runs what is missing and prints the table; returns the exit code.

    Raises:
        UsageError: For bad input.
    """
    from mvae.runs.console import log_to_console
    from mvae.runs.overrides import split_overrides
    from mvae.sweep import load_sweep, render

    common, _ = split_overrides(argv[1:])
    log_to_console()
    workdir = Path(str(_WORKDIR.value)).expanduser().absolute()
    names, code = None, 0
    try:
        with StopRequest():
            if not _RENDER.value:
                names, code = _run(workdir, common)
            elif _SWEEP.value is not None:
                names = [name for name, _ in load_sweep(Path(str(_SWEEP.value)))]
            print(render(workdir, _METRICS.value, names))
    except Interrupted as stop:
        if _EXECUTOR.value == "local":
            leave(stop, "mvae.sweep")
        print(f"mvae.sweep: {stop}; the same command resumes", file=sys.stderr)
        return stop.exit_code
    return code


if __name__ == "__main__":
    launch(main, name="mvae.sweep", parse=_parse)
