"""Damaged lines of metrics.jsonl are left out one by one, and said; TensorBoard's file reads back, and may fail."""

import errno
import json
import logging

import pytest
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event

from mvae.engine.metrics import Board, MetricWriter, read_records

LINES = [{"stage": "a", "step": step, "loss": [1.0]} for step in (5, 10, 15)]
DAMAGED = [b'{"stage": "a", "st', b"\xff\xfe\x00", b"17", b'{"step": 3}', b""]


def test_damaged_lines_are_left_out_one_by_one_and_said_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("mvae"), "propagate", True)
    path = tmp_path / "metrics.jsonl"
    first, *rest = (json.dumps(line).encode() for line in LINES)
    path.write_bytes(b"\n".join([first, *DAMAGED, *rest, DAMAGED[0]]))
    assert read_records(path) == read_records(path) == LINES
    assert [record.getMessage() for record in caplog.records] == [f"{path}: damaged line(s) 2, 3, 4, 5, 6, 9 left out"]
    writer = MetricWriter(path, tmp_path / "tensorboard", "a", 12)
    writer.write(15, {"loss": [2.0]}, 0.5)
    writer.close()
    assert read_records(path) == [*LINES[:2], {"stage": "a", "step": 15, "loss": [2.0], "seconds": 0.5}]
    assert len(path.read_text().splitlines()) == 3


def events(path):
    """The events of a file, by its format: length, checksum, bytes, checksum."""
    content, found = path.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return found


def test_tensorboard_gets_the_curves_and_forgets_what_is_done_again(tmp_path):
    for first in (0, 5):
        board = Board(tmp_path / "train", first)
        for step in (first + 5, first + 10):
            board.write("loss/mean", 0.5 * step, step)
        board.close()
        (path,) = (tmp_path / "train").iterdir()
        head, start, *rest = events(path)
        assert head.file_version == "brain.Event:2"
        assert (start.session_log.status, start.step) == (1, first + 1)
        values = [(event.step, event.summary.value[0].tag, event.summary.value[0].simple_value) for event in rest]
        assert values == [(step, "loss/mean", 0.5 * step) for step in (first + 5, first + 10)]
        path.unlink()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its file open
@pytest.mark.parametrize("method", ["__init__", "write_event", "flush", "close"])
def test_a_board_that_cannot_be_written_ends_and_the_metrics_go_on(tmp_path, monkeypatch, caplog, method):
    monkeypatch.setattr(logging.getLogger("mvae"), "propagate", True)
    monkeypatch.setattr("mvae.engine.metrics.BOARD_SECONDS", -1.0)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EventsWriter, method, full)
    writer = MetricWriter(tmp_path / "metrics.jsonl", tmp_path / "tensorboard", "a", 0)
    for step in range(1, 30):
        writer.write(step, {"loss": [1.0, 2.0]}, 0.5)
    writer.close()
    assert len(read_records(tmp_path / "metrics.jsonl")) == 29
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'tensorboard' / 'a'} cannot be written (No space left on device): no more of it"
    ]
