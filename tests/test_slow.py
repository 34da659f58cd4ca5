"""The slow tests' parts: all files, each once, and what they took."""

import json

from tests import slow


def test_parts_have_each_file_once_and_like_sums():
    seconds = {f"tests/test_{number}.py": float(number) for number in range(30)}
    parts = slow.share_out(seconds, 4)
    assert sorted(name for part in parts for name in part) == sorted(seconds)
    sums = [sum(seconds[name] for name in part) for part in parts]
    assert max(sums) - min(sums) <= max(seconds.values()) / 4


def test_what_a_part_took_is_recorded_beside_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(slow, "RECORD", tmp_path / "seconds.json")
    slow.RECORD.write_text('{"tests/test_b.py": 7.0}')
    report = tmp_path / "report.xml"
    cases = [("tests.test_a", 1.25), ("tests.test_a", 2.0), ("tests.other", 9.0)]
    lines = "".join(f'<testcase classname="{name}" name="x" time="{seconds}"/>' for name, seconds in cases)
    report.write_text(f"<testsuites><testsuite>{lines}</testsuite></testsuites>")
    slow.record(report, ["tests/test_a.py"])
    assert json.loads(slow.RECORD.read_text()) == {"tests/test_a.py": 3.2, "tests/test_b.py": 7.0}
