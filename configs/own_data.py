"""ΔVAE of your own data: a file of arrays or a table, cells by genes, or a folder of images.

    python -m mvae.main --config=configs/own_data.py --config.data.path=cells.h5ad --config.data.label=bulk_labels \
        --config.manifold=sphere:2 --workdir=runs/cells

What files there may be, and their options, is in `mvae.data.from_file`; --config=configs/own_data.py --help lists them.
Counts as they are: --config.model.likelihood=negative_binomial --config.data.scale=none.
"""

from ml_collections import ConfigDict

from mvae.runs import default_config, is_quick


def get_config(arg: str = "") -> ConfigDict:
    quick = is_quick(arg)
    config = default_config("dvae", data="file", manifold="sphere:2")
    config.num_steps = 300 if quick else 3000
    config.model.update({"encoder_widths": (256, 256), "decoder_widths": (256, 256)})
    config.model.likelihood = "gaussian_learned_variance"
    return config
