"""The first signal raises or is remembered, the next one kills, and outside the main thread there is nothing to do."""

import contextlib
import os
import signal
import sys
import threading
import time

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


def test_an_inner_one_knows_what_was_remembered_before():
    with StopRequest(deferred=True) as outer:
        os.kill(os.getpid(), signal.SIGTERM)
        with StopRequest() as inner:
            assert inner.received == signal.SIGTERM
            assert all(signal.getsignal(caught) == signal.SIG_DFL for caught in CAUGHT)
        assert outer.received == signal.SIGTERM
    with StopRequest() as another:
        assert another.received is None


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


def dropped_by_a_bare_except():
    with contextlib.suppress(BaseException):
        os.kill(os.getpid(), signal.SIGTERM)


def dropped_in_a_destructor():
    class Ends:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    Ends()


@pytest.mark.parametrize("drop", [dropped_by_a_bare_except, dropped_in_a_destructor])
def test_an_exception_that_is_dropped_is_raised_again(drop, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    before = [signal.getsignal(caught) for caught in CAUGHT]
    with pytest.raises(Interrupted, match=r"^stopped by SIGTERM$"), StopRequest():  # noqa: PT012
        drop()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            time.sleep(0.01)
        pytest.fail("the signal was ignored")
    assert [signal.getsignal(caught) for caught in CAUGHT] == before


def test_one_that_has_ended_its_context_is_not_raised_again(monkeypatch):
    sent = []
    monkeypatch.setattr(StopRequest, "_send_again", lambda self, number: sent.append(number))
    with StopRequest():
        try:
            with StopRequest():
                os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted:
            pass
        time.sleep(0.05)
    assert not sent
