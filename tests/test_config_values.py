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
    "dvae_genus_two:": ("dvae", "mnist", "implicit:surface=genus_two", "1 × 40 epochs of 640", "c10b880ad899"),
    "dvae_genus_two:quick": (
        "dvae",
        "simple_picture",
        "implicit:surface=genus_two",
        "1 × 3 epochs of 128",
        "11983349e744",
    ),
    "dvae_hypersphere:": ("dvae", "turntable", "sphere:10", "5 × 150 epochs of 64", "ffe3e63d52bb"),
    "dvae_hypersphere:quick": ("dvae", "turntable", "sphere:10", "1 × 30 epochs of 64", "caa602fff625"),
    "dvae_mnist:": ("dvae", "mnist", "sphere:2", "1 × 50 epochs of 640", "6dfb1c2e2f5d"),
    "dvae_mnist:quick": ("dvae", "mnist:num_test=2000", "sphere:2", "1 × 5 epochs of 640", "ad8ec8452cfb"),
    "dvae_torus:": ("dvae", "simple_picture", "flat_torus:2", "10 × 20 epochs of 128", "4169ebc63a1a"),
    "dvae_torus:quick": ("dvae", "simple_picture", "flat_torus:2", "1 × 6 epochs of 128", "e7dd554ecb6a"),
    "er:": ("er", "lifted:num_test=2000:space=circle", "sphere:1", "10 × 4000 steps of 128", "54239188afd2"),
    "er:quick": ("er", "lifted:num_test=2000:space=circle", "sphere:1", "1 × 500 steps of 128", "386ceca01ca7"),
    "er:circle": ("er", "lifted:num_test=2000:space=circle", "sphere:1", "10 × 4000 steps of 128", "54239188afd2"),
    "er:sphere": ("er", "lifted:num_test=2000:space=sphere", "sphere:2", "10 × 4000 steps of 128", "ad0e3568cacf"),
    "er:torus": ("er", "lifted:num_test=2000:space=torus", "flat_torus:2", "10 × 4000 steps of 128", "f613c070091c"),
    "er:so3": ("er", "lifted:num_test=2000:space=so3", "so3", "10 × 4000 steps of 128", "e261aeae4ae0"),
    "er:interval": (
        "er",
        "lifted:num_test=2000:space=interval",
        "euclidean:1",
        "10 × 4000 steps of 128",
        "2e4b02f3b30a",
    ),
    "er:plane": ("er", "lifted:num_test=2000:space=plane", "euclidean:2", "10 × 4000 steps of 128", "868622c7de58"),
    "own_data:": ("dvae", "file", "sphere:2", "1 × 3000 steps of 64", "74d80880bd72"),
    "own_data:quick": ("dvae", "file", "sphere:2", "1 × 300 steps of 64", "33120b25e33f"),
    "svae:": ("svae", "turntable", "sphere:10", "5 × 150 epochs of 64", "a52f1809169d"),
    "svae:quick": ("svae", "turntable", "sphere:10", "1 × 30 epochs of 64", "0aff645c5d76"),
    "vae:": ("vae", "turntable", "euclidean:10", "5 × 150 epochs of 64", "85300b7eb4d4"),
    "vae:quick": ("vae", "turntable", "euclidean:10", "1 × 30 epochs of 64", "64a2dfa99aea"),
    "vaells_circles:": ("vaells", "concentric_circles", "euclidean:2", "1 × 8000 steps of 30", "f9a5022ccd71"),
    "vaells_circles:quick": ("vaells", "concentric_circles", "euclidean:2", "1 × 3000 steps of 30", "4f5f826625ca"),
    "vaells_mnist:": ("vaells", "mnist", "euclidean:6", "1 × 6000 steps of 64", "c7e83071b136"),
    "vaells_mnist:quick": ("vaells", "mnist", "euclidean:6", "1 × 500 steps of 64", "ba4eecfd0b80"),
    "vaells_rotated_mnist:": (
        "vaells",
        "rotated_mnist:num_anchors=3",
        "euclidean:10",
        "1 × 6000 steps of 64",
        "d63a9800a48a",
    ),
    "vaells_rotated_mnist:quick": (
        "vaells",
        "rotated_mnist:num_anchors=3",
        "euclidean:10",
        "1 × 500 steps of 64",
        "0355ba5937c2",
    ),
    "vaells_swiss_roll:": ("vaells", "swiss_roll", "euclidean:2", "1 × 10000 steps of 30", "0ff5e8c23ac0"),
    "vaells_swiss_roll:quick": ("vaells", "swiss_roll", "euclidean:2", "1 × 3000 steps of 30", "b422581df46c"),
    "vamp:": ("vamp", "turntable", "euclidean:10", "5 × 150 epochs of 64", "a36914888c30"),
    "vamp:quick": ("vamp", "turntable", "euclidean:10", "1 × 30 epochs of 64", "5e5b4496a3d5"),
    "vdae:": ("vdae", "circle:num_train=4096", "euclidean:2", "5 × 2000 steps of 256", "010da7827299"),
    "vdae:quick": ("vdae", "circle:num_train=4096", "euclidean:2", "1 × 300 steps of 256", "485d807a1531"),
    "vdae:circle": ("vdae", "circle:num_train=4096", "euclidean:2", "5 × 2000 steps of 256", "010da7827299"),
    "vdae:loop": ("vdae", "loop", "euclidean:2", "5 × 2000 steps of 256", "cd32ed957e49"),
    "vdae:torus": ("vdae", "torus:num_train=5000", "euclidean:6", "5 × 2000 steps of 256", "b953ee178cb6"),
    "vdae:sphere": ("vdae", "sphere:num_train=6000", "euclidean:3", "5 × 2000 steps of 256", "c022272b34e4"),
    "vdae:two_moons": ("vdae", "two_moons", "euclidean:3", "5 × 2000 steps of 256", "b5228c4d4663"),
    "vdae:gaussian_grid": ("vdae", "gaussian_grid", "euclidean:24", "5 × 2000 steps of 256", "c483be29def9"),
    "vdae:bunny": ("vdae", "bunny", "euclidean:6", "5 × 2000 steps of 256", "66d6e0bbf689"),
    "vdae:frey": ("vdae", "frey", "euclidean:5", "5 × 1000 steps of 256", "934f99a110c2"),
    "vdae:coil20": (
        "vdae",
        "coil20:objects=(1,2,3,4,5):size=32",
        "euclidean:10",
        "5 × 1000 steps of 270",
        "0078651d4b23",
    ),
    "vdae:coil20_object": ("vdae", "coil20:object=1:size=32", "euclidean:2", "5 × 1500 steps of 54", "24826d862fe0"),
    "vdae:turntable": (
        "vdae",
        "turntable:num_azimuths=200:num_elevations=1:size=32",
        "euclidean:2",
        "5 × 1000 steps of 150",
        "b677b4f57e2c",
    ),
    "vdae:mnist": ("vdae", "mnist", "euclidean:20", "5 × 1000 steps of 256", "c59c3fe257ec"),
    "wgan:": ("wgan", "turntable", "euclidean:10", "5 × 150 epochs of 64", "f6c30b3a2e8e"),
    "wgan:quick": ("wgan", "turntable", "euclidean:10", "1 × 30 epochs of 64", "d1c94e1958e0"),
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
