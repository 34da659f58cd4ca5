"""Which manifold data lie on: a table of spaces, compared with what is measured of the cloud."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mvae.errors import check_count
from mvae.manifolds import SO3, SURFACES, Euclidean, FlatTorus, Manifold, Product, ProjectiveSpace, Sphere
from mvae.topology.evidence import ADJACENT, APART, MIN_POINTS, Cloud, Evidence, Ring, cloud_of, measure
from mvae.topology.local_geometry import GAP


class Space(NamedTuple):
    """What a space of the table looks like.

    Attributes:
        name: In words.
        manifold: One of `mvae.manifolds`, or None where it has none yet.
        dim: Dimension.
        loops: First Betti number over F_2.
        torsion: Whether the first homology has elements of order 2, so that over F_3 there is a loop less.
        cavities: Second Betti numbers over F_2 and F_3.
        orientable: Whether it is.
        boundary: Whether it has one, or an end.
    """

    name: str
    manifold: Manifold | None
    dim: int
    loops: int
    torsion: bool
    cavities: tuple[int, int]
    orientable: bool
    boundary: bool


SPACES = (
    Space("interval", Euclidean(1), 1, 0, False, (0, 0), True, True),
    Space("circle", Sphere(1), 1, 1, False, (0, 0), True, False),
    Space("disc", Euclidean(2), 2, 0, False, (0, 0), True, True),
    Space("cylinder", Product((Sphere(1), Euclidean(1))), 2, 1, False, (0, 0), True, True),
    Space("Möbius band", None, 2, 1, False, (0, 0), False, True),
    Space("sphere", Sphere(2), 2, 0, False, (1, 1), True, False),
    Space("torus", FlatTorus(2), 2, 2, False, (1, 1), True, False),
    Space("surface of genus two", SURFACES["genus_two"], 2, 4, False, (1, 1), True, False),
    Space("projective plane", ProjectiveSpace(2), 2, 1, True, (1, 0), False, False),
    Space("Klein bottle", None, 2, 2, True, (1, 0), False, False),
    Space("ball", Euclidean(3), 3, 0, False, (0, 0), True, True),
    Space("3-sphere", Sphere(3), 3, 0, False, (0, 0), True, False),
    Space("rotations SO(3)", SO3(), 3, 1, True, (1, 0), True, False),
    Space("circle times sphere", Product((Sphere(1), Sphere(2))), 3, 1, False, (1, 1), True, False),
    Space("3-torus", FlatTorus(3), 3, 3, False, (3, 3), True, False),
)

UNLIKELY = 0.02  # agreement below which none of the table fits
_LIMIT = 0.005  # no measurement says more than that
_AGREES, _CONTRADICTS = 0.75, 0.05
_ENOUGH, _ENOUGH_ON_CURVE, _FEW_ON_CURVE = 200, 100, 50  # points, to be certain
_ORDERED = 0.85  # of `Ring.adjacent`, to be certain
_CLOSED = 11.0  # longest step of a ring over the median


class Suggestion(NamedTuple):
    """A space that data may lie on.

    Attributes:
        manifold: One of `mvae.manifolds`; None where it has none, or where no manifold fits.
        certain: Whether all measurements agree with it, and one of them contradicts the next best.
        reasons: What was measured, for and against.
        name: The space in words.
        agreement: From 0 to 1: product, over the measurements, of how far they agree.
    """

    manifold: Manifold | None
    certain: bool
    reasons: tuple[str, ...]
    name: str
    agreement: float


class _Piece(NamedTuple):
    """One measurement: how far it agrees with a space, from 0 to 1, and what it was."""

    agreement: float
    text: str


def suggest_manifold(
    x: ArrayLike, *, metric: str = "euclidean", max_landmarks: int = 200, seed: int = 0
) -> tuple[Suggestion, ...]:
    """Returns the spaces that data may lie on, the best first.

    A table of spaces, `SPACES`, is compared with what can be measured of the cloud: its dimension, its parts, Betti
    numbers over F_2 and F_3, orientability, and whether it has a boundary; see `Evidence`. Each measurement agrees with
    each space to a degree from 0 to 1, and spaces are ordered by the product. A bar of a persistence diagram counts by
    how far its death / birth is beyond those of flat balls with the same number of points and landmarks. "None of
    these" is among the suggestions, with an agreement of 0.02. Of 150 points or fewer a closed order is sought as well,
    as of views of a turning object.

    Limits: Noise must be below the size of what is to be seen, and loops and cavities wider than some distances of
    landmarks; a curve that comes near itself counts as branched. A surface wants 250 points or more, SO(3) 500; for a
    curve some dozens do. Spaces beyond the table with the same numbers cannot be told apart: SO(3) from other lens
    spaces L(p, q) with even p that 3 does not divide, a ball from other contractible spaces of dimension 3. The third
    homology is not computed.

    Args:
        x: Data, (n, *event), or for metric "precomputed" their distances, (n, n), which are embedded by classical
            scaling. Of more than 3000 rows as many are drawn.
        metric: "euclidean" or "precomputed".
        max_landmarks: Number of points that complexes are built on, or a quarter of the points; half as many on curves.
        seed: Of what is drawn.

    Raises:
        ValueError: For wrong shapes, values that are not finite, numbers out of range, or fewer than 20 points.
        ModuleNotFoundError: Where ripser is not installed.
    """
    generator = np.random.default_rng(check_count("seed", seed, 0))
    cloud = cloud_of(x, metric, generator)
    return judge(cloud, measure(cloud, generator=generator, max_landmarks=max_landmarks), generator, max_landmarks)


def judge(
    cloud: Cloud, evidence: Evidence, generator: np.random.Generator, max_landmarks: int = 200
) -> tuple[Suggestion, ...]:
    """Returns the suggestions that follow from what was measured; parts of a cloud are measured by themselves."""
    ranked = sorted(((_pieces(space, evidence), space) for space in SPACES), key=lambda pair: -_product(pair[0]))
    runner_up = ranked[1][0]
    found = [
        Suggestion(
            space.manifold,
            rank == 0 and _can_tell(space, evidence) and _is_certain(pieces, runner_up),
            (*(f"{_side(piece)}: {piece.text}" for piece in pieces), *_remarks(space, evidence)),
            space.name,
            _product(pieces),
        )
        for rank, (pieces, space) in enumerate(ranked)
    ]
    found.append(Suggestion(None, False, ("nothing in the table fits better",), "none of these", UNLIKELY))
    apart = 1 - _connected(evidence).agreement
    if apart > 0.5:
        found.append(_parts(cloud, evidence, apart, generator, max_landmarks))
    return tuple(sorted(found, key=lambda suggestion: -suggestion.agreement))


def _parts(
    cloud: Cloud, evidence: Evidence, apart: float, generator: np.random.Generator, max_landmarks: int
) -> Suggestion:
    """What the parts of a cloud are, each by itself."""
    names, certain = [], apart > _AGREES
    for part in range(evidence.parts.max() + 1):
        inside = Cloud(cloud.points[evidence.parts == part], 0)
        if len(inside.points) < 3 * MIN_POINTS:
            names, certain = [*names, "too few points to tell"], False
            continue
        best = judge(
            inside, measure(inside, generator=generator, max_landmarks=max_landmarks), generator, max_landmarks
        )[0]
        names, certain = [*names, best.name], certain and best.certain
    shares = np.bincount(evidence.parts) / len(evidence.parts)
    listed = ", ".join(f"{name} ({share:.0%} of the points)" for name, share in zip(names, shares, strict=True))
    reasons = (f"for: {_connected(evidence).text}", f"no one manifold: its parts are {listed}")
    return Suggestion(None, certain, reasons, f"{len(names)} parts: {', '.join(names)}", apart)


def _logistic(value: float) -> float:
    return min(max(1 / (1 + math.exp(-max(min(value, 50.0), -50.0))), _LIMIT), 1 - _LIMIT)


def _above(value: float, threshold: float, width: float) -> float:
    """How far a number is above a threshold, from 0 to 1, 1/2 at the threshold; `width` is of its logarithm."""
    return _logistic((math.log(max(value, 1e-300)) - math.log(threshold)) / width)


def _if(agreement: float, *, holds: bool) -> float:
    return agreement if holds else 1 - agreement


def _product(pieces: list[_Piece]) -> float:
    return math.exp(sum(math.log(piece.agreement) for piece in pieces))


def _side(piece: _Piece) -> str:
    return "for" if piece.agreement > _AGREES else "against" if piece.agreement < 1 - _AGREES else "open"


def _is_certain(best: list[_Piece], runner_up: list[_Piece]) -> bool:
    agrees = all(piece.agreement >= _AGREES for piece in best)
    return agrees and any(piece.agreement <= _CONTRADICTS for piece in runner_up)


def _can_tell(space: Space, evidence: Evidence) -> bool:
    """Whether there are enough points to be certain, and those of a curve in an order that is not to be mistaken."""
    ring, n = evidence.ring, evidence.num_points
    if ring is not None and _curve(evidence)[0] > 0.5:
        return n >= _FEW_ON_CURVE and ring.adjacent >= _ORDERED and ring.cover == 1
    return n >= (_ENOUGH_ON_CURVE if space.dim == 1 else _ENOUGH)


def _curve(evidence: Evidence) -> tuple[float, float]:
    """How far a small cloud is a curve by the order of its points, and how far that is closed."""
    if evidence.ring is None:
        return 0.0, 0.0
    ring = evidence.ring
    return _logistic((ring.adjacent - ADJACENT) / 0.012), 1 - _above(ring.longest, _CLOSED, 0.2)


def _pieces(space: Space, evidence: Evidence) -> list[_Piece]:
    """All measurements, seen from one space."""
    curve, closed = _curve(evidence)
    if evidence.ring is not None and curve > 0.5:
        return _ring_pieces(space, evidence.ring, curve, closed)
    pieces = [_connected(evidence), _dimension(space, evidence), *_homology(space, evidence)]
    pieces.append(_boundary(space, evidence))
    if evidence.orientation is not None:
        pieces.append(
            _Piece(
                _if(_above(evidence.orientation, 0.08, 0.3), holds=not space.orientable),
                f"local frames miss an orientation by {evidence.orientation:.3f} (0 if orientable, 1/4 or so if not)",
            )
        )
    return pieces


def _boundary(space: Space, evidence: Evidence) -> _Piece:
    share = evidence.boundary
    text = f"one-sided neighbourhoods are {share:.2f} times as frequent as in a ball (0 without a boundary)"
    agreement = _if(_above(share, 0.3, 0.25), holds=space.boundary)
    if evidence.ends is not None:
        text += f", at {evidence.ends} ends"
        if space.dim == 1 and evidence.ends != (2 if space.boundary else 0):
            agreement = min(agreement, 2 * _LIMIT)
    return _Piece(agreement, text)


def _connected(evidence: Evidence) -> _Piece:
    curve, closed = _curve(evidence)
    whole = max(1 - _above(evidence.separation, APART, 0.15), min(curve, closed))
    return _Piece(
        whole,
        f"its parts are joined at {evidence.separation:.1f} covering radii of the landmarks ({APART:g} if apart)",
    )


def _ring_pieces(space: Space, ring: Ring, curve: float, closed: float) -> list[_Piece]:
    """Measurements of few points that are a curve."""
    return [
        _Piece(
            _if(curve, holds=space.dim == 1),
            f"in one order of the points, {ring.adjacent:.0%} of nearest neighbours are next to each other",
        ),
        _Piece(
            _if(closed, holds=space.name == "circle") if space.dim == 1 else 1 - curve,
            f"its longest step is {ring.longest:.1f} times the median (up to {_CLOSED:g} if it closes)",
        ),
    ]


def _dimension(space: Space, evidence: Evidence) -> _Piece:
    dim, gaps = evidence.dimension.dim, evidence.dimension.gaps
    seen = _above(gaps[dim], 0.85 * GAP, 0.15)
    # another dimension needs a gap of its own
    agreement = seen if space.dim == dim else min(1 - seen, _above(gaps.get(space.dim, 0.0), 0.85 * GAP, 0.15))
    text = f"dimension {dim}: local variance falls {gaps[dim]:.1f}-fold behind {dim} directions ({GAP:g} is seen)"
    return _Piece(agreement, text)


def _homology(space: Space, evidence: Evidence) -> list[_Piece]:
    loops = evidence.ratios(1, 2)
    pieces = [
        _Piece(
            _count(loops, space.loops, evidence.band[1], 0.04),
            f"loops over F2: death/birth {_listed(loops)} (flat {evidence.band[1]:.2f})",
        ),
        _Piece(
            _if(_logistic((evidence.torsion - 0.015) / 0.005), holds=space.torsion),
            f"deaths of loops over F2 and F3 differ by {math.expm1(evidence.torsion):.1%} (0 without torsion)",
        ),
    ]
    if evidence.dimension.dim == 1:
        return pieces
    for prime, wanted in zip((2, 3), space.cavities, strict=True):
        ratios = evidence.ratios(2, prime)
        text = f"cavities over F{prime}: death/birth {_listed(ratios)} (flat {evidence.band[2]:.2f})"
        pieces.append(_Piece(_count(ratios, wanted, evidence.band[2], 0.05), text))
    return pieces


def _count(ratios: np.ndarray, wanted: int, band: float, width: float) -> float:
    """How far exactly `wanted` bars are beyond the band."""
    beyond = [_above(ratio, band * math.exp(width), width) for ratio in ratios[: wanted + 1]]
    beyond += [_LIMIT] * (wanted + 1 - len(beyond))
    last = beyond[wanted - 1] if wanted else 1 - _LIMIT
    return min(last, 1 - beyond[wanted])


def _listed(ratios: np.ndarray) -> str:
    return ", ".join(f"{ratio:.2f}" for ratio in ratios[:4]) or "none"


def _remarks(space: Space, evidence: Evidence) -> tuple[str, ...]:
    remarks = []
    if evidence.isolated:
        remarks.append(f"{evidence.isolated} isolated point(s) left out")
    if space.manifold is None:
        remarks.append(f"there is no {space.name} among the manifolds here")
    if space.name == "circle" and evidence.ring is not None and evidence.ring.cover > 1:
        cover = evidence.ring.cover
        remarks.append(f"the loop of the distances winds {cover} times: a {cover}-fold cover fits better")
    return tuple(remarks)
