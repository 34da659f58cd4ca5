"""Groups under which functions of representatives must not change to be functions of points."""

import functools

import numpy as np

from mvae.manifolds.dispatch import open_function
from mvae.manifolds.manifold import Manifold
from mvae.manifolds.product import Product
from mvae.manifolds.projective_space import ProjectiveSpace
from mvae.manifolds.quotient.groups import Group, block_diagonal, generated_by
from mvae.manifolds.quotient.space import QuotientSpace


@open_function("symmetry group", "it is trivial")
def symmetry_group(manifold: Manifold) -> Group | None:
    """Returns the matrices that take representatives of a point of a manifold to each other; None where there is one.

    Decoders are invariant under it: f(g z) = f(z).

    >>> symmetry_group(ProjectiveSpace(1)).matrices
    (((1.0, 0.0), (0.0, 1.0)), ((-1.0, 0.0), (0.0, -1.0)))
    """
    return symmetry_group.of(manifold)(manifold)


@symmetry_group.register(Manifold)
def _(manifold: Manifold) -> None:
    del manifold


@symmetry_group.register(QuotientSpace)
def _(manifold: QuotientSpace) -> Group:
    return manifold.group


@symmetry_group.register(ProjectiveSpace)
def _(manifold: ProjectiveSpace) -> Group:
    return generated_by(-np.eye(manifold.ambient_dim))


@symmetry_group.register(Product)
@functools.cache
def _(manifold: Product) -> Group | None:
    groups = [symmetry_group(factor) for factor in manifold.factors]
    if not any(groups):
        return None
    sizes = [factor.ambient_dim for factor in manifold.factors]
    generators = []
    for place, group in enumerate(groups):
        generators += [
            block_diagonal(*(matrix if k == place else np.eye(n) for k, n in enumerate(sizes)))
            for matrix in (() if group is None else group.array[1:])
        ]
    return generated_by(*generators)
