"""VDAE: the manifold is learned as a diffusion map, and the autoencoder around it generates by a random walk."""
