"""Cells by genes on a sphere, coloured by kind.

    python examples/own_cells.py cells.h5ad bulk_labels [PICTURE]

Run time on two CPU cores: 1 minute.
"""

import sys

import mvae
from mvae import figures
from mvae.data import from_file


def main(path: str, label: str, picture: str = "own_cells.png", layer: str = "X_pca", **settings) -> mvae.Trained:
    """Trains on the principal components that the file has, and draws where each kind of cell lies."""
    cells = from_file(path, label=label, layer=layer, scale="none")
    settings = {"num_steps": 3000, "likelihood": "gaussian_learned_variance"} | settings
    model = mvae.train("dvae", cells, manifold="sphere:2", **settings).best
    z = model.embed(cells.train["x"])
    figures.save(figures.latent_space(model.manifold, z, label=cells.train["label"], title="kinds of cells"), picture)
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])
