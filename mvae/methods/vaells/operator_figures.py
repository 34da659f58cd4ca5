"""Pictures of what operators do to pictures: samples around an example, and the path of each operator."""

import jax
import jax.numpy as jnp
import numpy as np

from mvae import figures
from mvae.models.model import Params
from mvae.runs.experiment import Experiment
from mvae.runs.run_folder import RunFolder
from mvae.transport import path, transport

NUM_ROWS = 200  # test examples among which one of each class is found
NUM_EXAMPLES = 3
SIDE = 5
SAMPLE_ANGLE = 0.8  # expected |c|_1 of random transports, in units of `_unit`
PATH_ANGLE = 1.0
NUM_COLUMNS = 13
FIGURE_SEED = 7


def draw_operator_figures(experiment: Experiment, params: Params, folder: RunFolder) -> None:
    """Draws pictures decoded from samples of posteriors and the orbit of each operator [connor2021, Figs. 5 and 7].

    Both reach further than the posteriors of the model, whose samples the eye could hardly tell from their centre.
    """
    dataset, model = experiment.dataset, experiment.model
    if "operators" not in params or len(dataset.event_shape) != 3:
        return
    rows = {name: array[:NUM_ROWS] for name, array in dataset.test.items()}
    label = np.asarray(rows["label"])
    first = np.array([np.flatnonzero(label == k)[0] for k in np.unique(label)])
    batch = dataset.render({name: array[first] for name, array in rows.items()})
    location = model.encode(params, batch["x"]).location
    operators = params["operators"]

    def decoded(latent):
        pictures = np.asarray(model.decode(params, latent.reshape(-1, latent.shape[-1])))
        return pictures.reshape(*latent.shape[:-1], *pictures.shape[1:])

    few = location[2 : 2 + NUM_EXAMPLES] if len(location) > NUM_EXAMPLES + 1 else location[:NUM_EXAMPLES]
    draws = jax.random.laplace(jax.random.key(FIGURE_SEED), (len(few), SIDE, SIDE, len(operators)))
    coefficients = SAMPLE_ANGLE * _unit(params) * draws / len(operators)
    samples = transport(operators, coefficients, few[:, None, None])
    figure = figures.samples_around(decoded(few), decoded(samples))
    figures.save(figure, folder.figures / "posterior_samples.png")
    if len(operators) > 1:
        times = PATH_ANGLE * _unit(params) * np.linspace(-1, 1, NUM_COLUMNS)  # exactly 0 in the middle
        orbits = path(operators, jnp.eye(len(operators)), few[:1], jnp.asarray(times, jnp.float32))
        figure = figures.extrapolated_rows(decoded(orbits), NUM_COLUMNS // 2, times)
        figures.save(figure, folder.figures / "operator_paths.png")


def _unit(params: Params) -> float:
    """Coefficient with which the largest operator has the Frobenius norm of a turn by a radian in each plane, √d."""
    operators = params["operators"]
    return float(jnp.sqrt(operators.shape[-1]) / jnp.max(jnp.linalg.norm(operators, axis=(1, 2))))
