"""The choice of rounding reaches the steps of training, and only what has not asked for its own."""

import jax
import jax.numpy as jnp
import pytest

from mvae import diffusion, manifolds, transport
from mvae.engine.precision import PRECISIONS, products_in
from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from mvae.errors import UsageError
from mvae.runs.run_folder import RunFolder
from tests.engine.toy import BATCH, Toy, dataset

pytestmark = pytest.mark.usefixtures("optimized")

ROUNDED = "lhs_precision_type = bf16"
IN_PROGRAM = {
    "default": "precision = [DEFAULT, DEFAULT] :",
    "bfloat16": ROUNDED,
    "tensorfloat32": "precision = [HIGH, HIGH]",
    "float32": "precision = [HIGHEST, HIGHEST]",
}
TORUS = manifolds.EmbeddedTorus()


@pytest.mark.parametrize(
    ("name", "num_seeds"),
    [
        ("bfloat16", 2),
        *(pytest.param(name, 1, marks=pytest.mark.slow) for name in PRECISIONS),
    ],
)
def test_products_of_a_step_are_rounded_as_asked(name, num_seeds):
    keys = seed_keys(0, num_seeds, 0)
    program = build_program(Toy(3).stage, dataset(), BATCH, 16, keys, matmul_precision=name)
    run = jax.jit(lambda progress, orders: program.run(progress, orders, 0, 3))
    products = [
        line
        for line in run.lower(program.init(None), program.orders(0)).as_text().splitlines()
        if "dot_general" in line
    ]
    assert products
    assert all(IN_PROGRAM[name] in line for line in products)


def test_unknown_precision_is_refused_and_nothing_lasts():
    with pytest.raises(UsageError, match=r"matmul_precision.*float16.*known are bfloat16"), products_in("float16"):
        pass
    before = jax.config.jax_default_matmul_precision
    with products_in("bfloat16"):
        assert jax.config.jax_default_matmul_precision == "BF16_BF16_F32"
    assert jax.config.jax_default_matmul_precision == before


def infer(operators):
    z = jnp.ones((5, 4))
    return transport.infer_coefficients(jax.random.key(0), operators, z, 1.1 * z, l1_weight=0.1).coefficients


def transported(operators):
    return transport.transport(operators, jnp.ones((5, 3)), jnp.ones((5, 4)))


OPERATORS = jax.ShapeDtypeStruct((3, 4, 4), jnp.float32)
POINTS = {space: jax.ShapeDtypeStruct((4, space.ambient_dim), jnp.float32) for space in (TORUS, manifolds.SO3())}


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        pytest.param(manifolds.SO3().project, [POINTS[manifolds.SO3()]], id="projection"),
        pytest.param(TORUS.log, [POINTS[TORUS]] * 2, id="geodesics of a torus"),
        pytest.param(
            lambda z: diffusion.kl_to_uniform(TORUS, 0.1, z), [POINTS[TORUS]], id="KL", marks=pytest.mark.slow
        ),
        pytest.param(transported, [OPERATORS], id="transport"),
        pytest.param(infer, [OPERATORS], id="coefficients"),
        pytest.param(
            lambda z, w: diffusion.log_heat_kernel(TORUS, 0.1, z, w),
            [POINTS[TORUS]] * 2,
            id="heat kernel",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_geometry_stays_exact(function, arguments):
    """Neither values nor gradients, nor the tables that are made while a step is traced."""

    def gradients(*arguments):
        return jax.grad(lambda *arguments: jnp.sum(function(*arguments)))(*arguments)

    with products_in("bfloat16"):
        for traced in (function, gradients):
            assert ROUNDED not in jax.jit(traced).lower(*arguments).as_text()


def test_a_run_keeps_its_precision(tmp_path):
    folder = RunFolder(tmp_path)
    folder.claim({"seed": 0}, [], "bfloat16")
    folder.claim({"seed": 0}, [], "bfloat16")
    with pytest.raises(UsageError, match="begun with --matmul_precision=bfloat16, not default"):
        folder.claim({"seed": 0}, [])
    older = RunFolder(tmp_path / "older")
    older.path.mkdir()
    older.config.write_text('{"config": {"seed": 0}}')
    older.claim({"seed": 0}, [])
    with pytest.raises(UsageError, match="begun with --matmul_precision=default, not float32"):
        older.claim({"seed": 0}, [], "float32")
