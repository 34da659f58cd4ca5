"""Members as small as they can be, of two methods."""

from mvae.runs.config_file import load_config
from mvae.sweep import build_members
from tests.paths import CONFIGS

TINY = {
    "data.name": "simple_picture",
    "data.size": 8,
    "data.num_train": 128,
    "data.num_test": 32,
    "batch_size": 16,
    "init_batch_size": 64,
    "model.encoder_widths": (8,),
    "model.decoder_widths": (8,),
    "optimizer.encoder_warmup_steps": 2,
    "evaluation.importance_samples": 2,
    "evaluation.bound_samples": 2,
    "evaluation.degree_grid": 8,
    "num_steps": 12,
    "log_every": 5,
    "checkpoint_every": 4,
}


def members(sweep, config="dvae_torus.py"):
    return build_members(
        load_config(CONFIGS / config, "quick"), [(name, TINY | dict(changed)) for name, changed in sweep]
    )
