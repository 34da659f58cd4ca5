"""SIGINT and SIGTERM as exceptions, or as requests to stop at the next safe step; a second signal kills."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A run stopped on SIGINT or SIGTERM; no `Exception`, so that nothing that handles failures takes it for one."""

    def __init__(self, received: int, where: str = ""):
        super().__init__(f"stopped by {signal.Signals(received).name}{where and ' '}{where}")
        self.exit_code = 128 + received


def leave(stop: Interrupted, program: str) -> NoReturn:
    """Ends this process with the exit code of a stop and one line on stderr.

    Without the interpreter's own clean-up, in which jaxlib 0.10 crashes once a compilation was interrupted; locks and
    files are closed by then, as contexts have ended.
    """
    print(f"{program}: {stop}; the same command resumes", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(stop.exit_code)


class StopRequest:
    """Context in which the first SIGINT or SIGTERM raises `Interrupted` at once or, deferred, is only remembered.

    From the first signal on, the next one takes the default action. Contexts nest: the innermost rules. Outside the
    main thread, which alone may handle signals, the context does nothing.

    Args:
        deferred: Whether to remember rather than raise; may be changed within the context.
        where: What is stopped, in the message, such as "during the evaluation".

    Attributes:
        received: Number of the first signal, or None.
    """

    def __init__(self, *, deferred: bool = False, where: str = ""):
        self.deferred = deferred
        self._where = where
        self.received: int | None = None
        self._previous = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = number
        for caught in CAUGHT:
            signal.signal(caught, signal.SIG_DFL)
        if not self.deferred:
            raise Interrupted(number, self._where)

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._receive) for number in CAUGHT}
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
