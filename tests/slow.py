"""All tests, the slow ones too, compiled as users compile: in parts of about an hour.

  python -m tests.slow --part=1/4          one part of four; without --part all of them
  python -m tests.slow --part=1/4 --list   its files and what they are expected to take

Files are shared out by the seconds that tests/slow_seconds.json has for them, the longest first, each to the part that
has least so far; a file that is not there counts SECONDS for each slow test and FAST for each other. A part that was
run writes what its files took into that file, to be committed with a change of the tests. Other arguments go to pytest.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "slow_seconds.json"
SECONDS, FAST = 20.0, 0.5  # of a test of which nothing is known
PYTEST = (sys.executable, "-m", "pytest", "--optimized")


def share_out(seconds: Mapping[str, float], parts: int) -> list[list[str]]:
    """Returns the files of each part, the sums as equal as the longest first makes them.

    >>> share_out({"a": 5.0, "b": 4.0, "c": 3.0, "d": 3.0}, 2)
    [['a', 'd'], ['b', 'c']]
    """
    shares: list[list[str]] = [[] for _ in range(parts)]
    sums = [0.0] * parts
    for name in sorted(seconds, key=lambda name: (-seconds[name], name)):
        least = sums.index(min(sums))
        shares[least].append(name)
        sums[least] += seconds[name]
    return shares


def listed(expression: str) -> collections.Counter[str]:
    """Returns how many tests of a marker expression each file has."""
    command = [*PYTEST, "-m", expression, "--collect-only", "-q"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit(found.stdout + found.stderr)
    return collections.Counter(line.partition("::")[0] for line in found.stdout.splitlines() if "::" in line)


def expected_seconds() -> dict[str, float]:
    """Returns what each file is expected to take."""
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    slow, fast = listed("slow"), listed("not slow")
    return {name: known.get(name, SECONDS * slow[name] + FAST * fast[name]) for name in slow | fast}


def run(files: list[str], rest: list[str]) -> int:
    """Runs all tests of the files, records what each file took, and returns pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-n", str(os.cpu_count() or 1), "--dist", "loadfile", "-q", f"--junitxml={report}"]
        code = subprocess.run([*PYTEST, "-m", "", *options, *rest, *files], cwd=ROOT, check=False).returncode
        if report.exists():
            record(report, files)
    return code


def record(report: Path, files: list[str]) -> None:
    """Writes the seconds of a JUnit report's tests, summed by file, into the record."""
    modules = {name.removesuffix(".py").replace("/", "."): name for name in files}
    taken = collections.Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "")
        if module in modules:
            taken[modules[module]] += float(case.get("time", 0))
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    known |= {name: round(seconds, 1) for name, seconds in taken.items()}
    RECORD.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def main() -> int:
    """Runs or lists a part."""
    parser = argparse.ArgumentParser(prog="python -m tests.slow", description=__doc__.split("\n")[0])
    parser.add_argument("--part", default="1/1", help="K/N: the K-th of N parts, from 1")
    parser.add_argument("--list", action="store_true", help="name the files and run nothing")
    arguments, rest = parser.parse_known_args()
    number, _, parts = arguments.part.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        parser.error(f"--part={arguments.part}: write K/N with K from 1 to N, such as 1/4")
    seconds = expected_seconds()
    files = share_out(seconds, int(parts))[int(number) - 1]
    if arguments.list:
        print("\n".join(f"{seconds[name]:8.0f} s  {name}" for name in files))
        print(f"{sum(seconds[name] for name in files):8.0f} s  in all")
        return 0
    return run(files, rest) if files else 0


if __name__ == "__main__":
    sys.exit(main())
