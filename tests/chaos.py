"""A run that says in which phase it is, for whoever disturbs it: python -m tests.chaos ARGUMENTS OF mvae.main.

Chunks have one step, so that training can be disturbed after any of them. All else is the program as it is.
"""

import os
import sys

PHASES = ("starting", "loading", "compiling", "training", "evaluating", "drawing")


def announce(phase: str) -> None:
    """Prints a phase past all buffers."""
    os.write(1, f"PHASE {phase}\n".encode())


def announced(phase, function):
    """The function, with a phase said before each call."""

    def said(*arguments, **options):
        announce(phase)
        return function(*arguments, **options)

    return said


def announce_phases() -> None:
    """Puts announcements into the program."""
    from mvae import reports, runs
    from mvae.engine import loop

    run, module = sys.modules[runs.run.__module__], sys.modules[reports.conclude.__module__]
    run.build_experiment = announced("loading", run.build_experiment)
    module._evaluate = announced("evaluating", module._evaluate)
    module._draw = announced("drawing", module._draw)
    loop.CHUNK_SECONDS = 0.0

    class Bar(loop.ProgressBar):
        def __init__(self, *arguments):
            announce("compiling")
            self._compiled = False
            super().__init__(*arguments)

        def advance(self, step):
            if not self._compiled:
                announce("training")
            self._compiled = True
            super().advance(step)

    loop.ProgressBar = Bar


if __name__ == "__main__":
    announce("starting")
    from mvae import main

    parse = main._parse

    def parse_and_announce(argv):
        rest = parse(argv)
        announce_phases()
        return rest

    main._parse = parse_and_announce
    main.run()
