"""What a run says of an encoder that started from a coordinate: why it found the circle, torus or SO(3), or did not."""

from typing import Any

import numpy as np
from jaxtyping import Float

from mvae.evaluation.poses import align_poses, pose_errors
from mvae.models.coordinate_start import COLUMN, known_angle
from mvae.reports import Member, Report
from mvae.reports.factors import has_poses
from mvae.topology import winding_matrix

DEGREES = ("coordinate_degree", "degree_at_start", "degree_at_end")


def coordinate_numbers(member: Member) -> dict[str, Any]:
    """Persistence of the classes and the cover that was taken; on a circle with a known angle, degrees in its order.

    "coordinate_degree" is that of the coordinate itself, "degree_at_start" that of the encoder when it had learned it,
    "degree_at_end" when all was trained; all are of the training examples. So a degree that is lost can be blamed on
    the coordinate, on the encoder or on the training. "coordinate_scores" has the best score of each cover.

    On SO(3), what silhouettes leave of their reach, and where poses are known, "coordinate_pose_error": the median
    angle in radians between the coordinate and them, after one rotation on either side that fits.
    """
    view = member.view
    found = dict(view.dataset.notes)
    if has_poses(view):
        rotations, poses = (np.asarray(view.dataset.train[name][:]) for name in (COLUMN, "latent"))
        errors = pose_errors(align_poses(rotations, poses).apply(rotations), poses)
        return found | {"coordinate_pose_error": float(np.median(errors))}
    if (angle := known_angle(view.dataset)) is None or view.model.manifold.dim > 1:
        return found
    order = np.argsort(np.asarray(view.dataset.train[angle][:]), kind="stable")
    found["coordinate_degree"] = _degree(np.asarray(view.dataset.train[COLUMN])[order])
    records = [record for record in view.records if record["stage"] == COLUMN and "winding" in record]
    if records:
        found["degree_at_start"] = round(records[-1]["winding"][member.index])
    else:
        found |= member.undefined(["degree_at_start"], "the metrics of the first stage are not at hand")
    found["degree_at_end"] = _degree(member.codes("train")[order])
    return found


def _degree(z: Float[np.ndarray, "n 2"]) -> int:
    return int(winding_matrix(np.arctan2(z[:, 1], z[:, 0])[:, None])[0][0, 0])


COORDINATE = Report("coordinate", lambda view: view.has() and COLUMN in view.dataset.train, coordinate_numbers)
