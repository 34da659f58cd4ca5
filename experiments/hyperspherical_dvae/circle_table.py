"""Table of the runs of single objects on a circle, from their run folders."""

import json
from pathlib import Path

import numpy as np


def table(workdir: Path, objects: list[int], starts: list[str]) -> str:
    """Returns the table in Markdown, from the run folders alone."""
    lines = ["| object | " + " | ".join(f"{start}: degree ±1 | abs(correlation)" for start in starts) + " |"]
    lines.append("|" + "---|" * (1 + 2 * len(starts)))
    shares: dict[str, list[float]] = {start: [] for start in starts}
    correlations: dict[str, list[float]] = {start: [] for start in starts}
    for number in objects:
        cells = []
        for start in starts:
            path = workdir / start / f"object_{number}" / "results.json"
            if not path.exists():
                cells.append("not run | –")
                continue
            members = json.loads(path.read_text())["members"]
            captured = [member["captured"] for member in members]
            found = [abs(member["latent_azimuth_correlation"]) for member in members]
            shares[start] += captured
            correlations[start] += found
            cells.append(f"{sum(captured):.0f} of {len(captured)} | {np.mean(found):.3f}")
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    totals = [
        f"{sum(shares[start]):.0f} of {len(shares[start])} | {np.mean(correlations[start]):.3f}"
        if shares[start]
        else "not run | –"
        for start in starts
    ]
    return "\n".join([*lines, "| all | " + " | ".join(totals) + " |"])
