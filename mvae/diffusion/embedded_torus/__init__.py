"""Brownian motion on the embedded torus: heat kernel and KL by separation of variables."""
