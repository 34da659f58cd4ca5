"""What strict tests check beside what they say: annotations, dtypes and ranks of `mvae`. The exceptions are all here.

- Annotations are enforced by jaxtyping and beartype, but not where a test expects an exception: there the input is
  wrong on purpose, and the message that the library gives is what counts. Nor are those of the dataclasses of flax,
  which are nodes of trees.
- Dtypes and ranks are not promoted by jax in the tests of `UNPROMOTED`.
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

STRICT = ("tests/test_methods.py",)

# Files of tests in which jax promotes neither dtypes nor ranks. The geometry broadcasts over leading axes by design, as
# losses do over draws, and optax, by which methods train, promotes dtypes.
UNPROMOTED = ("tests/nets", "tests/models/test_likelihood.py")

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


@contextlib.contextmanager
def strictly(file: str):
    """Context in which everything is enforced that is of the tests of a file, named from the root of the project."""
    jaxtyping.config.update("jaxtyping_disable", not file.startswith(STRICT))
    alone = file.startswith(UNPROMOTED)
    with (
        jax.numpy_dtype_promotion("strict" if alone else "standard"),
        jax.numpy_rank_promotion("raise" if alone else "allow"),
    ):
        yield
    jaxtyping.config.update("jaxtyping_disable", True)
