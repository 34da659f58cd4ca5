"""The methods: one room each, with its config, model, stages and reports of its own."""

from mvae.methods import dvae, svae, vae, vamp
from mvae.methods.er import method as er_method
from mvae.methods.method import Method, MethodInputs, MethodOutputs, euclidean, one_stage
from mvae.methods.vaells import method as vaells_method
from mvae.methods.vdae import method as vdae_method
from mvae.methods.wgan import method as wgan_method

__all__ = ["METHODS", "Method", "MethodInputs", "MethodOutputs", "euclidean", "one_stage"]

# Not under the names of their folders, which `mvae.methods` has as attributes.
_ROOMS = (dvae, er_method, svae, vae, vaells_method, vamp, vdae_method, wgan_method)
METHODS: dict[str, Method] = {room.METHOD.name: room.METHOD for room in _ROOMS}
