"""codes.npz of a run's folder: the places of training and test rows, for every seed."""

import numpy as np
import pytest

from mvae.runs.trained import Functions, codes
from mvae.runs.trained.codes import write_codes
from tests.paths import arrays_in


def test_every_run_with_an_encoder_has_codes(finished):
    path = finished.folder / "codes.npz"
    if "encoder" in finished.experiment.model.lacks:
        assert not path.exists()
        return
    found = arrays_in(path)
    dataset, model = finished.experiment.dataset, finished.run[0]
    assert found["seeds"].tolist() == [model.seed]
    assert found["train"].shape == (1, dataset.num_train, model.manifold.ambient_dim)
    np.testing.assert_array_equal(found["test"][0], model.embed(finished.x))
    for name in ("label", "translation"):
        assert (f"test_{name}" in found) == (name in dataset.test)
        if name in dataset.test:
            np.testing.assert_array_equal(found[f"test_{name}"], dataset.test[name])
            np.testing.assert_array_equal(found[f"train_{name}"], dataset.train[name])


@pytest.mark.parametrize("finished", ["vae"], indirect=True)
def test_of_large_data_there_are_rows_spread_over_all(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(codes, "MOST_ROWS", 7)
    monkeypatch.setattr(codes, "AT_A_TIME", 3)
    dataset = finished.experiment.dataset
    functions = Functions(finished.run._functions.saved, finished.run._functions.networks)
    write_codes(tmp_path, functions, finished.params, (0,), dataset)
    found = arrays_in(tmp_path / "codes.npz")
    assert found["train_rows"].tolist() == np.linspace(0, dataset.num_train - 1, 7).astype(int).tolist()
    whole = arrays_in(finished.folder / "codes.npz")
    np.testing.assert_allclose(found["train"], whole["train"][:, found["train_rows"]], atol=1e-6)
