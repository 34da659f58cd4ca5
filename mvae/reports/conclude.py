"""How a trained run is concluded: its numbers on disk first, then its figures, and what fails set aside.

What has been found is kept in evaluation.json until all of it is, so that an evaluation that was interrupted goes on,
and one in which something failed does that again and nothing else.
"""

import dataclasses
import json
import logging
import math
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvae import figures
from mvae.engine.files import write_atomically
from mvae.engine.processes import is_lead
from mvae.engine.signals import StopRequest
from mvae.errors import UsageError
from mvae.reports.report import Member, Report, View
from mvae.reports.settings import EvaluationConfig

LOGGER = logging.getLogger(__name__)


class Record:
    """evaluation.json: what has been found of each seed by each report, and whose figures are drawn.

    Attributes:
        drawn: Names of the reports whose figures are all drawn.
    """

    def __init__(self, path: Path | None, settings: EvaluationConfig, seeds: Sequence[int]):
        self._path, self._settings = path, plain(dataclasses.asdict(settings))
        self._seeds: dict[str, dict[str, Any]] = {str(seed): {} for seed in seeds}
        self.drawn: list[str] = []
        self._warned = False
        before = None if path is None else _read(path)
        if (
            before is not None
            and before.get("settings") == self._settings
            and before["seeds"].keys() == self._seeds.keys()
        ):
            self._seeds, self.drawn = before["seeds"], before["drawn"]

    def of(self, seed: int) -> dict[str, Any]:
        """What is known of a seed, report -> {"numbers", "unavailable"}; to be added to."""
        return self._seeds[str(seed)]

    def save(self) -> None:
        """Writes the file; a disk that is full does not end an evaluation."""
        if self._path is None or not is_lead():
            return
        try:
            _write_strictly(self._path, {"settings": self._settings, "seeds": self._seeds, "drawn": self.drawn})
        except OSError as error:
            if not self._warned:
                LOGGER.warning("%s cannot be written: %s", self._path, reason_of(error))
            self._warned = True

    def discard(self) -> None:
        """Removes the file: everything that it holds is in the results."""
        if self._path is not None and is_lead():
            self._path.unlink(missing_ok=True)


def finished(folder: Path, settings: EvaluationConfig) -> dict[str, Any] | None:
    """Returns the results in a run's folder if nothing of them is missing for these settings, else None.

    Raises:
        UsageError: If results.json cannot be read.
    """
    path = folder / "results.json"
    if not path.exists():
        return None
    try:
        results = json.loads(path.read_text())
        made_with = results.get("evaluation")
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): remove it to evaluate again") from error
    wanted = plain(dataclasses.asdict(settings))
    # What was not there to be set when the results were made has its default.
    if not isinstance(made_with, dict) or plain(dataclasses.asdict(EvaluationConfig())) | made_with != wanted:
        LOGGER.info("%s was made with other settings of the evaluation: evaluating anew", path)
        return None
    pending = _read(folder / "evaluation.json")
    return None if pending is not None and pending.get("settings") == wanted else results


def conclude(view: View, reports: Sequence[Report], folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Evaluates all seeds, writes results.json, draws figures/, and returns what results.json holds.

    Args:
        view: The trained run.
        reports: What is asked of it.
        folder: The run's folder.
        facts: Entries of results.json beside those of `summarize`, such as the number of steps.

    Raises:
        Interrupted: On SIGINT or SIGTERM; what was done is kept.
        UsageError: If results.json cannot be written.
    """
    record = Record(folder / "evaluation.json", view.settings, view.seeds)
    with StopRequest(where="during the evaluation"):
        members, failed = _evaluate(view, reports, record, folder / "errors.log")
        results = summarize(members, failed) | facts
        results |= {"evaluation": plain(dataclasses.asdict(view.settings)), "figures_unavailable": {}}
        if not is_lead():
            return results
        record.save()
        _write_results(folder / "results.json", results)
        missing = _draw(view, reports, record, folder)
        if missing:
            results["figures_unavailable"] = missing
            try:
                _write_results(folder / "results.json", results)
            except UsageError as error:
                LOGGER.warning("%s", error)
        if missing or failed:
            record.save()
            LOGGER.warning("the same command tries again what failed: %s", ", ".join([*failed, *missing]))
        else:
            record.discard()
    return results


def evaluate(view: View, reports: Sequence[Report], facts: dict[str, Any]) -> dict[str, Any]:
    """Returns what `conclude` writes to results.json, without a folder: nothing is written or drawn.

    Args:
        view: The trained run.
        reports: What is asked of it.
        facts: As for `conclude`.

    Raises:
        Interrupted: On SIGINT or SIGTERM.
    """
    with StopRequest(where="during the evaluation"):
        members, failed = _evaluate(view, reports, Record(None, view.settings, view.seeds), None)
    results = summarize(members, failed) | facts
    return results | {"evaluation": plain(dataclasses.asdict(view.settings)), "figures_unavailable": {}}


def _evaluate(
    view: View, reports: Sequence[Report], record: Record, log: Path | None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Asks reports for the numbers of all seeds that are not known yet.

    Returns:
        The entry of each seed in results.json, and why some reports failed.
    """
    entries, failed = [], {}
    asked = [report for report in reports if report.numbers is not None]
    for member in view.members:
        known = record.of(member.seed)
        if any(report.name not in known for report in asked):
            LOGGER.info("evaluating seed %d", member.seed)
        unavailable: dict[str, str] = {}
        for report in asked:
            found, error = known.get(report.name), None
            if found is None:
                found, error = _asked(report, member, log)
                if error is None:
                    known[report.name] = found
                    record.save()
                else:
                    failed[report.name] = error
                    LOGGER.warning("seed %d has no %s: %s", member.seed, report.name, error)
            member.numbers |= found["numbers"]
            unavailable |= found["unavailable"]
        entries.append({"seed": member.seed} | member.numbers | ({"unavailable": unavailable} if unavailable else {}))
    return entries, failed


def _asked(report: Report, member: Member, log: Path | None) -> tuple[dict[str, Any], str | None]:
    """Returns what a report says of a seed, and why it could not if it failed."""
    member.reasons = {}
    try:
        numbers = plain(report.numbers(member)) if report.numbers and report.applies(member.view) else {}
    except NotImplementedError as error:  # there is no such number, and it will not be there the next time
        names = report.gives or (report.name,)
        return {"numbers": dict.fromkeys(names), "unavailable": dict.fromkeys(names, reason_of(error))}, None
    except Exception as error:
        _log(log, f"report {report.name} of seed {member.seed}")
        names, reason = report.gives or (report.name,), reason_of(error)
        return {"numbers": dict.fromkeys(names), "unavailable": dict.fromkeys(names, reason)}, reason
    unavailable = {name: reason for name, reason in member.reasons.items() if numbers.get(name) is None}
    for name, value in numbers.items():
        if not _is_finite(value):
            numbers[name] = None
            unavailable[name] = f"not finite: {value}"
    return {"numbers": numbers, "unavailable": unavailable}, None


def _draw(view: View, reports: Sequence[Report], record: Record, folder: Path) -> dict[str, str]:
    """Draws what is not drawn yet; returns why some figures are missing, by file or report."""
    place = folder / "figures"
    if place.exists() and not place.is_dir():
        reason = f"{place} is a file: remove it, and the same command draws"
        LOGGER.warning("no figures: %s", reason)
        return {"figures": reason}
    missing: dict[str, str] = {}
    for report in reports:
        if report.figures is None or report.name in record.drawn:
            continue
        lost = _drawn(report, view, place, folder / "errors.log")
        for name, reason in lost.items():
            LOGGER.warning("%s is left out: %s", name, reason)
        missing |= lost
        if not lost:
            record.drawn.append(report.name)
            record.save()
    return missing


def _drawn(report: Report, view: View, place: Path, log: Path) -> dict[str, str]:
    """Draws the figures of a report; returns why some are missing."""
    missing: dict[str, str] = {}
    try:
        if report.figures is None or not report.applies(view):
            return {}
        LOGGER.info("drawing %s", report.name)
        for name, drawing in report.figures(view):
            try:
                figures.save(drawing() if callable(drawing) else drawing, place / name)
            except NotImplementedError as error:
                LOGGER.info("no %s: %s", name, error)
            except Exception as error:
                _log(log, f"figure {name}")
                missing[name] = reason_of(error)
    except Exception as error:
        _log(log, f"figures of {report.name}")
        missing[report.name] = reason_of(error)
    return missing


def summarize(members: list[dict[str, Any]], failed: dict[str, str] | None = None) -> dict[str, Any]:
    """Returns {"members", "num_seeds", "mean", "std", "unavailable", "failed"}.

    std is the sample standard deviation, None for one seed. Both are None for the numbers that the members do not
    have, one of them or all, which "unavailable" maps to the reason. "failed" maps reports that raised to the reason.
    """
    unavailable = {name: reason for member in members for name, reason in member.get("unavailable", {}).items()}
    known = dict.fromkeys(name for member in members for name, value in member.items() if isinstance(value, float))
    for name in known:
        lacking = [str(member["seed"]) for member in members if not isinstance(member.get(name), float)]
        if lacking and name not in unavailable:
            unavailable[name] = f"seed {', '.join(lacking)} has none"
    columns = {name: np.array([member[name] for member in members]) for name in known if name not in unavailable}
    missing = dict.fromkeys(unavailable)
    return {
        "members": members,
        "num_seeds": len(members),
        "mean": {name: float(column.mean()) for name, column in columns.items()} | missing,
        "std": {name: float(column.std(ddof=1)) if len(members) > 1 else None for name, column in columns.items()}
        | missing,
        "unavailable": unavailable,
        "failed": failed or {},
    }


def plain(value: Any) -> Any:
    """Returns a value in the types of JSON: numpy's and jax's numbers and arrays as Python's."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return np.asarray(value).tolist()


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(_is_finite(entry) for entry in (value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def reason_of(error: Exception) -> str:
    """Returns the type and message of an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _log(path: Path | None, what: str) -> None:
    """Adds the traceback of the exception at hand to errors.log, where that can be written."""
    if not is_lead():
        return
    if path is None:
        LOGGER.debug("%s", what, exc_info=True)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{what}\n{traceback.format_exc()}\n")
    except OSError:
        LOGGER.debug("%s", what, exc_info=True)


def _read(path: Path) -> dict[str, Any] | None:
    """Returns what evaluation.json holds; None where it is not there or damaged, and all is found anew."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and isinstance(found.get("seeds"), dict) and isinstance(found.get("drawn"), list)
    return found if whole else None


def _write_results(path: Path, results: dict[str, Any]) -> None:
    try:
        _write_strictly(path, results)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}; the same command goes on") from error


def _write_strictly(path: Path, value: Any) -> None:
    """Writes JSON that every reader takes: without the tokens NaN and Infinity, for which it raises."""
    write_atomically(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")
