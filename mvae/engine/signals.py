"""SIGINT and SIGTERM ask for a checkpoint and a clean exit; a second one takes the default action."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 -- not an error: the run was asked to stop and did
    """Training stopped on a signal after writing a checkpoint."""

    def __init__(self, received: int, stage: str, step: int):
        super().__init__(f"stopped by {signal.Signals(received).name} at step {step} of stage {stage}")
        self.exit_code = 128 + received

    @classmethod
    def during(cls, received: int, what: str) -> "Interrupted":
        """Returns one that came not amid the steps of a stage, but during something else."""
        stopped = cls(received, "", 0)
        stopped.args = (f"stopped by {signal.Signals(received).name} during {what}",)
        return stopped


class _Stop(BaseException):  # passes by whatever catches exceptions on its way out
    """A signal has come."""


@contextlib.contextmanager
def stoppable(what: str) -> Iterator[None]:
    """Context that the first SIGINT or SIGTERM ends at once; a second one takes the default action.

    Args:
        what: What is stopped, in the message.

    Raises:
        Interrupted: On a signal.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    received: list[int] = []
    previous: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)
        previous.clear()

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        restore()
        raise _Stop

    previous |= {number: signal.signal(number, stop) for number in CAUGHT}
    try:
        yield
    except _Stop:
        raise Interrupted.during(received[0], what) from None
    finally:
        restore()


class StopRequest:
    """Context in which the first SIGINT or SIGTERM is remembered rather than acted on."""

    def __init__(self):
        self.received: int | None = None
        self._previous = {}

    def _remember(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def __enter__(self) -> "StopRequest":
        self._previous = {number: signal.signal(number, self._remember) for number in CAUGHT}
        return self

    def __exit__(self, *exception) -> None:
        self._restore()
