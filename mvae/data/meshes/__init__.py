"""Triangle meshes: their files, points of their surfaces, images of them."""

from mvae.data.meshes.mesh import Mesh, icosphere, in_unit_ball
from mvae.data.meshes.render import render_views

__all__ = ["Mesh", "icosphere", "in_unit_ball", "render_views"]
