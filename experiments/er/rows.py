"""The rows of the toy task's table: what each is, its overrides of configs/er.py, and the table from run folders."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mvae.runs import load_config
from mvae.sweep import Member, build_members, line

CONFIG = Path(__file__).parents[2] / "configs" / "er.py"
SPACES = {"circle": (1, 2), "sphere": (2, 3), "so3": (3, 9), "torus": (2, 4)}  # dimension and that of ambient space
PUSHED = "model.reparametrization.manifold_weight"


class Row(NamedTuple):
    """A row: its title, with {d} and {m} for the dimensions, and the ELBO that the paper prints, on the circle."""

    title: str
    published: str = ""

    def named(self, space: str) -> str:
        """The title with the dimensions of a space."""
        d, m = SPACES[space]
        return self.title.format(d=d, m=m)


ROWS = {
    "vae_d": Row("VAE, Beta on [0, 1]^{d}", "183.98 ± 11.66"),
    "vae_d_gaussian": Row("VAE, normal on R^{d}"),
    "learned": Row("learned f, published objective", "197.19 ± 20.46"),
    "learned_pushed": Row("learned f, with the push-forward term"),
    "exact": Row("exact f", "193.40 ± 24.57"),
    "learned_group": Row("learned f, published objective, group-action encoder", "259.03 ± 59.14"),
    "learned_pushed_group": Row("learned f, with the push-forward term, group-action encoder"),
    "exact_group": Row("exact f, group-action encoder"),
    "vae_m": Row("VAE, Beta on [0, 1]^{m}", "356.53 ± 22.96"),
    "vae_m_gaussian": Row("VAE, normal on R^{m}"),
}
PUBLISHED = [name for name, row in ROWS.items() if row.published]


def overrides(row: str, space: str) -> dict[str, Any]:
    """What a row changes in the config of its space."""
    d, m = SPACES[space]
    if row.startswith("vae"):
        euclidean = {"manifold.name": "euclidean", "manifold.dim": d if row.startswith("vae_d") else m}
        normal = {"model.hidden": "gaussian", "model.initial_variance": 0.5} if row.endswith("gaussian") else {}
        return euclidean | normal
    changed: dict[str, Any] = {"model.group": row.endswith("group")}
    if row.startswith("exact"):
        return changed | {"model.reparametrization.kind": "exact"}
    return changed if "pushed" in row else changed | {PUSHED: 0.0}


def members(space: str, rows: list[str], *, seeds: int, num_steps: int | None) -> list[Member]:
    """Returns the members of a space's table."""
    config: Any = load_config(CONFIG, space)
    config.num_seeds = seeds
    if num_steps is not None:
        config.num_steps = config.model.reparametrization.num_steps = num_steps
    return build_members(config, [(row, overrides(row, space)) for row in rows])


def render(space: str, folder: Path) -> str:
    """Returns the table of the rows that are there."""
    header = [
        "",
        "ELBO, published",
        "ELBO",
        "log p(x)",
        "KL",
        "σ of p(x given z)",
        "root mean square error",
        "s, training",
    ]
    lines = [line(header), line(["---"] * len(header))]
    for name, row in ROWS.items():
        path = folder / name / "results.json"
        if not path.exists():
            continue
        results = json.loads(path.read_text())
        found = results["members"]
        values = {key: np.array([member[key] for member in found]) for key in ("elbo", "log_likelihood", "kl", "mse")}
        sigma = np.array([member["likelihood_std"] for member in found])
        cells = [
            row.named(space),
            row.published if space == "circle" else "",
            _mean(values["elbo"], 1),
            _mean(values["log_likelihood"], 1),
            _mean(values["kl"], 2),
            f"{sigma.mean():.4f}",
            f"{np.sqrt(values['mse']).mean():.4f}",
            f"{results['train_seconds']:.0f}",
        ]
        lines.append(line(cells))
    return "\n".join(lines)


def _mean(values: np.ndarray, digits: int) -> str:
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"
