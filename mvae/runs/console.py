"""Messages of a run on the terminal."""

import logging

from absl import logging as absl_logging


def log_to_console(level: int = logging.INFO) -> None:
    """Sends the messages of all loggers under "mvae" to stderr, each with its time, and silences orbax below warnings.

    orbax reports every file it opens. Messages of a lower level are left out.
    """
    absl_logging.set_verbosity(absl_logging.WARNING)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("mvae")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level)
