"""Every program begins and ends alike, whatever its flags, its terminal, its reader or a signal do."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from mvae import programs
from mvae.engine.signals import leaving_at_once
from tests.paths import ROOT
from tests.programs import assert_refused, call

SOURCES = sorted(ROOT.glob("experiments/**/*.py")) + sorted(ROOT.glob("mvae/**/*.py"))
PROGRAM = """
'''What it is for.'''
import sys
from absl import flags
from mvae.programs import launch
flags.DEFINE_string("folder", None, "Where.", required=True)
def main(argv):
    {body}
if __name__ == "__main__":
    launch(main)
"""


def program(tmp_path, body):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(body=body))
    return str(path)


def test_no_program_starts_in_another_way():
    assert not [str(path) for path in SOURCES if "app.run(" in path.read_text() and path.name != "programs.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "program.py: give --folder; --help says how"),
        (["--folder"], "program.py: Missing value for flag --folder"),
        (["--folder=x", "--fodler=y"], "program.py: Unknown command line flag 'fodler'. Did you mean: folder ?"),
        (["--folder=x", "y"], "program.py: unexpected argument 'y': flags start with --; --help lists them"),
    ],
)
def test_flags_that_are_wrong_are_a_line_and_code_two(tmp_path, arguments, message):
    assert_refused(call(program(tmp_path, "return 0"), *arguments), message)


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_is_no_fault(tmp_path, flag):
    code, output, errors = call(program(tmp_path, "return 0"), flag)
    assert (code, errors) == (0, "")
    assert output.startswith("What it is for.")
    assert "--folder: Where." in output


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "from mvae.errors import UsageError; raise UsageError('size=0:\\nat least 1')",
            "program.py: size=0: at least 1",
        ),
        ("import jax; jax.devices('cuda')", "program.py: JAX_PLATFORMS="),
    ],
)
def test_faults_of_a_program_are_a_line(tmp_path, body, message):
    assert_refused(call(program(tmp_path, body), "--folder=x"), message)


def test_other_errors_and_exit_codes_pass(tmp_path):
    assert call(program(tmp_path, "return 3"), "--folder=x").code == 3
    with pytest.raises(AssertionError, match="own"):
        call(program(tmp_path, "raise AssertionError('own')"), "--folder=x")


def test_a_backend_of_matplotlib_that_is_not_there_is_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "nonsense")

    def refuse(name):
        raise ValueError(f"{name} is not a valid value")

    monkeypatch.setattr(programs, "_import_matplotlib", lambda: refuse("nonsense"))
    assert_refused(call(program(tmp_path, "return 0"), "--folder=x"), "MPLBACKEND=nonsense: no backend of matplotlib")


def test_a_signal_amid_imports_ends_the_process(monkeypatch, capsys):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    before = signal.getsignal(signal.SIGINT)
    with leaving_at_once("mvae"):
        os.kill(os.getpid(), signal.SIGINT)
    assert ended == [130]
    assert capsys.readouterr().err == "mvae: stopped by SIGINT; the same command resumes\n"
    assert signal.getsignal(signal.SIGINT) == before


def test_in_another_thread_signals_are_left_alone():
    errors = []

    def enter():
        try:
            with leaving_at_once("mvae"):
                pass
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert not errors


def started(path, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, path, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


def test_who_reads_may_go_away(tmp_path):
    process = started(program(tmp_path, "[print('x' * 999) for _ in range(999)]"), "--folder=x")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == programs.READER_GONE


def test_a_terminal_of_ascii_gets_the_rest_of_the_line(tmp_path):
    process = started(program(tmp_path, "print('1 ± 2')"), "--folder=x", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert process.communicate(timeout=60) == (b"1 \\xb1 2\n", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_program_is_a_line(tmp_path, number):
    body = f"import os; os.kill(os.getpid(), {int(number)}); [None for _ in range(10**9)]"
    process = started(program(tmp_path, body), "--folder=x")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (128 + number, b"")
    assert errors.decode() == f"program.py: stopped by {number.name}; the same command resumes\n"


def test_echoes_of_a_failed_write_are_dropped_and_nothing_else(tmp_path, capsys):
    hook = "import sys; sys.excepthook(RuntimeError, RuntimeError({!r}), None)"
    assert call(program(tmp_path, hook.format("Event loop is closed")), "--folder=x").errors == ""
    assert "RuntimeError: another" in call(program(tmp_path, hook.format("another")), "--folder=x").errors


def test_echoes_that_nobody_can_raise_are_dropped_and_nothing_else(tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: found.append(str(unraisable.exc_value)))
    body = "type('Late', (), {{'__del__': lambda self: (_ for _ in ()).throw(RuntimeError({!r}))}})()"
    for message in ("Event loop is closed", "another"):
        assert call(program(tmp_path, body.format(message)), "--folder=x").errors == ""
    assert found == ["another"]
