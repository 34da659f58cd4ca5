"""SIGINT and SIGTERM as exceptions, or as requests to stop at the next safe step; a second signal kills."""

import contextlib
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

CAUGHT = (signal.SIGINT, signal.SIGTERM)
AGAIN_SECONDS = 0.1  # after which a signal whose exception was dropped is sent once more

_ENTERED: list["StopRequest"] = []  # the contexts of the main thread, the innermost last


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
    with contextlib.suppress(OSError):  # who reads may be gone
        print(f"{program}: {stop}; the same command resumes", file=sys.stderr, flush=True)
        sys.stdout.flush()
    os._exit(stop.exit_code)


@contextlib.contextmanager
def leaving_at_once(program: str) -> Iterator[None]:
    """Context in which the first SIGINT or SIGTERM ends the process: for the imports, with which a program starts.

    There an exception would come out of any module, or be taken for a module that is not there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def receive(number: int, frame: FrameType | None) -> None:
        del frame
        leave(Interrupted(number), program)

    previous = {number: signal.signal(number, receive) for number in CAUGHT}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class StopRequest:
    """Context in which the first SIGINT or SIGTERM raises `Interrupted` at once or, deferred, is only remembered.

    From the first signal on, the next one takes the default action. Contexts nest: the innermost rules, and knows of
    what was remembered before. Outside the main thread, which alone may handle signals, the context does nothing.

    An exception that comes out of a signal's handler is dropped where it falls into a destructor, a callback from C or
    a bare `except`: then it is raised again a little later.

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
            stop = Interrupted(number, self._where)
            weakref.finalize(stop, self._dropped, number).atexit = False
            try:
                raise stop
            finally:
                del stop  # of this frame, which the exception's traceback holds: it would never be gone

    def _dropped(self, number: int) -> None:
        """Sends the signal again, if its exception is gone and has not ended the context."""
        if not self._previous or threading.current_thread() is not threading.main_thread():
            return
        signal.signal(number, self._receive)
        threading.Thread(target=self._send_again, args=(number,), daemon=True).start()

    def _send_again(self, number: int) -> None:
        time.sleep(AGAIN_SECONDS)
        if self._previous:
            os.kill(os.getpid(), number)

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self.received = _ENTERED[-1].received if _ENTERED else None
            _ENTERED.append(self)
            if self.received is None:
                self._previous = {number: signal.signal(number, self._receive) for number in CAUGHT}
        return self

    def __exit__(self, *exception) -> None:
        if self in _ENTERED:
            _ENTERED.remove(self)
        previous, self._previous = self._previous, {}
        for number, handler in previous.items():
            signal.signal(number, handler)
