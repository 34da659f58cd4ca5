"""Manifolds by name: from the text or block of a config to a `Manifold`, and back to a text."""

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mvae import manifolds
from mvae.errors import UsageError, unknown
from mvae.manifolds import Implicit, LensSpace, Manifold, Product, RotationQuotient
from mvae.manifolds.implicit.surfaces import SURFACES
from mvae.manifolds.quotient.groups import SYMMETRIES
from mvae.runs.notation import Catalogue, block_of, parse, text_of_block


def _product(*, factors: tuple[str, ...]) -> Manifold:
    """Builds a product of factors in the text notation."""
    if not factors:
        raise ValueError("factors must be one text or more, such as ('sphere:2', 'so3'), got ()")
    built = []
    for text in factors:
        where = "config.manifold.factors"
        built.append(_build(parse(text, CATALOGUE, where), f"{where}, {text!r}", ": "))
    return Product(tuple(built))


def _implicit(*, surface: str) -> Manifold:
    """Builds one of the surfaces that are given by an equation."""
    if surface not in SURFACES:
        raise unknown("surface", surface, SURFACES)
    return SURFACES[surface]


def _lens(*, pq: tuple[int, ...]) -> Manifold:
    """Builds the lens space L(p, q)."""
    if len(pq) != 2:
        raise ValueError(f"pq must be two integers, such as 5,2, got {pq}")
    return LensSpace(*pq)


def _poses(symmetry: str) -> Callable[..., Manifold]:
    """Returns what builds the rotations modulo a symmetry."""

    def of_order(*, order: int) -> Manifold:
        return RotationQuotient(symmetry, order)

    return of_order if symmetry in ("cyclic", "dihedral") else lambda: RotationQuotient(symmetry)


MANIFOLDS: dict[str, Callable[..., Manifold]] = {
    "euclidean": manifolds.Euclidean,
    "sphere": manifolds.Sphere,
    "flat_torus": manifolds.FlatTorus,
    "embedded_torus": manifolds.EmbeddedTorus,
    "projective_space": manifolds.ProjectiveSpace,
    "so3": manifolds.SO3,
    **{f"so3/{symmetry}": _poses(symmetry) for symmetry in SYMMETRIES},
    "hyperbolic": manifolds.Hyperbolic,
    "interval": manifolds.Interval,
    "cylinder": manifolds.Cylinder,
    "mobius_band": manifolds.MobiusBand,
    "klein_bottle": manifolds.KleinBottle,
    "lens": _lens,
    "product": _product,
    "implicit": _implicit,
}
FIRSTS = {"lens": "pq", "so3/cyclic": "order", "so3/dihedral": "order"}
CATALOGUE = Catalogue("manifold", "config.manifold", MANIFOLDS, first="dim", kept=("dim",), firsts=FIRSTS)


def parse_manifold(text: str) -> Manifold:
    """Returns the manifold of a text NAME[:DIM][:OPTION=VALUE]..., or product(TEXT, TEXT, ...).

    >>> parse_manifold("product(sphere:2:radius=0.5, flat_torus:1)")
    Product(factors=(Sphere(dim=2, radius=0.5), FlatTorus(dim=1)))

    Args:
        text: The name is of `MANIFOLDS`, the options are the arguments of what it stands for there. The surface of
            "implicit:surface=genus_two" is a name in `mvae.manifolds.implicit.surfaces.SURFACES`.

    Raises:
        UsageError: For an unknown name, an option this manifold does not have or lacks, or a value it refuses.
    """
    return build_manifold(parse(text, CATALOGUE))


def text_of(manifold: Manifold) -> str:
    """Returns the text of a manifold, which `parse_manifold` reads.

    >>> text_of(manifolds.Product((manifolds.Sphere(2), manifolds.SO3())))
    'product(sphere:2, so3)'

    Raises:
        UsageError: If no name in `MANIFOLDS` stands for it.
    """
    if isinstance(manifold, Product):
        block: dict[str, Any] = {"name": "product", "factors": tuple(text_of(factor) for factor in manifold.factors)}
    elif isinstance(manifold, Implicit) and manifold in SURFACES.values():
        surface = next(name for name, known in SURFACES.items() if known == manifold)
        block = {"name": "implicit", "surface": surface}
    elif isinstance(manifold, LensSpace):
        block = {"name": "lens", "pq": (manifold.p, manifold.q)}
    elif isinstance(manifold, RotationQuotient):
        order = {} if manifold.order is None else {"order": manifold.order}
        block = {"name": f"so3/{manifold.symmetry}"} | order
    else:
        name = next((name for name, known in MANIFOLDS.items() if known is type(manifold)), None)
        if name is None:
            raise UsageError(f"{manifold} has no text: no name in mvae.runs.manifolds.MANIFOLDS stands for it")
        parameters = inspect.signature(type(manifold)).parameters.values()
        values = {parameter.name: getattr(manifold, parameter.name) for parameter in parameters}
        defaults = {field.name: field.default for field in dataclasses.fields(manifold)}  # type: ignore[arg-type]
        block = {"name": name} | {key: value for key, value in values.items() if value != defaults.get(key)}
    return text_of_block(block, CATALOGUE)


def manifold_block(value: Any) -> dict[str, Any]:
    """Returns the block {"name", options} of an entry that is a text, a block or a manifold, checked by building it.

    Raises:
        UsageError: As for `parse_manifold`.
    """
    block = block_of(text_of(value) if isinstance(value, Manifold) else value, CATALOGUE)
    manifold = build_manifold(block)
    with contextlib.suppress(UsageError):  # for one that a function of the user's own builds
        block = parse(text_of(manifold), CATALOGUE)
    if "dim" not in CATALOGUE.options(block["name"]):
        block.pop("dim", None)  # it was right, and says nothing
    return block


def build_manifold(value: str | Mapping[str, Any]) -> Manifold:
    """Builds the manifold of a text or of a block {"name", options}; an option of None is the manifold's default.

    >>> build_manifold({"name": "product", "factors": ("sphere:2", "flat_torus:1")})
    Product(factors=(Sphere(dim=2, radius=1.0), FlatTorus(dim=1)))

    Raises:
        UsageError: As for `parse_manifold`.
    """
    return _build(block_of(value, CATALOGUE), CATALOGUE.where, ".")


def _build(block: Mapping[str, Any], where: str, separator: str) -> Manifold:
    """Builds a manifold of a checked block; `where` and `separator` come before the name of an option in messages."""
    name = block["name"]
    known = CATALOGUE.options(name)
    options = {key: value for key, value in block.items() if key != "name"}
    asked_dim = options.pop("dim", None) if "dim" not in known else None
    needed = [key for key, parameter in known.items() if parameter.default is inspect.Parameter.empty]
    if missing := [key for key in needed if key not in options]:
        raise UsageError(f"{where} ({name}) lacks {', '.join(missing)}")
    try:
        manifold = MANIFOLDS[name](**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where} ({name}): {error}") from error
    if asked_dim not in (None, manifold.dim):
        raise UsageError(f"{where}{separator}dim = {asked_dim}: {name} has dimension {manifold.dim}")
    return manifold
