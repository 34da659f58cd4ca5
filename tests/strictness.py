"""What strict tests check beside what they say: annotations, dtypes and ranks of `mvae`. The exceptions are all here.

- Annotations are enforced by jaxtyping and beartype, but not where a test expects an exception: there the input is
  wrong on purpose, and the message that the library gives is what counts. Nor are those of the dataclasses of flax,
  which are nodes of trees.
- Dtypes are not promoted in what `mvae` itself asks of jax; tests and other libraries (optax) may promote them.
- Ranks are not either, but in the rooms of `BROADCASTING`.
- Keys that are used twice are errors in the training runs of tests/test_methods.py, not everywhere: many tests draw the
  same numbers twice on purpose, from a key of their own.

Strict are the tests of `STRICT`, which grows: a file is added once its tests pass so. The hook is in place for all of
them, since it has to be there before `mvae` is imported; elsewhere it checks nothing.
"""

import contextlib
import sys

import flax.struct
import jax
import jaxtyping
import pytest
from beartype import BeartypeConf, beartype
from jax._src import config, dtypes
from jax._src.numpy import util  # jax's options know threads and processes, not whose call it is
from jax.dtypes import TypePromotionError

STRICT = ("tests/test_methods.py",)

# In the geometry points on the last axis broadcast over leading axes by design. The others are to be gone through.
GEOMETRY = ("manifolds", "diffusion", "transport", "spectral", "topology")
BROADCASTING = (*GEOMETRY, "models", "methods", "distributions", "evaluation")

# An int is a float, as it is to type checkers.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


class _Refusal(pytest.RaisesExc):
    """pytest.raises, in which annotations are not enforced."""

    def __enter__(self):
        self._disabled = jaxtyping.config.jaxtyping_disable
        jaxtyping.config.update("jaxtyping_disable", True)
        return super().__enter__()

    def __exit__(self, *exception):
        jaxtyping.config.update("jaxtyping_disable", self._disabled)
        return super().__exit__(*exception)


def _room_of_caller() -> str | None:
    """The package of `mvae` whose line called jax, None if it was another library or a test."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name != __name__ and name.split(".")[0] not in ("jax", "jaxtyping", "beartype"):
            parts = name.split(".")
            return parts[1] if parts[0] == "mvae" and len(parts) > 1 else None
        frame = frame.f_back
    return None


def _enforce_dtypes() -> None:
    """Makes jax's strict promotion hold for calls from `mvae`; optax, for one, relies on promotion."""
    bound = dtypes._least_upper_bound
    strict, standard = (getattr(config.NumpyDtypePromotion, name) for name in ("STRICT", "STANDARD"))

    def bound_here(promotion, *rest):
        try:
            return bound(promotion, *rest)
        except TypePromotionError:
            if promotion != strict or _room_of_caller() is not None:
                raise
            return bound(standard, *rest)

    dtypes._least_upper_bound = bound_here


def _enforce_ranks() -> None:
    """Makes jax's "raise" for promoted ranks hold for calls from `mvae`, outside of the rooms that broadcast."""
    refuse = util._rank_promotion_warning_or_error

    def refuse_here(name, shapes):
        room = _room_of_caller()
        if room is not None and room not in BROADCASTING:
            refuse(name, shapes)

    util._rank_promotion_warning_or_error = refuse_here


def _exempt_trees() -> None:
    """Leaves fields of flax's dataclasses unchecked: jax rebuilds them with whatever stands for arrays in a tree."""
    decorate = flax.struct.dataclass

    def unchecked(cls, **options):
        decorated = decorate(cls, **options)
        decorated.__no_type_check__ = True
        return decorated

    flax.struct.dataclass = unchecked


def install() -> None:
    """Makes `strictly` possible; to be called before `mvae` is imported."""
    if imported := [name for name in sys.modules if name.split(".")[0] == "mvae"]:
        raise RuntimeError(f"annotations cannot be enforced in what is imported already: {imported}")
    jaxtyping.install_import_hook("mvae", "tests.strictness.checked")
    jaxtyping.config.update("jaxtyping_disable", False)  # or nothing would be decorated
    pytest.raises = _Refusal
    _exempt_trees()
    _enforce_dtypes()
    _enforce_ranks()


def is_strict(file: str) -> bool:
    """Whether the tests of a file, named from the root of the project, are strict."""
    return file.startswith(STRICT)


@contextlib.contextmanager
def strictly(*, on: bool):
    """Context in which everything is enforced, or nothing."""
    jaxtyping.config.update("jaxtyping_disable", not on)
    dtype, rank = ("strict", "raise") if on else ("standard", "allow")
    with jax.numpy_dtype_promotion(dtype), jax.numpy_rank_promotion(rank):
        yield
    jaxtyping.config.update("jaxtyping_disable", True)
