"""What only some trained models have: walks of a VDAE, operators of a VAELLS; others say that they have none."""

import numpy as np
import pytest

from mvae.errors import UsageError


def test_walks_begin_at_the_examples_and_are_those_of_the_seed(finished):
    model, x = finished.run.best, finished.x[:3]
    if "walk" not in finished.experiment.model.capabilities:
        with pytest.raises(NotImplementedError, match="has no walk"):
            model.walk(x, 4)
        return
    paths = model.walk(x, 4)
    assert paths.shape == (3, 5, *model.event_shape)
    np.testing.assert_allclose(paths[:, 0], x, atol=1e-6)
    np.testing.assert_array_equal(model.walk(x, 4), paths)
    assert (model.walk(x, 4, seed=1)[:, 1:] != paths[:, 1:]).any()
    with pytest.raises(UsageError, match="num_steps must be at least 1"):
        model.walk(x, 0)


def test_operators_are_those_of_the_parameters(finished):
    model = finished.run.best
    operators = finished.experiment.model.capabilities.get("operators")
    if operators is None:
        with pytest.raises(NotImplementedError, match="has no operators"):
            _ = model.operators
        return
    assert model.operators.ndim == 3
    np.testing.assert_array_equal(model.operators, operators(model.params))


def test_without_a_condition_there_are_no_categories(finished):
    assert finished.run.best.conditions == ()
