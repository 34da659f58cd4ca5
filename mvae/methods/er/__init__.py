"""ER: a learned or exact reparametrisation of a manifold, and a VAE behind it."""
