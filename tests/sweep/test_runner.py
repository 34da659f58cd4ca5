"""What becomes of the members of a sweep, without training any."""

import logging

from mvae.engine.files import write_json
from mvae.runs.locks import Locks
from mvae.runs.run_folder import RunFolder
from mvae.sweep import finished_members
from tests.sweep.tiny import members


def test_members_that_are_left_out_are_named(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("mvae"), "propagate", True)
    done, held = members([("done", {}), ("held", {"seed": 1})])
    folder = RunFolder(tmp_path / done.name)
    folder.claim(done.config, list(done.recorded))
    write_json(folder.results, {})
    with Locks() as elsewhere:
        assert elsewhere.acquire(tmp_path / held.name)
        assert finished_members([held, done], tmp_path) == [done]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert said[0].startswith("held is held and is left out: ")
