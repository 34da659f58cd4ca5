"""A small mesh in the format OBJ."""

import gzip

from mvae.data.meshes.mesh import icosphere


def write_ellipsoid(path):
    """Writes an ellipsoid off the origin, 320 triangles of very different areas; y is up, and the shortest."""
    sphere = icosphere(2)
    vertices = sphere.vertices * [3, 0.3, 1] + [5, 1, -2]
    lines = [f"v {x:.17g} {y:.17g} {z:.17g}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in sphere.faces + 1]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
