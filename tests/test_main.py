"""The program as its user meets it: help, errors of one line and exit code 2, interruption and resume."""

import functools
import json
import signal
import time

import pytest

from tests.processes import outcome, started
from tests.programs import assert_refused, call

TINY = [
    "--config=configs/dvae_torus.py:quick",
    "--config.data.size=8",
    "--config.data.num_train=256",
    "--config.data.num_test=64",
    "--config.batch_size=32",
    "--config.model.encoder_widths=(16,)",
    "--config.model.decoder_widths=(16,)",
    "--config.evaluation.importance_samples=5",
    "--config.evaluation.degree_grid=16",
    "--config.log_every=10",
    "--config.checkpoint_every=20",
]


start = functools.partial(started, "-m", "mvae.main")
main = functools.partial(call, "mvae/main.py")


def program(*arguments):
    return outcome(start(*arguments))


def test_help_says_how_to_use_it():
    code, output, _ = program("--help")
    assert code == 0
    assert "--config=configs/dvae_torus.py:quick" in output
    assert "--workdir" in output


def test_help_lists_the_entries_of_the_config_that_is_given():
    code, output, _ = program("--config=configs/vae.py", "--config.data=coil20", "--help")
    assert code == 0
    assert "  data.object = 0\n        Which object to keep" in output
    assert "  model.max_capacity = 15.0\n        Capacity that C rises to" in output
    assert "  optimizer.learning_rate = 0.001\n        Rate until" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --config=FILE.py, such as configs/dvae_genus_two.py"),
        (["--config=configs/dvae_tours.py"], "known are configs/dvae_torus.py"),
        (["--config=configs/dvae_torus.py:fast"], "'quick' or none, got 'fast'"),
        (["--config=configs/dvae_torus.py"], "give --workdir=FOLDER"),
        (
            ["--config=configs/dvae_torus.py", "--config.manifold.nam=x"],
            "config.manifold.nam = 'x' does not apply: flat_torus has dim only",
        ),
        (
            ["--config=configs/dvae_torus.py", "--config.num_steps=many"],
            "config.num_steps must be int or None, got 'many'",
        ),
        (["--config=configs/dvae_torus.py", "--wrkdir=x"], "Unknown command line flag 'wrkdir'"),
        (["--config=configs/vae.py", "--config=configs/wgan.py"], "--config is given more than once"),
        (["--config=configs/dvae_torus.py", "--config.model.bta=1"], "known are config.model.beta"),
        (["--config=configs/dvae_torus.py", "--config.model=1"], "config.model is a block: override its entries"),
        (
            ["--config=configs/dvae_torus.py", "--config.method=vae", "--config.model.kl=exact"],
            "config key 'config.model.kl'",
        ),
        (
            ["--config=configs/vae.py", "--config.data=coil20:objct=1"],
            "coil20 has dir, object, objects, size, test_every",
        ),
        (["--config=configs/vae.py", "--flagfile=nowhere.flags"], "nowhere.flags"),
        (["--config=configs/dvae_torus.py", "torus"], "unexpected argument 'torus'"),
        (["--config=configs/dvae_torus.py", "--workdir=x", "--matmul_precision=half"], "matmul_precision"),
        (["--config=configs/dvae_torus.py", "--workdir=nowhere", "--stream=0"], "--stream=0: must be at least 1"),
        (
            ["--config=configs/dvae_torus.py", "--workdir=nowhere", "--cpu_devices=0"],
            "--cpu_devices=0: must be at least",
        ),
    ],
)
def test_bad_command_lines(arguments, message):
    assert_refused(main(*arguments), message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--config.manifold.name=spere", "unknown manifold 'spere': known are sphere"),
        ("--config.manifold.factors=('sphere:2','so3')", "does not apply: flat_torus has dim only"),
        ("--config.data.name=mnst", "unknown data set 'mnst': known are mnist"),
        ("--config.data.dir=/nowhere", "/nowhere"),
        ("--config.num_steps=0", "num_steps must be at least 1, got 0"),
        ("--config.batch_size=100000", "batch_size = 100000 is larger than the 256 training examples"),
        ("--config.model.likelihood=bernoulli", "needs values in [0, 1]"),
    ],
)
def test_bad_values_leave_no_folder(tmp_path, override, message):
    extra = ["--config.data.name=mnist"] if "dir" in override else []
    tiny = [a for a in TINY if not extra or "data." not in a]
    config = ["--config=configs/dvae_mnist.py"] if extra else tiny
    assert_refused(main(*config, override, f"--workdir={tmp_path / 'run'}"), message)
    assert not (tmp_path / "run").exists()


def test_interrupted_resumed_refused_and_finished(tmp_path):
    """One run: SIGTERM amid training, another config refused, resumed to the end, not run again."""
    workdir = tmp_path / "run"
    arguments = [*TINY, "--config.num_steps=20000", f"--workdir={workdir}"]
    process = start(*arguments)
    deadline = time.monotonic() + 200
    while not (workdir / "metrics.jsonl").exists() or not (workdir / "metrics.jsonl").read_text():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM at step" in errors
    assert "Traceback" not in errors
    step = int(errors.split("at step ")[1].split()[0])
    assert (workdir / "checkpoints" / "train" / str(step)).is_dir()

    code, _, errors = program(*TINY, "--config.num_steps=30", f"--workdir={workdir}")
    assert code == 2
    assert "num_steps: 20000 there, 30 asked for" in errors
    assert (workdir / "checkpoints" / "train" / str(step)).is_dir()


def test_whole_run_leaves_results_and_figures(tmp_path):
    workdir = tmp_path / "run"
    arguments = [*TINY, "--config.num_steps=30", "--config.num_seeds=2", f"--workdir={workdir}"]
    code, output, errors = program(*arguments)
    assert code == 0, errors
    results = json.loads((workdir / "results.json").read_text())
    assert [member["seed"] for member in results["members"]] == [0, 1]
    assert {"elbo", "kl", "mse", "log_likelihood", "degree", "winding"} <= results["members"][0].keys()
    assert {"elbo", "kl", "mse", "log_likelihood"} <= results["mean"].keys() & results["std"].keys()
    assert {path.name for path in (workdir / "figures").iterdir()} == {
        "latent_space_seed_0.png",
        "latent_space_seed_1.png",
        "decoded_grid.png",
        "reconstructions.png",
        "training_curves.png",
    }
    assert list((workdir / "tensorboard").rglob("events*"))
    assert "elbo" in output
    stamp = (workdir / "results.json").stat().st_mtime_ns
    code, again, _ = program(*arguments)
    assert code == 0
    assert again == output
    assert (workdir / "results.json").stat().st_mtime_ns == stamp


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_programs_compile_or_doubled(tmp_path, number):
    """The second process is refused in one line; the first one stops with one and leaves the folder free."""
    workdir = tmp_path / "run"
    arguments = [*TINY, "--config.num_steps=20000", f"--workdir={workdir}"]
    process, deadline = start(*arguments), time.monotonic() + 200
    while not (workdir / "config.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    code, _, errors = program(*arguments)
    assert code == 2
    assert f"{workdir} is in use by process {process.pid} on " in errors
    assert len(errors.splitlines()) == 1
    process.send_signal(number)
    code, _, errors = outcome(process, timeout=100)
    assert code == 128 + number
    assert f"mvae: stopped by {number.name}" in errors
    assert "Fatal" not in errors
    assert "Traceback" not in errors
    assert not (workdir / ".locks").exists()


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(tmp_path):
    workdir = tmp_path / "run"
    outcome = main(*TINY, "--config.num_seeds=2", "--dry_run", f"--workdir={workdir}")
    assert outcome.code == 0, outcome.errors
    lines = {line.split()[0]: line for line in outcome.output.splitlines()}
    assert "256 training and 64 test examples of shape 8×8×1, with " in lines["data"]
    assert "FlatTorus(dim=2): dimension 2, points of 4 numbers" in lines["latent"]
    assert lines["seeds"].split() == ["seeds", "2,", "batches", "of", "32"]
    # The encoder: 64 to 16, 16 to 4 and to 1; the decoder: 4 to 16, 16 to 64; each with a bias.
    assert "parameters  2,293 a seed" in lines["parameters"]
    assert "48 steps, " in lines["stage"]
    assert "of training; " in lines["time"]
    assert "memory" in lines
    assert not workdir.exists()
    assert_refused(main(*TINY, "--dry_run", "--config.batch_size=257"), "batch_size = 257 is larger")


def test_help_has_every_flag_in_a_group():
    output = main("--help").output
    groups = [block.splitlines() for block in output.split("\n\n") if block.partition(":")[2].startswith("\n  --")]
    assert [group[0] for group in groups] == ["The run:", "Devices and memory:", "Several processes:"]
