"""How the programs of the project begin and end: help, bad input, signals, and readers that go away.

Exit codes: 0 done; 2 bad input, in one line; 130 and 143 stopped by SIGINT and SIGTERM; 141 who read the output is
gone.
"""

import contextlib
import functools
import io
import os
import re
import select
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from absl import app, flags

from mvae.engine.signals import Interrupted, StopRequest, leave, leaving_at_once
from mvae.errors import UsageError

HELP = frozenset({"--help", "-help", "-h", "--helpfull", "--helpshort"})
_MISSING = re.compile(r"flag --(\w+)=None: Flag --\1 must have a value other than None\.")
READER_GONE = 141  # as of a process that SIGPIPE ended


def launch(
    main: Callable[[list[str]], int | None],
    *,
    name: str | None = None,
    parse: Callable[[list[str]], list[str]] | None = None,
) -> None:
    """Runs a program to the end of its process, in place of `absl.app.run`.

    A `UsageError` of it, a flag that is wrong or missing, and a device or a backend of matplotlib that is not there are
    one line and code 2; `Interrupted` is one line and its code.

    Args:
        main: Takes the command line, flags parsed, and returns the exit code; None for 0.
        name: What messages begin with; None for the name of the file or package.
        parse: Parses the command line; None for what suits most: --help prints the docstring and the flags.
    """
    name = name or _name_of(Path(sys.argv[0]))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # to an ASCII terminal, ± is better a \xb1 than an error
    try:
        try:
            with leaving_at_once(name), _without_echoes():
                app.run(functools.partial(_run, main, name), flags_parser=functools.partial(_parsed, parse, name))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter would complain at its end
        sys.exit(READER_GONE)


def print_help(more: str = "", groups: Mapping[str, Sequence[str]] | None = None) -> NoReturn:
    """Prints the docstring and the flags of the program, and ends it.

    Args:
        more: What follows.
        groups: Titles -> names of flags, in the order in which they are printed; those in none come last, by name.
    """
    program = sys.modules["__main__"]
    own = {flag.name: flag for flag in flags.FLAGS.get_key_flags_for_module(program)}
    titled = [(title, [own.pop(name) for name in names]) for title, names in (groups or {}).items()]
    titled += [("Flags", [own[name] for name in sorted(own)])] if own else []
    parts = [f"{title}:\n" + "\n".join(map(_described, group)) for title, group in titled]
    print("\n\n".join([(program.__doc__ or "").rstrip(), *parts]) + more)
    sys.exit(0)


def _described(flag: flags.Flag) -> str:
    """A flag, what it is for, and what it is where it is not given."""
    name = f"  --{'[no]' if flag.boolean else ''}{flag.name}: "
    text = " ".join(f"{name.strip()} {flag.help}".split())
    if flag.default is not None and not flag.boolean:
        text += f" (default: {flag.default})"
    return textwrap.fill(text, 110, initial_indent="  ", subsequent_indent="      ")


def fail(name: str, error: Exception | str) -> NoReturn:
    """Prints what is wrong in one line and ends the program with code 2."""
    print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    if isinstance(error, UsageError) and error.abrupt:
        os._exit(2)
    sys.exit(2)


def _name_of(path: Path) -> str:
    return path.parent.name if path.name == "__main__.py" else path.name


def _parsed(parse: Callable[[list[str]], list[str]] | None, name: str, argv: list[str]) -> list[str]:
    try:
        return (parse or _parse)(argv)
    except flags.Error as error:
        fail(name, _MISSING.sub(r"give --\1; --help says how", str(error)))
    except UsageError as error:
        fail(name, error)


def _parse(argv: list[str]) -> list[str]:
    if HELP & set(argv[1:]):
        print_help()
    rest = flags.FLAGS(argv)
    if rest[1:]:
        raise UsageError(f"unexpected argument {rest[1]!r}: flags start with --; --help lists them")
    return rest


def _run(main: Callable[[list[str]], int | None], name: str, argv: list[str]) -> int | None:
    try:
        _check_matplotlib()
        with StopRequest():
            return main(argv)
    except UsageError as error:
        fail(name, error)
    except Interrupted as stop:
        leave(stop, name)
    except (RuntimeError, AssertionError) as error:
        if Path(traceback.extract_tb(error.__traceback__)[-1].filename).name != "xla_bridge.py":
            raise
        asked = os.environ.get("JAX_PLATFORMS")
        fail(
            name,
            f"JAX_PLATFORMS={asked}: {str(error) or 'there is no such device here'}; unset it, or install jax for it",
        )


@contextlib.contextmanager
def _without_echoes() -> Iterator[None]:
    """Context in which tensorstore does not print that nobody waits for its other writes, once one has failed.

    The failure itself is raised.
    """
    hooks = sys.excepthook, sys.unraisablehook  # versions of it call the one or the other

    def is_echo(error: BaseException | None) -> bool:
        return type(error) is RuntimeError and str(error) == "Event loop is closed"

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not is_echo(error):
            hooks[0](kind, error, trace)

    def unraisablehook(unraisable: Any) -> None:
        if not is_echo(unraisable.exc_value):
            hooks[1](unraisable)

    sys.excepthook, sys.unraisablehook = excepthook, unraisablehook
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = hooks


def _check_matplotlib() -> None:
    """Raises a UsageError if MPLBACKEND is none of matplotlib's: no figure could be drawn."""
    if backend := os.environ.get("MPLBACKEND"):
        try:
            _import_matplotlib()
        except ValueError as error:
            raise UsageError(f"MPLBACKEND={backend}: no backend of matplotlib; unset it, or give agg") from error


def _import_matplotlib() -> None:
    pass  # which reads the variable


def _reader_gone() -> bool:
    """Whether nobody reads what this process prints any more."""
    with contextlib.suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    return False
