"""Losses of the toy stage, step by step, as they were when there were two programs, for resident and streamed data."""

import numpy as np
import pytest

from mvae.engine.program import build_program
from mvae.engine.seeds import seed_keys
from tests.engine.toy import BATCH, Toy, dataset, streamed

# Sums over the first 1 to 5 steps of seeds 3, 4 and 5, in float32 on a CPU.
LOSSES = [
    [30.870758056640625, 55.818328857421875, 96.22224426269531, 107.3691177368164, 145.67721557617188],
    [20.106138229370117, 26.646881103515625, 32.373600006103516, 43.7804069519043, 59.89735794067383],
    [15.664118766784668, 59.18905258178711, 138.53704833984375, 178.74928283691406, 223.17849731445312],
]


@pytest.mark.parametrize(("block_steps", "sequential"), [(None, True), (None, False), (4, True), (4, False)])
def test_losses_are_what_they_were(block_steps, sequential):
    data = dataset() if block_steps is None else streamed()
    program = build_program(
        Toy(23).stage, data, BATCH, 16, seed_keys(3, 3, 0), block_steps=block_steps, sequential=sequential
    )
    progress, orders, found = program.init(None), program.orders(0), []
    for step in range(5):
        progress, orders = program.run(progress, orders, step, step + 1)
        found.append(np.asarray(progress.sums["loss"]))
    program.close()
    np.testing.assert_allclose(np.transpose(found), LOSSES, rtol=1e-6)
