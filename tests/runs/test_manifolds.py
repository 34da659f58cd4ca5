"""Manifolds by text and block, and their texts."""

import dataclasses

import numpy as np
import pytest

from mvae.errors import UsageError
from mvae.manifolds import (
    SO3,
    Cylinder,
    EmbeddedTorus,
    Euclidean,
    FlatTorus,
    Hyperbolic,
    Implicit,
    Interval,
    KleinBottle,
    LensSpace,
    Manifold,
    MobiusBand,
    Product,
    ProjectiveSpace,
    RotationQuotient,
    Sphere,
)
from mvae.manifolds.implicit.surfaces import genus_two
from mvae.runs.manifolds import MANIFOLDS, build_manifold, manifold_block, parse_manifold, text_of

GENUS_TWO = Implicit(genus_two, dim=2, ambient_dim=3)


@pytest.mark.parametrize(
    ("text", "manifold"),
    [
        ("sphere:2", Sphere(2)),
        ("sphere:dim=2", Sphere(2)),
        ("sphere:2:radius=0.5", Sphere(2, 0.5)),
        (" sphere : 2 : radius = 0.5 ", Sphere(2, 0.5)),
        ("so3", SO3()),
        ("so3:3", SO3()),
        ("embedded_torus:major_radius=2", EmbeddedTorus(2.0)),
        ("implicit:surface=genus_two", GENUS_TWO),
        ("klein_bottle", KleinBottle()),
        ("klein_bottle:2", KleinBottle()),
        ("interval:length=2", Interval(2.0)),
        ("cylinder:circumference=5:height=2", Cylinder(5.0, 2.0)),
        ("mobius_band:width=1.5", MobiusBand(width=1.5)),
        ("lens:5,2", LensSpace(5, 2)),
        ("lens:(5,2)", LensSpace(5, 2)),
        ("lens:pq=5,2", LensSpace(5, 2)),
        ("so3/octahedral", RotationQuotient("octahedral")),
        ("so3/cyclic:5", RotationQuotient("cyclic", 5)),
        ("so3/dihedral:order=4", RotationQuotient("dihedral", 4)),
        ("hyperbolic:2", Hyperbolic(2)),
        ("hyperbolic:3:curvature=-0.5:prior_time=2.0", Hyperbolic(3, -0.5, 2.0)),
        ("product(lens:(5,2), so3/cyclic:3)", Product((LensSpace(5, 2), RotationQuotient("cyclic", 3)))),
        ("product(sphere:2, so3)", Product((Sphere(2), SO3()))),
        ("product(sphere:2,flat_torus:1):dim=3", Product((Sphere(2), FlatTorus(1)))),
        (
            "product(so3, product(sphere:1:radius=2, euclidean:1))",
            Product((SO3(), Product((Sphere(1, 2.0), Euclidean(1))))),
        ),
    ],
)
def test_texts(text, manifold):
    assert parse_manifold(text) == manifold
    assert build_manifold(text) == manifold
    assert build_manifold(manifold_block(text)) == manifold
    assert manifold_block(manifold) == manifold_block(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown manifold ''"),
        ("sphere(2)", "parentheses are for the factors of a product"),
        ("product(sphere:2", "a bracket or quote is not closed"),
        ("product sphere:2)", "a bracket or quote is not closed"),
        ("lens:4,2", "q prime to it"),
        ("lens:4", "lens"),
        ("so3/cyclic", "lacks order"),
        ("hyperbolic:1", "dim must be at least 2"),
        ("product()", "factors must be one text or more"),
        ("product(sphere:2, spere:2)", "unknown manifold 'spere': known are sphere"),
        ("sphere:2:radius", "write name, name:dim or name:dim:option=value"),
        ("sphere:2:rdius=1", "'sphere:2:rdius=1': rdius = '1' does not apply: sphere has dim, radius only"),
    ],
)
def test_texts_that_are_refused(text, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace(")", r"\)")):
        parse_manifold(text)


def random_manifold(rng: np.random.Generator, depth: int) -> Manifold:
    dim = int(rng.integers(1, 6))
    radius = float(rng.choice([1.0, 0.1, 1e-7, 12345.678, rng.uniform(0.1, 3)]))
    made = [
        Euclidean(dim),
        Sphere(dim, radius),
        FlatTorus(dim),
        ProjectiveSpace(dim + 1),
        SO3(),
        EmbeddedTorus(radius, radius * 0.3),
        GENUS_TWO,
    ]
    which = int(rng.integers(len(made) + 2 * (depth > 0)))
    if which < len(made):
        return made[which]
    return Product(tuple(random_manifold(rng, depth - 1) for _ in range(rng.integers(1, 4))))


@pytest.mark.parametrize("seed", range(200))
def test_text_of_any_manifold_is_read_as_that_manifold(seed):
    manifold = random_manifold(np.random.default_rng(seed), 3)
    assert parse_manifold(text_of(manifold)) == manifold
    assert text_of(parse_manifold(text_of(manifold))) == text_of(manifold)


@dataclasses.dataclass(frozen=True)
class Ellipse(Sphere):
    ratio: float = 2.0


def test_a_manifold_of_ones_own_has_a_text_once_it_has_a_name(monkeypatch):
    with pytest.raises(UsageError, match="has no text: no name in"):
        text_of(Ellipse(1))
    monkeypatch.setitem(MANIFOLDS, "ellipse", Ellipse)
    assert text_of(Ellipse(1, ratio=3.0)) == "ellipse:1:ratio=3.0"
    assert parse_manifold("ellipse:1:ratio=3") == Ellipse(1, ratio=3.0)


def test_manifolds_by_name():
    assert build_manifold({"name": "flat_torus", "dim": 3, "radius": None}) == FlatTorus(3)
    assert build_manifold({"name": "sphere", "dim": 2, "radius": 2.0}) == Sphere(2, 2.0)


def test_products_by_their_factors():
    factors = ["sphere:2:radius=2", "flat_torus:1", "so3", "embedded_torus:minor_radius=0.5"]
    expected = Product((Sphere(2, 2.0), FlatTorus(1), SO3(), EmbeddedTorus(minor_radius=0.5)))
    assert build_manifold({"name": "product", "factors": factors, "surface": None}) == expected
    assert build_manifold({"name": "product", "factors": tuple(factors), "dim": 8}) == expected
    assert build_manifold({"name": "product", "factors": ("sphere:dim=1",)}) == Product((Sphere(1),))


def test_implicit_surfaces_by_name():
    genus_2 = Implicit(genus_two, dim=2, ambient_dim=3)
    assert build_manifold({"name": "implicit", "surface": "genus_two", "dim": 2, "factors": None}) == genus_2
    assert build_manifold({"name": "product", "factors": ("implicit:surface=genus_two",)}) == Product((genus_2,))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"name": "spere", "dim": 2}, "unknown manifold 'spere': known are sphere"),
        ({"name": "flat_torus", "dim": 2, "radius": 2.0}, "config.manifold.radius = 2.0 does not apply"),
        ({"name": "sphere", "dim": 0}, r"config.manifold \(sphere\): .*dim"),
        ({"name": "sphere", "dim": 2, "radius": -1.0}, r"config.manifold \(sphere\): .*radius"),
        ({"name": "embedded_torus", "dim": 2, "major_radius": 1.0, "minor_radius": 2.0}, "minor_radius"),
        ({"name": "embedded_torus", "dim": 3}, "config.manifold.dim = 3: embedded_torus has dimension 2"),
        ({"name": "sphere"}, r"config.manifold \(sphere\) lacks dim"),
        ({"name": "product"}, r"config.manifold \(product\) lacks factors"),
        ({"name": "product", "factors": ()}, "factors must be one text or more"),
        ({"name": "product", "factors": (2,)}, "config.manifold.factors must be str, got 2"),
        ({"name": "product", "factors": ("so3",), "dim": 2}, "config.manifold.dim = 2: product has dimension 3"),
        ({"name": "product", "factors": ("so3",), "radius": 1.0}, "radius = 1.0 does not apply: product has factors"),
        ({"name": "product", "factors": ("so3", "spere:2")}, "unknown manifold 'spere': known are sphere"),
        ({"name": "product", "factors": ("product",)}, r"factors, 'product' \(product\) lacks factors"),
        ({"name": "product", "factors": ("sphere",)}, r"factors, 'sphere' \(sphere\) lacks dim"),
        ({"name": "product", "factors": ("sphere:0",)}, r"factors, 'sphere:0' \(sphere\): .*dim"),
        ({"name": "product", "factors": ("sphere:two",)}, "dim must be int, got 'two'"),
        ({"name": "product", "factors": ("sphere:2:radius=big",)}, "radius must be float, got 'big'"),
        ({"name": "product", "factors": ("sphere:2:3",)}, "write name, name:dim or name:dim:option=value"),
        ({"name": "product", "factors": ("sphere:2:dim=3",)}, "write name, name:dim"),
        ({"name": "product", "factors": ("sphere:",)}, "write name, name:dim"),
        ({"name": "product", "factors": ("so3:radius=2",)}, "'so3:radius=2': radius = '2' does not apply: so3 has no"),
        ({"name": "product", "factors": ("so3:2",)}, "'so3:2': dim = 2: so3 has dimension 3"),
        ({"name": "implicit"}, r"config.manifold \(implicit\) lacks surface"),
        ({"name": "implicit", "surface": "genus_to"}, "unknown surface 'genus_to': known are genus_two"),
        ({"name": "implicit", "surface": "genus_two", "dim": 3}, "dim = 3: implicit has dimension 2"),
        ({"name": "sphere", "dim": 2, "surface": "genus_two"}, "surface = 'genus_two' does not apply"),
        ({"name": "sphere", "dim": 2, "factors": ("so3",)}, r"factors = \('so3',\) does not apply"),
    ],
)
def test_manifold_errors(block, message):
    with pytest.raises(UsageError, match=message):
        build_manifold(block)
