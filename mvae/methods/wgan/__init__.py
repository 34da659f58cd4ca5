"""Wasserstein GAN with gradient penalty, the baseline without an encoder."""
