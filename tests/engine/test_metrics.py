"""Damaged lines of metrics.jsonl are left out one by one, and said once."""

import json
import logging

from mvae.engine.metrics import MetricWriter, read_records

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
