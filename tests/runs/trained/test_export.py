"""Exported encoders and decoders run where mvae cannot be imported, and give what the model gives."""

import json
import subprocess
import sys

import numpy as np
import pytest

from mvae.errors import UsageError
from mvae.methods import METHODS
from tests.paths import arrays_in

pytest.importorskip("flatbuffers", reason="jax writes exported programs with flatbuffers")

PROGRAM = """
import json, pathlib, sys
sys.modules["mvae"] = None
import jax, jax.export, numpy as np
folder = pathlib.Path(sys.argv[1])
given, found = np.load(folder / "given.npz"), {}
for name, program in json.loads((folder / "signature.json").read_text())["programs"].items():
    exported = jax.export.deserialize(bytearray((folder / program["file"]).read_bytes()))
    inputs = [given[each["name"]] for each in program["inputs"]]
    for rows in (1, len(inputs[0])):
        outputs = exported.call(*(each[:rows] for each in inputs))
    assert outputs.keys() == program["outputs"].keys()
    found |= {f"{name}.{key}": np.asarray(value) for key, value in outputs.items()}
np.savez(folder / "found.npz", **found)
"""


QUICK = ("dvae", "wgan")
OTHERS = [pytest.param(method, marks=pytest.mark.slow) for method in METHODS if method not in QUICK]


@pytest.mark.parametrize("finished", [*QUICK, *OTHERS], indirect=True)
def test_programs_run_without_mvae(finished, tmp_path):
    model, x = finished.run[0], finished.x
    folder = model.export(tmp_path / "export")
    signature = json.loads((folder / "signature.json").read_text())
    has_encoder = "encoder" not in finished.experiment.model.lacks
    assert set(signature["programs"]) == {"decoder"} | ({"encoder"} if has_encoder else set())
    for program in signature["programs"].values():
        assert program["platforms"] == ["cpu", "cuda", "tpu"]
    z = np.asarray(model.manifold.project(np.eye(model.manifold.ambient_dim, dtype=np.float32)))
    np.savez(folder / "given.npz", x=x, z=z)
    subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], check=True, timeout=120)
    found = arrays_in(folder / "found.npz")
    np.testing.assert_allclose(found["decoder.x"], model.decode(z), atol=1e-5, rtol=1e-5)
    if has_encoder:
        np.testing.assert_allclose(found["encoder.location"], model.embed(x), atol=1e-5, rtol=1e-4)
        shape = signature["programs"]["encoder"]["outputs"]["location"]
        assert shape == {"shape": ["n", model.manifold.ambient_dim], "dtype": "float32"}


@pytest.mark.parametrize("finished", ["vae"], indirect=True)
def test_a_folder_of_something_else_is_left_alone(finished, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else than an export"):
        finished.run[0].export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    folder = finished.run[0].export(tmp_path / "export")
    finished.run[0].export(folder)  # over an export it may be written again
