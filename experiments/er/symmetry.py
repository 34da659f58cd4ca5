"""Which manifold do data come from? log p(x) of candidate latent spaces on data made from each [golikov2018, Sec. 1].

    python experiments/er/symmetry.py --workdir=runs/symmetry

Data of each space are carried to R^100 by a random network, with noise; each candidate is trained on them, and judged
by the importance-sampled log-likelihood of test points. The same command resumes what was interrupted; `--render`
trains nothing.
"""

import logging
from pathlib import Path

from absl import flags
from candidates import CANDIDATES, ENCODER_INITS, NOISE, measure, members, render

from mvae.errors import UsageError
from mvae.programs import launch
from mvae.runs import log_to_console
from mvae.sweep import parse_shard, run_members, shard_of

LOGGER = logging.getLogger("mvae.experiments")
_DATA = flags.DEFINE_list("data", list(CANDIDATES), f"Spaces that data are made from, of {', '.join(CANDIDATES)}.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run folders.", required=True)
_NETWORKS = flags.DEFINE_integer("networks", 3, "Random networks that carry the data, 0 and up.", lower_bound=1)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds of each candidate, 0 and up.", lower_bound=1)
_NOISE = flags.DEFINE_float("noise", NOISE, "Standard deviation of the noise.", lower_bound=0.0)
_STEPS = flags.DEFINE_integer("steps", 3000, "Steps of training.", lower_bound=1)
_SHARD = flags.DEFINE_string("shard", None, "K/N: the K-th of N shares of the runs, from 0.")
_CANDIDATES = flags.DEFINE_list("candidates", list(CANDIDATES), f"Latent spaces, of {', '.join(CANDIDATES)}.")
_START = flags.DEFINE_enum("start", "random", ENCODER_INITS, "config.model.encoder_init of circle and torus.")
_RENDER = flags.DEFINE_bool("render", default=False, help="Print what is there and train nothing.")


def main(argv: list[str]) -> None:
    """Runs what is missing and prints the tables."""
    del argv
    log_to_console()
    if wrong := set(_DATA.value) - set(CANDIDATES):
        raise UsageError(f"--data: no {', '.join(sorted(wrong))}; there are {', '.join(CANDIDATES)}")
    if wrong := set(_CANDIDATES.value) - set(CANDIDATES):
        raise UsageError(f"--candidates: no {', '.join(sorted(wrong))}; there are {', '.join(CANDIDATES)}")
    folder = Path(_WORKDIR.value).expanduser()
    if not _RENDER.value:
        asked = members(
            _DATA.value,
            _CANDIDATES.value,
            networks=_NETWORKS.value,
            seeds=_SEEDS.value,
            noise=_NOISE.value,
            num_steps=_STEPS.value,
            start=_START.value,
        )
        share = asked if _SHARD.value is None else shard_of(asked, *parse_shard(_SHARD.value))
        for member, outcome in zip(share, run_members(share, folder), strict=True):
            if outcome.status != "finished":
                LOGGER.error("%s is %s and is left out: %s", outcome.name, outcome.status, outcome.reason)
                continue
            measure(member, folder)
    print(render(folder, _DATA.value, _CANDIDATES.value, networks=_NETWORKS.value))


if __name__ == "__main__":
    launch(main)
