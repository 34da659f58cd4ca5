"""The methods: one room each, with its config, model, stages and reports of its own."""

from mvae.methods import dvae, svae, vae, vamp
from mvae.methods.er import method as er
from mvae.methods.method import Method, MethodInputs, MethodOutputs, euclidean, one_stage
from mvae.methods.vaells import method as vaells
from mvae.methods.vdae import method as vdae
from mvae.methods.wgan import method as wgan

__all__ = ["METHODS", "Method", "MethodInputs", "MethodOutputs", "euclidean", "one_stage"]

METHODS: dict[str, Method] = {room.METHOD.name: room.METHOD for room in (dvae, er, svae, vae, vaells, vamp, vdae, wgan)}
