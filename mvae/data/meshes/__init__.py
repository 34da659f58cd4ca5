"""Triangle meshes: their files, points of their surfaces, images of them."""
