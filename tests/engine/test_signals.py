"""The first signal raises or is remembered, the next one kills, and outside the main thread there is nothing to do."""

import os
import signal
import threading

import pytest

from mvae.engine.signals import CAUGHT, Interrupted, StopRequest


@pytest.mark.parametrize("number", CAUGHT)
def test_the_first_signal_raises_at_once_and_handlers_come_back(number):
    before = [signal.getsignal(caught) for caught in CAUGHT]
    with pytest.raises(Interrupted, match=f"^stopped by {number.name}$") as stop, StopRequest():  # noqa: PT012
        os.kill(os.getpid(), number)
        pytest.fail("the signal was ignored")
    assert stop.value.exit_code == 128 + number
    assert [signal.getsignal(caught) for caught in CAUGHT] == before


def test_what_handles_failures_does_not_swallow_it():
    with pytest.raises(Interrupted), StopRequest():  # noqa: PT012
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:
            pytest.fail("taken for a failure")


def test_deferred_it_is_remembered_and_the_next_one_kills():
    with StopRequest(), StopRequest(deferred=True) as request:
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.received == signal.SIGTERM
        assert all(signal.getsignal(caught) == signal.SIG_DFL for caught in CAUGHT)


def test_the_innermost_rules_and_then_the_outer_again():
    with pytest.raises(Interrupted), StopRequest():  # noqa: PT012
        with StopRequest() as inner:
            inner.deferred = True
            os.kill(os.getpid(), signal.SIGINT)
            assert inner.received == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the outer one was forgotten")


def test_other_threads_leave_signals_alone():
    before, errors = [signal.getsignal(caught) for caught in CAUGHT], []

    def enter():
        try:
            with StopRequest() as request:
                assert request.received is None
                assert [signal.getsignal(caught) for caught in CAUGHT] == before
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert not errors
