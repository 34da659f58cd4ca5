"""The time that a dry run expects, by a clock of its own, and how it is said."""

from types import SimpleNamespace

import pytest

from mvae.runs import dry_run
from mvae.runs.dry_run import Seconds


class Machine:
    """A program whose steps take given seconds, the first call more, and a clock that they are measured with."""

    def __init__(self, monkeypatch, seconds_of):
        self.now, self.steps, self.seconds_of = 0.0, 0, seconds_of
        monkeypatch.setattr(dry_run.time, "perf_counter", lambda: self.now)
        self.program = SimpleNamespace(orders=lambda step: (), run=self.run)

    def run(self, progress, orders, start, stop):
        assert start == self.steps
        self.now += 30.0 if start == 0 else 0.002 + sum(map(self.seconds_of, range(start, stop)))
        self.steps = stop
        return progress, orders


def stepped(monkeypatch, seconds_of, num_steps=10_000):
    machine = Machine(monkeypatch, seconds_of)
    progress, found = dry_run._stepped(SimpleNamespace(num_steps=num_steps), machine.program, ())
    assert progress == ()
    return machine, found


@pytest.mark.parametrize("each", [1e-4, 0.01, 0.3, 5.0])
def test_steps_that_are_alike(monkeypatch, each):
    """What is done but once, and what a call costs, is in neither end."""
    machine, found = stepped(monkeypatch, lambda step: each)
    assert each <= found.low <= found.high <= 1.02 * each + 2e-5
    assert machine.steps < max(16, 5 / each)


def test_other_work_on_the_machine_is_between_the_ends(monkeypatch):
    """Every third of a few hundred steps takes four times as long: the whole takes twice as long as the fastest."""
    _, found = stepped(monkeypatch, lambda step: 0.04 if step // 40 % 3 == 2 else 0.01)
    assert found.low < 0.012
    assert found.low < found.high < 0.04


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_a_stage_of_few_steps_is_not_left(monkeypatch, num_steps):
    machine, found = stepped(monkeypatch, lambda step: 0.01, num_steps)
    assert machine.steps == num_steps
    assert found == Seconds(0, 0) if num_steps == 1 else 0.01 <= found.high < 0.0125


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ((3.2, 3.9), "about 4 s"),
        ((20.0, 31.5), "20 to 32 s"),
        ((100.0, 400.0), "100 s to 7 min"),
        ((300.0, 480.0), "5 to 8 min"),
        ((3600.0, 9000.0), "60 min to 2.5 h"),
    ],
)
def test_times_in_words(seconds, words):
    assert dry_run._expected(Seconds(*seconds)) == words
