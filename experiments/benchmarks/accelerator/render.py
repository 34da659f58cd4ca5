"""Tables of what was measured, written into the pages between their markers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.benchmarks.accelerator.parts import PARTS
from experiments.benchmarks.accelerator.runner import MEASUREMENT, Record, read_record
from experiments.dvae import rows as dvae_rows
from mvae.errors import UsageError
from mvae.sweep import line, number

ROOT = Path(__file__).parents[3]
COMMAND = "python -m experiments.benchmarks.accelerator --workdir=W --minutes=9 --data_dir=DIR"
UNMEASURED = f"GPU: not measured; `{COMMAND}`, then `--workdir=W --render`, fills this in."
Rows = list[list[str]]
# A page for each marker, and the part that its text is of.
PAGES = {
    "headline": (Path("docs/cost.md"), "c"),
    "device": (Path("experiments/benchmarks/README.md"), "a"),
    "truth": (Path("experiments/benchmarks/README.md"), "b"),
    "steps": (Path("experiments/benchmarks/README.md"), "c"),
    "walks": (Path("experiments/benchmarks/README.md"), "e"),
    "others": (Path("experiments/benchmarks/README.md"), "f"),
    "table_1": (Path("experiments/dvae/README.md"), "d"),
}


def render_pages(workdir: Path, root: Path = ROOT) -> None:
    """Writes the tables of a workdir into the pages; where a part has no file, that it was not measured.

    Raises:
        UsageError: If a file is of a rehearsal or cannot be read, or a page has no place for a table.
    """
    records = {key: read_record(workdir / part.file) for key, part in PARTS.items()}
    for key, record in records.items():
        if record is not None and record["kind"] != MEASUREMENT:
            raise UsageError(f"{workdir / PARTS[key].file} is of a rehearsal, whose numbers mean nothing")
    pages = {path: (root / path).read_text() for path, _ in PAGES.values()}
    for name, (path, key) in PAGES.items():
        record = records[key]
        text = UNMEASURED if record is None else f"{_source(record)}\n\n{TEXTS[name](record)}"
        pages[path] = placed(pages[path], name, text, path)
    for path, text in pages.items():
        (root / path).write_text(text)


def placed(page: str, name: str, text: str, path: Path) -> str:
    """Returns a page with other text between the markers of that name."""
    first, last = f"<!-- accelerator: {name} -->", f"<!-- end of accelerator: {name} -->"
    if page.count(first) != 1 or page.count(last) != 1:
        raise UsageError(f"{path} must hold the lines {first} and {last} once")
    between = re.compile(f"{re.escape(first)}.*{re.escape(last)}", re.DOTALL)
    return between.sub(lambda _: f"{first}\n{text}\n{last}", page)


def _source(record: Record) -> str:
    versions = record["environments"][-1]["versions"]
    revision = str(record["environments"][-1]["git_revision"])[:12]
    made_with = f"Python {versions['python']}, jax {versions['jax']}, mvae {versions['mvae']} ({revision})"
    return f"{record['device']}, {made_with}; medians, in parentheses the least and the greatest of the rounds:"


def _table(header: list[str], rows: Rows) -> str:
    return "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)])


def _done(record: Record, prefix: str = "") -> Iterator[tuple[str, dict[str, Any], float]]:
    """Name, result and seconds of the cells that are done."""
    for name, cell in record["cells"].items():
        if name.startswith(prefix) and "result" in cell:
            yield name, cell["result"], cell["seconds"]


def _failures(record: Record) -> str:
    failed = [f"- {name}: {cell['error']}" for name, cell in record["cells"].items() if "error" in cell]
    return "\n\nFailed:\n\n" + "\n".join(failed) if failed else ""


def _over(values: dict[str, float], unit: float = 1.0) -> str:
    median, least, greatest = (f"{values[name] / unit:.3g}" for name in ("median", "least", "greatest"))
    return f"{median} ({least} to {greatest})"


def device_text(record: Record) -> str:
    """Part a."""
    rows = []
    for name, result, _ in _done(record):
        if "flops" in result:
            title = name.removeprefix("product_").replace("_", " ")
            rows.append(
                [f"product of {result['size']} × {result['size']}, {title}", _over(result["flops"], 1e12), "TFLOP/s"]
            )
        elif "bytes_per_second" in result:
            rows.append(["copy, read and written", _over(result["bytes_per_second"], 1e9), "GB/s"])
        elif "normals_per_second" in result:
            rows.append(["normal draws", _over(result["normals_per_second"], 1e9), "10⁹/s"])
        else:
            rows.append(["a call that does nothing", _over(result["call_seconds"], 1e-6), "µs"])
    return _table(["", "rate", "unit"], rows) + _failures(record)


def truth_text(record: Record) -> str:
    """Part b."""
    rows = []
    for name, result, _ in _done(record):
        for title, check in result.items():
            error = "not finite" if check["error"] is None else f"{check['error']:.2g}"
            rows.append([name, title, error, f"{check['tolerance']:.2g}", "yes" if check["passed"] else "**no**"])
    return _table(["cell", "what", "error", "tolerance", "within"], rows) + _failures(record)


def steps_text(record: Record) -> str:
    """Part c."""
    rows, starts = [], []
    for name, result, _ in _done(record):
        if name == "first_step":
            for seeds, found in result.items():
                for kind, seconds in found.items():
                    parts = ("imports", "data_and_model", "trace", "compile", "first_step", "all")
                    starts.append([seeds, kind, *(f"{seconds[part]:.1f}" for part in parts)])
            continue
        step, batch, seeds, how, precision = re.sub(r"(batch|seeds)", "", name).split("_")
        del step
        measured = [_over(result["steps_per_second"]), _over(result["flops"], 1e12)]
        shares = [_over(result["of_large_product"]), _over(result["of_own_products"])]
        rows.append([batch, seeds, how, precision, *measured, *shares])
    header = ["batch", "seeds", "", "precision", "steps/s", "TFLOP/s", "of a large product", "of its own products"]
    times = ["", "compiled programs", "s, imports", "data", "tracing", "compiling", "first step", "all"]
    return "\n\n".join([_table(header, rows), _table(times, starts)]) + _failures(record)


def walks_text(record: Record) -> str:
    """Part e."""
    walks = []
    for name, result, _ in _done(record, "walk_"):
        space, particles = name.removeprefix("walk_").rsplit("_", 1)
        walks += [
            [space, particles, kind, _over(found["steps_per_second"]), _over(found["of_noise"])]
            for kind, found in result.items()
        ]
    header = ["space", "particles", "walk", "steps/s", "/ rate of drawing its noise"]
    names = ["space", "log densities/s", "their gradients/s", "KLs/s", "their gradients/s"]
    order = ("densities", "density_gradients", "kls", "kl_gradients")
    densities = [
        [name.removeprefix("density_"), *(_over(result[key]) for key in order)]
        for name, result, _ in _done(record, "density_")
    ]
    return "\n\n".join([_table(header, walks), _table(names, densities)]) + _failures(record)


def others_text(record: Record) -> str:
    """Part f."""
    rows = []
    for name, result, seconds in _done(record):
        for title, cell in _others(name, result):
            rows.append([title, cell, f"{seconds:.0f}"])
    return _table(["", "measured", "s, whole cell"], rows) + _failures(record)


def _others(name: str, result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Titles and numbers of a cell of part f."""
    if name.startswith("coefficients"):
        for problems, found in result.items():
            yield f"{name}, {problems}", f"{_over(found['problems_per_second'])} problems/s"
    elif name == "vaells_circles":
        for kind, found in result.items():
            yield f"VAELLS circles, {kind}", f"{_over(found['milliseconds'])} ms"
    elif name == "neighbors":
        shares = f"{_over(result['seconds'])} s, of its product {_over(result['of_product'])}"
        yield f"ten neighbours of {result['points']} digits", shares
    elif name == "spectral_net":
        times = f"graph {result['graph_seconds']:.1f} s, training {result['training_seconds']:.1f} s"
        yield f"SpectralNet of {result['points']} digits", times
    else:
        results = result["results"]
        yield name, f"ELBO {number(results, 'elbo')}, training {results['train_seconds']:.0f} s"


def table_text(record: Record) -> str:
    """Part d."""
    found = {name: dvae_rows.Finished(result["results"], result["num_epochs"]) for name, result, _ in _done(record)}
    seconds = [
        [
            dvae_rows.ROWS[name].title,
            "in several sittings" if result["results"]["resumed"] else f"{taken:.0f}",
            f"{result['results']['train_seconds']:.0f}",
        ]
        for name, result, taken in _done(record)
    ]
    times = _table(["latent space", "s, all", "s, steps"], seconds)
    return "\n\n".join([dvae_rows.table_of("1", found), times]) + _failures(record)


def headline_text(record: Record) -> str:
    """What the page on costs says."""
    rows = [
        f"{name.removeprefix('step_').replace('_', ', ')}: {_over(result['steps_per_second'])} steps/s, "
        f"{result['of_own_products']['median']:.2f} of its own products"
        for name, result, _ in _done(record, "step_batch640_seeds")
        if name.endswith("_default")
    ]
    return "The ΔVAE's step on MNIST: " + "; ".join(rows) + "."


TEXTS: dict[str, Callable[[Record], str]] = {
    "headline": headline_text,
    "device": device_text,
    "truth": truth_text,
    "steps": steps_text,
    "walks": walks_text,
    "others": others_text,
    "table_1": table_text,
}
