"""What the configs resolve to, so that no change of a default changes an experiment unseen.

`python -m tests.test_config_values` prints the table anew; the change of every line in it wants a reason.
"""

import hashlib
import json

import pytest

from mvae.runs.config import DATA
from mvae.runs.config_file import load_config
from mvae.runs.manifolds import text_of
from mvae.runs.notation import text_of_block
from mvae.runs.overrides import resolve
from tests.paths import CONFIGS

ARGUMENTS = {
    "er": ["quick", "circle", "sphere", "torus", "so3", "interval", "plane"],
    "vdae": [
        *("quick", "circle", "loop", "torus", "sphere", "two_moons", "gaussian_grid", "bunny", "frey"),
        *("coil20", "coil20_object", "turntable", "mnist"),
    ],
}
# Config -> method, data, manifold, seeds × steps or epochs in batches of so many, and a digest of everything.
EXPECTED = {
    "dvae_genus_two:": ("dvae", "mnist", "implicit:surface=genus_two", "1 × 40 epochs of 640", "46eb2ff7a603"),
    "dvae_genus_two:quick": (
        "dvae",
        "simple_picture",
        "implicit:surface=genus_two",
        "1 × 3 epochs of 128",
        "209e8962fcd9",
    ),
    "dvae_hypersphere:": ("dvae", "turntable", "sphere:10", "5 × 150 epochs of 64", "16b8de38f3d2"),
    "dvae_hypersphere:quick": ("dvae", "turntable", "sphere:10", "1 × 30 epochs of 64", "4633894244aa"),
    "dvae_mnist:": ("dvae", "mnist", "sphere:2", "1 × 50 epochs of 640", "d2e103d4ef00"),
    "dvae_mnist:quick": ("dvae", "mnist:num_test=2000", "sphere:2", "1 × 5 epochs of 640", "bc5aead514dc"),
    "dvae_torus:": ("dvae", "simple_picture", "flat_torus:2", "10 × 20 epochs of 128", "a25cef80dbb9"),
    "dvae_torus:quick": ("dvae", "simple_picture", "flat_torus:2", "1 × 6 epochs of 128", "7fb199c60a14"),
    "er:": ("er", "lifted:num_test=2000:space=circle", "sphere:1", "10 × 4000 steps of 128", "4efb54d7900d"),
    "er:quick": ("er", "lifted:num_test=2000:space=circle", "sphere:1", "1 × 500 steps of 128", "d56bac9e289f"),
    "er:circle": ("er", "lifted:num_test=2000:space=circle", "sphere:1", "10 × 4000 steps of 128", "4efb54d7900d"),
    "er:sphere": ("er", "lifted:num_test=2000:space=sphere", "sphere:2", "10 × 4000 steps of 128", "dd6608aae6ef"),
    "er:torus": ("er", "lifted:num_test=2000:space=torus", "flat_torus:2", "10 × 4000 steps of 128", "4229f0564d77"),
    "er:so3": ("er", "lifted:num_test=2000:space=so3", "so3", "10 × 4000 steps of 128", "5810e45c18a7"),
    "er:interval": (
        "er",
        "lifted:num_test=2000:space=interval",
        "euclidean:1",
        "10 × 4000 steps of 128",
        "dee308ddf4c2",
    ),
    "er:plane": ("er", "lifted:num_test=2000:space=plane", "euclidean:2", "10 × 4000 steps of 128", "91a3e5775c2a"),
    "svae:": ("svae", "turntable", "sphere:10", "5 × 150 epochs of 64", "f65b297feb4b"),
    "svae:quick": ("svae", "turntable", "sphere:10", "1 × 30 epochs of 64", "a0d3aafdc0f8"),
    "vae:": ("vae", "turntable", "euclidean:10", "5 × 150 epochs of 64", "4b149c1f707e"),
    "vae:quick": ("vae", "turntable", "euclidean:10", "1 × 30 epochs of 64", "4211e19e21ea"),
    "vaells_circles:": ("vaells", "concentric_circles", "euclidean:2", "1 × 8000 steps of 30", "562e80f14cd1"),
    "vaells_circles:quick": ("vaells", "concentric_circles", "euclidean:2", "1 × 3000 steps of 30", "2ff635a3ed6e"),
    "vaells_mnist:": ("vaells", "mnist", "euclidean:6", "1 × 6000 steps of 64", "7957612fb8bd"),
    "vaells_mnist:quick": ("vaells", "mnist", "euclidean:6", "1 × 500 steps of 64", "a533b01c878c"),
    "vaells_rotated_mnist:": (
        "vaells",
        "rotated_mnist:num_anchors=3",
        "euclidean:10",
        "1 × 6000 steps of 64",
        "f768ee8fef7a",
    ),
    "vaells_rotated_mnist:quick": (
        "vaells",
        "rotated_mnist:num_anchors=3",
        "euclidean:10",
        "1 × 500 steps of 64",
        "b963618dd65c",
    ),
    "vaells_swiss_roll:": ("vaells", "swiss_roll", "euclidean:2", "1 × 10000 steps of 30", "4d07c0dc5be7"),
    "vaells_swiss_roll:quick": ("vaells", "swiss_roll", "euclidean:2", "1 × 3000 steps of 30", "ee51bc050799"),
    "vamp:": ("vamp", "turntable", "euclidean:10", "5 × 150 epochs of 64", "ad57ef02984f"),
    "vamp:quick": ("vamp", "turntable", "euclidean:10", "1 × 30 epochs of 64", "f38fc534368d"),
    "vdae:": ("vdae", "circle:num_train=4096", "euclidean:2", "5 × 2000 steps of 256", "eaad898dab7c"),
    "vdae:quick": ("vdae", "circle:num_train=4096", "euclidean:2", "1 × 300 steps of 256", "9fc80a06b156"),
    "vdae:circle": ("vdae", "circle:num_train=4096", "euclidean:2", "5 × 2000 steps of 256", "eaad898dab7c"),
    "vdae:loop": ("vdae", "loop", "euclidean:2", "5 × 2000 steps of 256", "b22fcad87361"),
    "vdae:torus": ("vdae", "torus:num_train=5000", "euclidean:6", "5 × 2000 steps of 256", "86537e70cd6d"),
    "vdae:sphere": ("vdae", "sphere:num_train=6000", "euclidean:3", "5 × 2000 steps of 256", "6837733fe74a"),
    "vdae:two_moons": ("vdae", "two_moons", "euclidean:3", "5 × 2000 steps of 256", "189b013f27b7"),
    "vdae:gaussian_grid": ("vdae", "gaussian_grid", "euclidean:24", "5 × 2000 steps of 256", "65d87a4f1e33"),
    "vdae:bunny": ("vdae", "bunny", "euclidean:6", "5 × 2000 steps of 256", "ca96eb21b95e"),
    "vdae:frey": ("vdae", "frey", "euclidean:5", "5 × 1000 steps of 256", "1f8482f87ca0"),
    "vdae:coil20": (
        "vdae",
        "coil20:objects=(1,2,3,4,5):size=32",
        "euclidean:10",
        "5 × 1000 steps of 270",
        "35fdc06fb965",
    ),
    "vdae:coil20_object": ("vdae", "coil20:object=1:size=32", "euclidean:2", "5 × 1500 steps of 54", "d4486b95c454"),
    "vdae:turntable": (
        "vdae",
        "turntable:num_azimuths=200:num_elevations=1:size=32",
        "euclidean:2",
        "5 × 1000 steps of 150",
        "b6022fcc9bfc",
    ),
    "vdae:mnist": ("vdae", "mnist", "euclidean:20", "5 × 1000 steps of 256", "54fcbce5e9e8"),
    "wgan:": ("wgan", "turntable", "euclidean:10", "5 × 150 epochs of 64", "5acc1d4924ea"),
    "wgan:quick": ("wgan", "turntable", "euclidean:10", "1 × 30 epochs of 64", "54d45e6a060f"),
}


def summary(name: str, argument: str) -> tuple[str, ...]:
    """What a config resolves to, told in a few words and a digest."""
    resolved = resolve(load_config(CONFIGS / f"{name}.py", argument))
    block, run = resolved.block, resolved.run
    length = f"{run.num_steps} steps" if run.num_steps else f"{run.num_epochs} epochs"
    digest = hashlib.sha256(json.dumps(block, sort_keys=True).encode()).hexdigest()[:12]
    data = text_of_block(dict(sorted(block["data"].items())), DATA)
    return block["method"], data, text_of(resolved.manifold), f"{run.num_seeds} × {length} of {run.batch_size}", digest


def names() -> list[str]:
    """All configs with all their arguments."""
    stems = sorted(path.stem for path in CONFIGS.glob("*.py"))
    return [f"{stem}:{argument}" for stem in stems for argument in ["", *ARGUMENTS.get(stem, ["quick"])]]


@pytest.mark.parametrize("name", names())
def test_configs_resolve_to_what_the_experiments_were_run_with(name):
    assert summary(*name.split(":")) == EXPECTED[name]


if __name__ == "__main__":
    for each in names():
        print(f'    "{each}": {summary(*each.split(":"))},')
