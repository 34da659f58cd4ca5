"""Progress in the log where there is no terminal."""

import pytest

from mvae.evaluation import progress as module
from mvae.evaluation.progress import progress, with_progress


def test_lines_are_written_now_and_then(monkeypatch, caplog):
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    with caplog.at_level("INFO"), progress("scores", 5) as done:
        for _ in range(5):
            done(1)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("scores: ")
    assert lines[0].endswith(" of 5")
    assert 1 <= len(lines) < 5


def test_what_is_short_says_nothing_and_an_interruption_passes(caplog):
    with caplog.at_level("INFO"):
        assert list(with_progress(range(3), "short")) == [0, 1, 2]

    def stopped():
        for item in with_progress(range(3), "stopped"):
            if item:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not caplog.records
