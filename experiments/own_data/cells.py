"""Are cells of one kind together? Codes of blood cells on several manifolds, beside principal components and UMAP.

    python -m experiments.own_data.cells --data=cells.h5ad --label=bulk_labels [--manifolds=sphere:2,euclidean:2]

Printed is, for each manifold, the share of cells whose label is that of most of their 5 nearest codes, ten-fold
stratified, mean and standard deviation over the seeds, the bound on the log-likelihood of the test set, and the time of
training. Examples are the principal components that the file has (--layer=X_pca). Run time on two CPU cores: 5 minutes.
"""

import warnings

import numpy as np
from absl import flags
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import mvae
from mvae.data import Dataset, from_file
from mvae.programs import launch

MANIFOLDS = ("sphere:2", "euclidean:2", "euclidean:3", "sphere:3", "flat_torus:2", "sphere:10")

_DATA = flags.DEFINE_string("data", None, "File of cells by genes, .h5ad.", required=True)
_LABEL = flags.DEFINE_string("label", "bulk_labels", "Column of the kind of cell.")
_LAYER = flags.DEFINE_string("layer", "X_pca", "What the examples are: of layers or obsm; empty for X.")
_MANIFOLDS = flags.DEFINE_list("manifolds", list(MANIFOLDS), "Latent spaces.")
_SEEDS = flags.DEFINE_integer("seeds", 5, "How many models are trained.", lower_bound=1)
_STEPS = flags.DEFINE_integer("num_steps", 3000, "Steps of training.", lower_bound=1)


def together(codes: np.ndarray, label: np.ndarray) -> float:
    """Returns the ten-fold accuracy of the 5 nearest neighbours."""
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a kind of fewer cells than folds
        return float(cross_val_score(KNeighborsClassifier(5), codes, label, cv=folds).mean())


def columns(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Returns examples and labels of all rows."""
    parts = dataset.train, dataset.test
    x, label = (np.concatenate([np.asarray(rows[name]) for rows in parts]) for name in ("x", "label"))
    return x, label


def main(argv: list[str]) -> None:
    """Trains and prints the table."""
    del argv
    dataset = from_file(_DATA.value, label=_LABEL.value, layer=_LAYER.value, scale="none")
    x, label = (
        np.concatenate([np.asarray(rows[name]) for rows in (dataset.train, dataset.test)]) for name in ("x", "label")
    )
    print("| codes | label accuracy | ELBO | seconds |\n|---|---|---|---|", flush=True)
    for manifold in _MANIFOLDS.value:
        run = mvae.train(
            "dvae",
            dataset,
            manifold=manifold,
            seeds=_SEEDS.value,
            num_steps=_STEPS.value,
            likelihood="gaussian_learned_variance",
            encoder_widths=(128, 128),
            decoder_widths=(128, 128),
        )
        seconds = sum(record["seconds"] for record in run.metrics())
        found = [together(model.embed(x), label) for model in run]
        elbo = run.results["mean"]["elbo"]
        print(f"| {manifold} | {np.mean(found):.3f} ± {np.std(found):.3f} | {elbo:.2f} | {seconds:.0f} |", flush=True)
    components = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    for number in (2, 3, 50):
        codes = components[0][:, :number] * components[1][:number]
        print(f"| {number} principal components | {together(codes, label):.3f} | – | – |")
    umap = from_file(_DATA.value, label=_LABEL.value, layer="X_umap", scale="none")
    codes, label = (
        np.concatenate([np.asarray(rows[name]) for rows in (umap.train, umap.test)]) for name in ("x", "label")
    )
    print(f"| the file's UMAP | {together(codes, label):.3f} | – | – |")


if __name__ == "__main__":
    launch(main)
