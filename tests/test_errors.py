"""Bad input ends a program with one message and code 2."""

import pytest

from mvae.errors import UsageError, reporting


def test_usage_errors_are_one_message_and_code_two(capsys):
    def main(argv):
        raise UsageError(f"--dims: {argv[0]!r} is not a number")

    with pytest.raises(SystemExit) as exit_:
        reporting(main)(["x"])
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "error: --dims: 'x' is not a number\n"


def test_other_errors_pass():
    def main(argv):
        raise RuntimeError(argv[0])

    with pytest.raises(RuntimeError, match="broken"):
        reporting(main)(["broken"])
