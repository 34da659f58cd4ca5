"""Disentanglement scores by name, as a run reports them."""

import numpy as np
from jaxtyping import Float, Int

from mvae.evaluation.disentanglement.fixed_factor import beta_vae_score, factor_vae_score
from mvae.evaluation.disentanglement.metrics import dci, irs, mig, sap

DCI_PARTS = ("disentanglement", "completeness", "informativeness")
SCORES = ("mig", "sap", "dci", "irs", "beta_vae", "factor_vae")


def score_names(name: str) -> tuple[str, ...]:
    """Returns the names under which `disentanglement_scores` gives a score."""
    return tuple(f"dci_{part}" for part in DCI_PARTS) if name == "dci" else (name,)


def disentanglement_scores(
    names: tuple[str, ...], codes: Float[np.ndarray, "n k"], factors: Int[np.ndarray, "n f"], seed: int = 0
) -> dict[str, float]:
    """Returns scores by name; "dci" gives three.

    Args:
        names: Of `SCORES`.
        codes: Codes, one a row.
        factors: The values of the factors; constant columns are left out.
        seed: Seed of the scores that draw.

    Raises:
        ValueError: For an unknown name, or what the score refuses.
    """
    if wrong := sorted(set(names) - set(SCORES)):
        raise ValueError(f"names must be of {', '.join(SCORES)}, got {', '.join(wrong)}")
    factors = factors[:, np.ptp(factors, axis=0) > 0]
    found: dict[str, float] = {}
    for name in names:
        if name == "dci":
            parts = dci(codes, factors, seed=seed)
            found |= {f"dci_{part}": getattr(parts, part) for part in DCI_PARTS}
        elif name in ("mig", "irs"):
            found[name] = mig(codes, factors) if name == "mig" else irs(codes, factors)
        else:
            of = {"sap": sap, "beta_vae": beta_vae_score, "factor_vae": factor_vae_score}[name]
            found[name] = of(codes, factors, seed=seed)
    return found
