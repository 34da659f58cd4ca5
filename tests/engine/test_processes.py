"""Process 0 of several is waited for, where a signal is heard; what is no address of it is named."""

import socket

import pytest

from mvae.engine import processes
from mvae.errors import UsageError


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("text", ["nowhere", ":80", "here:port", "here:0", "here:70000", ""])
def test_what_is_no_address_is_named(text):
    with pytest.raises(UsageError, match=f"^--coordinator={text}: give HOST:PORT of process 0"):
        processes.connect(text, 2, 1)


def test_who_does_not_listen_is_named(monkeypatch):
    monkeypatch.setattr(processes, "WAIT_SECONDS", -1.0)
    with pytest.raises(UsageError, match=r"process 0 does not listen there \(Connection refused\): see that it runs"):
        processes.connect(f"localhost:{free_port()}", 2, 1)


def test_a_host_that_is_not_there_is_named(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    with pytest.raises(UsageError, match=r"there is no host nowhere \(Name or service not known\)"):
        processes.connect("nowhere:80", 2, 1)


def test_who_listens_is_found():
    with socket.create_server(("localhost", 0)) as server:
        processes._await_listener(f"localhost:{server.getsockname()[1]}")
