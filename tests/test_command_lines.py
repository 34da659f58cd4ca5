"""Odd command lines: code 2 and one line, which names the culprit and the remedy, and nothing is written."""

import os

import pytest

from tests.programs import ROOT, assert_refused, call
from tests.test_main import TINY

CONFIG = "--config=configs/dvae_torus.py:quick"
ACCELERATOR = "experiments/benchmarks/accelerator/__main__.py"

MAIN = [
    # the config file
    (["--config="], "give --config=FILE.py, such as configs/"),
    (["--config"], "config"),
    (["--config=configs"], "unknown config file 'configs': known are configs/"),
    (["--config=configs/vae"], "known are configs/vae.py"),
    (["--config=README.md", "--workdir=x"], "README.md: no such Python file"),
    (["--config=configs/vae.py:"], "give --workdir=FOLDER"),
    (["--config=configs/vae.py::quick"], "'quick' or none, got ':quick'"),
    (["--config=configs/vae.py:quick:8", "--workdir=x"], "'quick' or none, got 'quick:8'"),
    (["--config", "configs/vae.py", "--config", "configs/vae.py"], "--config is given more than once"),
    (["--config.seed=1"], "give --config=FILE.py"),
    (["--config=configs/er.py:sphere2"], "got 'sphere2'"),
    # flags
    (["-config.seed=1"], "give --config=FILE.py"),
    ([CONFIG, "--workdir"], "workdir"),
    ([CONFIG, "--workdir="], "give --workdir=FOLDER"),
    ([CONFIG, "--workdirs=x"], "Unknown command line flag 'workdirs'. Did you mean: workdir"),
    ([CONFIG, "--workdir=x", "--", "--devices=1"], "unexpected argument '--devices=1'"),
    ([CONFIG, "--workdir=x", "-x"], "Unknown command line flag 'x'"),
    ([CONFIG, "--workdir=x", "--devices=two"], "flag --devices=two"),
    ([CONFIG, "--workdir=x", "--cpu_devices=2.5"], "flag --cpu_devices=2.5"),
    ([CONFIG, "--workdir=x", "--cpu_devices=-1"], "--cpu_devices=-1: must be at least 1"),
    ([CONFIG, "--workdir=x", "--stream=-3"], "--stream=-3: must be at least 1"),
    ([CONFIG, "--workdir=x", "--stream="], "flag --stream="),
    ([CONFIG, "--workdir=x", "--matmul_precision="], "flag --matmul_precision="),
    ([CONFIG, "--workdir=x", "--coordinator=nowhere", "--process_id=1"], "--coordinator=nowhere: give HOST:PORT"),
    ([CONFIG, "--workdir=x", "--coordinator=:80", "--process_id=1"], "--coordinator=:80: give HOST:PORT"),
    ([CONFIG, "--workdir=x", "--num_processes=2"], "--num_processes=2 --process_id=None: "),
    # entries of the config
    ([CONFIG, "--config.=1"], "unknown config key 'config.': known are"),
    ([CONFIG, "--config..seed=1"], "config..seed"),
    ([CONFIG, "--config.seed.x=1"], "unknown config key 'config.seed.x'"),
    ([CONFIG, "--config.sede=1"], "unknown config key 'config.sede': known are config.seed"),
    ([CONFIG, "--config.model.beta.x=1"], "unknown config key 'config.model.beta.x': known are config.model.beta"),
    ([CONFIG, "--config.seed"], "config.seed must be int, got True"),
    ([CONFIG, "--noconfig.model.beta"], "config.model.beta must be float, got False"),
    ([CONFIG, "--config.seed=-1"], "seed must lie in [0, 2^32 - num_seeds), got -1"),
    ([CONFIG, "--config.seed=4294967296"], "seed must lie in [0, 2^32 - num_seeds), got 4294967296"),
    ([CONFIG, "--config.seed=1.5"], "config.seed must be int, got '1.5'"),
    ([CONFIG, "--config.num_seeds=0"], "num_seeds must be at least 1, got 0"),
    ([CONFIG, "--config.num_steps=nan"], "config.num_steps must be int or None, got 'nan'"),
    ([CONFIG, "--config.num_epochs=-3"], "num_epochs must be at least 1, got -3"),
    ([CONFIG, "--config.batch_size=1e3"], "config.batch_size must be int, got '1e3'"),
    ([CONFIG, "--config.log_every=0"], "log_every must be at least 1, got 0"),
    ([CONFIG, "--config.optimizer.learning_rate=fast"], "config.optimizer.learning_rate must be float, got 'fast'"),
    ([CONFIG, "--config.optimizer.learning_rate=-1"], "learning_rate must be"),
    ([CONFIG, "--config.optimizer.learning_rate=nan"], "learning_rate must be"),
    ([CONFIG, "--config.optimizer=adam"], "config.optimizer is a block"),
    # method, manifold, data
    ([CONFIG, "--config.method=dave"], "unknown method 'dave': known are "),
    ([CONFIG, "--config.method="], "unknown method ''"),
    ([CONFIG, "--config.manifold=sphere"], "config.manifold (sphere) lacks dim"),
    ([CONFIG, "--config.manifold=sphere:0"], "config.manifold (sphere): dim must be"),
    ([CONFIG, "--config.manifold=sphere:2.5"], "sphere:2.5"),
    ([CONFIG, "--config.manifold=sphere:2:radius=nan"], "radius"),
    ([CONFIG, "--config.manifold=product()"], "factors"),
    ([CONFIG, "--config.manifold=product(sphere:2"], "a bracket or quote is not closed"),
    ([CONFIG, "--config.manifold=product(sphere:2, so4)"], "unknown manifold 'so4': known are so3"),
    ([CONFIG, "--config.manifold=embedded_torus:2:minor_radius=9"], "embedded_torus"),
    ([CONFIG, "--config.manifold=implicit:surface=genus_tow"], "unknown surface 'genus_tow': known are genus_two"),
    ([CONFIG, "--config.manifold="], "unknown manifold ''"),
    ([CONFIG, "--config.data="], "unknown data set ''"),
    ([CONFIG, "--config.data=mnist:dir"], "write NAME or NAME:OPTION=VALUE"),
    ([CONFIG, "--config.data=mnist:dir=/a:dir=/b"], "write NAME or NAME:OPTION=VALUE"),
    ([CONFIG, "--config.data.size=large"], "config.data.size must be int, got 'large'"),
]
# What is found out once data and model are there.
BUILT = [
    (["--config.data.size=0"], "data option size=0"),
    (["--config.data.num_train=-5"], "data option num_train=-5"),
    (["--config.data=mnist"], "config.data.size = '8' does not apply: mnist has dir, num_train, num_test only"),
    (["--config.data.name=coil20", "--config.data.size=8"], "config.data.num_train = '256' does not apply"),
    (["--config.data=frey"], "config.data.size = '8' does not apply: frey has dir, test_every only"),
    (["--config.model.encoder_widths=(16,0)"], "encoder_widths"),
    (["--config.model.encoder_widths=(16,'a')"], "config.model.encoder_widths must be int, got 'a'"),
    (["--config.model.encoder_widths=wide"], "config.model.encoder_widths must be int, got 'wide'"),
    (["--config.model.encoder_widths=(1000000000,1000000000)"], "GB that there are: give fewer seeds"),
    (["--config.model.likelihood=poisson"], "likelihood"),
    (["--config.model.beta=nan"], "beta"),
    (["--config.evaluation.scores=mig,mog"], "mog"),
    (["--config.evaluation.importance_samples=0"], "importance_samples"),
    (["--config.batch_size=257"], "batch_size = 257 is larger than the 256 training examples"),
    (["--devices=0"], "--devices must be from 1 to "),
    (["--devices=99"], "the devices there are, got 99"),
    (["--replicas=0"], "--replicas=0"),
    (["--replicas=7"], "--replicas=7"),
    (["--config.method=wgan", "--config.model.beta=2"], "unknown config key 'config.model.beta'"),
]
SWEEP = [
    (["--config="], "give --config; --help says how"),
    ([CONFIG, "--sweep=", "--workdir=x"], "give --sweep; --help says how"),
    ([CONFIG, "--sweep=s.py", "--workdir="], "give --workdir; --help says how"),
    (["--config=nowhere.py", "--sweep=s.py", "--workdir=x"], "unknown config file 'nowhere.py'"),
    ([CONFIG, "--sweep=README.md", "--workdir=x"], "--sweep=README.md: no such Python file"),
    (["--render", "--workdir=/nowhere"], "/nowhere"),
    (["--render", "--workdir=README.md"], "README.md"),
    (["--memory_limit_gb=-1"], "memory_limit_gb"),
    (["--retries=some"], "flag --retries=some"),
    (["--shard=1"], "give --config"),
    (["--flagfile=nowhere"], "nowhere"),
]
EXPERIMENTS = [
    (ACCELERATOR, [], "accelerator: give --workdir; --help says how"),
    (ACCELERATOR, ["--workdir=x", "--minutes=-1"], "minutes"),
    (ACCELERATOR, ["--workdir=x", "--parts=z"], "z"),
    ("experiments/benchmarks/walks.py", ["--particles=0"], "particles"),
    ("experiments/benchmarks/walks.py", ["more"], "unexpected argument 'more'"),
    ("experiments/benchmarks/same_numbers.py", [], "give --before; --help says how"),
]


def written(value):
    """A command line as the name of a test; what is expected is left out."""
    return " ".join(value) if isinstance(value, list) else "" if " " in value else value


@pytest.fixture(autouse=True)
def nothing_is_written(monkeypatch):
    """Checks that no command line left a folder in the project's root."""
    before = sorted(os.listdir(ROOT))
    monkeypatch.setenv("MVAE_DATA_DIR", "/nowhere")
    yield
    assert sorted(os.listdir(ROOT)) == before


@pytest.mark.parametrize(("arguments", "message"), MAIN, ids=written)
def test_main(arguments, message):
    assert_refused(call("mvae/main.py", *arguments), message)


@pytest.mark.parametrize(("arguments", "message"), BUILT, ids=written)
def test_main_that_builds(arguments, message, tmp_path):
    workdir = tmp_path / "run"
    assert_refused(call("mvae/main.py", *TINY, *arguments, f"--workdir={workdir}"), message)
    assert not workdir.exists()


@pytest.mark.parametrize(("arguments", "message"), SWEEP, ids=written)
def test_sweep(arguments, message):
    assert_refused(call("mvae/sweep/__main__.py", *arguments), message)


@pytest.mark.parametrize(("path", "arguments", "message"), EXPERIMENTS, ids=written)
def test_experiments(path, arguments, message):
    assert_refused(call(path, *arguments), message)


@pytest.mark.parametrize(
    ("workdir", "message"),
    [
        ("README.md", "--workdir=README.md is a file: give a folder"),
        ("README.md/run", "--workdir=README.md/run cannot be"),
        ("configs", "--workdir=configs holds files but no config.json"),
        ("/proc/run", "--workdir=/proc/run cannot be written"),
        ("a" * 300, "cannot be read: File name too long"),
    ],
)
def test_folders_that_cannot_be(workdir, message):
    assert_refused(call("mvae/main.py", *TINY, f"--workdir={workdir}"), message)
