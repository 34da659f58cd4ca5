"""What becomes of the members of a sweep, without training any."""

import logging
import pickle

import pytest

from mvae import data
from mvae.engine.files import write_json
from mvae.runs.locks import Locks
from mvae.runs.manifolds import MANIFOLDS
from mvae.runs.run_folder import RunFolder
from mvae.sweep import finished_members, ray_executor
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


@pytest.fixture
def tables():
    """Takes back what a test adds to the tables of data and manifolds."""
    before = [(table, dict(table)) for table in (data.BUILDERS, MANIFOLDS)]
    yield
    for table, entries in before:
        table.clear()
        table.update(entries)


def test_a_worker_of_ray_knows_what_the_files_of_a_sweep_add(tmp_path, monkeypatch, tables):
    """A task is pickled, and a worker imports `mvae` alone: what config and sweep register has to come with them."""
    head = "from mvae import data\nfrom mvae.manifolds import Sphere\nfrom mvae.runs.manifolds import MANIFOLDS\n"
    config, sweep = tmp_path / "config.py", tmp_path / "sweep.py"
    config.write_text(
        f"{head}def mine(*, num_train: int = 4):\n    return data.load('circle', num_train=num_train)\n"
        "data.BUILDERS['mine'] = mine\ndef get_config(arg=''):\n    return {'data': f'mine:num_train={arg or 4}'}\n"
    )
    sweep.write_text(f"{head}MANIFOLDS['ball'] = Sphere\ndef sweep():\n    yield 'a', {{}}\n")
    known = []

    def failures_of(jobs, limit):
        del limit
        known.append(("mine" in data.BUILDERS, "ball" in MANIFOLDS))
        return [None] * len(jobs)

    monkeypatch.setattr(ray_executor, "failures_of", failures_of)
    (member,) = members([("a", {})])
    job = ray_executor.Job(member.config, tmp_path / "a", member.recorded)
    task, jobs = pickle.loads(pickle.dumps((ray_executor._task, [job])))
    assert task(jobs, None, "off", None) == [None]
    assert task(jobs, None, "off", (config, "8"), sweep) == [None]
    assert task(jobs, None, "off", (tmp_path / "elsewhere.py", ""), tmp_path / "elsewhere.py") == [None]
    assert known == [(False, False), (True, True), (True, True)]
