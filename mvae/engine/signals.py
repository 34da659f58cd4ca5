"""SIGINT and SIGTERM ask for a checkpoint and a clean exit; a second one takes the default action."""

import signal
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 -- not an error: the run was asked to stop and did
    """Training stopped on a signal after writing a checkpoint."""

    def __init__(self, received: int, stage: str, step: int):
        super().__init__(f"stopped by {signal.Signals(received).name} at step {step} of stage {stage}")
        self.exit_code = 128 + received


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
