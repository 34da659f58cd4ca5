"""Builds the gallery of explorers: trains small runs, writes their pages, and takes pictures of them.

  python tools/gallery.py [--data=DIR] [--runs=runs/gallery] [--only=sphere,torus] [--pictures]

Pages go to docs/gallery, where the site finds them; they are not kept in the repository. --data names the folder that
has mnist/ and cells/; without it the runs that need them are left out. A run that is finished is not trained again.
With --pictures, which needs playwright and a Chromium (its own, that of PATH, or MVAE_CHROMIUM), pictures of the spaces
go to docs/figures/gallery, and what each page costs is printed: its size, the time to the first paint, to the end of
loading, of a move's picture and of a frame while it turns.

Exit codes: 0 done; 2 what is wrong, in a line.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES, PICTURES = ROOT / "docs" / "gallery", ROOT / "docs" / "figures" / "gallery"
WINDOW, THUMBNAIL = {"width": 1100, "height": 1000}, 380  # pixels of the page of the browser, and of a picture's width


class Entry(NamedTuple):
    """An explorer of the gallery.

    Attributes:
        title: What it is, in a line.
        config: Of the run.
        settings: That differ from the config's, without `--config.`.
        data: What `settings` call {data}, in the folder of data; "" for what needs no files.
        path: Name of the walk or orbit that is played, the first one if it is "first"; "" for a geodesic.
    """

    title: str
    config: str
    settings: tuple[str, ...] = ()
    data: str = ""
    path: str = ""


FEW = ("num_seeds=1", "num_epochs=4")
GALLERY = {
    "sphere": Entry("ΔVAE on the sphere", "dvae_torus:quick", (*FEW, "manifold=sphere:2")),
    "torus": Entry("ΔVAE on the flat torus", "dvae_torus:quick", FEW),
    "projective_plane": Entry(
        "ΔVAE on the projective plane", "dvae_torus:quick", (*FEW, "manifold=projective_space:2")
    ),
    "klein_bottle": Entry("ΔVAE on the Klein bottle", "dvae_torus:quick", (*FEW, "manifold=klein_bottle")),
    "genus_two": Entry("ΔVAE on the surface of genus 2", "dvae_genus_two:quick"),
    "hyperbolic": Entry(
        "ΔVAE on the hyperbolic plane",
        "dvae_torus:quick",
        ("num_seeds=1", "num_epochs=1", "batch_size=32", "manifold=hyperbolic:2", "evaluation.importance_samples=2"),
    ),
    "hypersphere": Entry("ΔVAE on S¹⁰, projected", "dvae_torus:quick", (*FEW, "manifold=sphere:10")),
    "circles": Entry("VAELLS on concentric circles", "vaells_circles:quick", path="first"),
    "rotated_digits": Entry(
        "VAELLS on rotated digits",
        "vaells_rotated_mnist:quick",
        ("data.dir={data}", "num_seeds=1", "evaluation.importance_samples=2"),
        "mnist",
        "first",
    ),
    "digits": Entry(
        "VDAE on digits",
        "vdae:mnist",
        ("data.dir={data}", "num_seeds=1", "num_steps=300", "model.spectral.num_steps=300", "init_batch_size=4096"),
        "mnist",
        "first",
    ),
    "cells": Entry(
        "ΔVAE of cells by genes, on the sphere",
        "own_data:quick",
        ("data.path={data}", "data.label=bulk_labels", "num_seeds=1"),
        "cells/10x_pbmc68k_reduced.h5ad",
    ),
}
# Median milliseconds of a move with its picture, and of a frame while the space turns, with what the browser defers.
TIMES = """() => {
  const stage = explorer.stage, { width, height } = stage.box;
  const median = (act) => {
    const times = [];
    for (let k = 0; k < 40; k++) {
      const began = performance.now();
      act(k);
      stage.base.getContext("2d").getImageData(0, 0, 1, 1);
      times.push(performance.now() - began);
    }
    return times.sort((one, other) => one - other)[20];
  };
  const move = median((k) => stage.point([width / 2 + 80 * Math.cos(k / 5), height / 2 + 80 * Math.sin(k / 5)]));
  const frame = median(() => {
    if (stage.deep) stage.rotation = turned(stage.rotation, 0.03, 0.02);
    stage.draw({ moving: true });
  });
  stage.reset();
  stage.point(null);
  const paint = performance.getEntriesByType("paint").find(({ name }) => name === "first-contentful-paint");
  return [paint ? paint.startTime : NaN, move, frame];
}"""

# The front page's picture: the sphere with a geodesic of a right angle in view, and the code that it begins at.
FRONT = """() => {
  const { stage, strip } = explorer, begin = placeAt(stage.places, 3, 41);
  const off = Array.from({ length: stage.codes.count }, (_, k) => Math.abs(dot(begin, placeAt(stage.places, 3, k))));
  explorer.pairs(true);
  [41, off.indexOf(Math.min(...off))].forEach((code) => explorer.took(code));
  explorer.pairs(false);
  const [x, y] = strip.path.places[20];
  stage.rotation = viewFrom(Math.atan2(y, x) - 0.4, 0.35);
  stage.draw();
  explorer.took(41);
  strip.go(16);
}"""


class Wrong(Exception):  # noqa: N818
    """What keeps the gallery from being built."""


def commands(name: str, workdir: Path, page: Path, data: Path | None) -> list[list[str]]:
    """Returns the commands that train a run of the gallery and write its page.

    Raises:
        Wrong: If it needs files that are not there.
    """
    entry = GALLERY[name]
    if entry.data and (data is None or not (data / entry.data).exists()):
        raise Wrong(f"{name} needs {entry.data}: give --data, the folder that it lies in")
    place = str(data / entry.data) if data is not None else ""
    settings = [f"--config.{setting.format(data=place)}" for setting in entry.settings]
    program = [sys.executable, "-m"]
    return [
        [*program, "mvae.main", f"--config={entry.config}", *settings, f"--workdir={workdir}"],
        [*program, "mvae.explore", f"--workdir={workdir}", f"--out={page}"],
    ]


def build(name: str, runs: Path, page: Path, data: Path | None) -> None:
    """Trains a run of the gallery and writes its page.

    Raises:
        Wrong: If it needs files that are not there, or a command fails.
    """
    for command in commands(name, runs / name, page, data):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"{' '.join(command[1:])} ended with {done.returncode}: {done.stderr.strip()[-1000:]}")


def chromium(playwright: Any) -> Any:
    """Returns a Chromium: that of MVAE_CHROMIUM, of PATH, or of playwright."""
    path = os.environ.get("MVAE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


def take_pictures(name: str, page: Path, browser: Any) -> str:
    """Takes pictures of a page, light and dark, with a path on it; returns what the page costs, in a line."""
    costs = ""
    for theme in ("light", "dark"):
        context = browser.new_context(viewport=WINDOW, color_scheme=theme)
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.evaluate("explorer.ready")
        ready = tab.evaluate("performance.now()")
        if theme == "light":
            paint, move, frame = tab.evaluate(TIMES)
            size = page.stat().st_size / 1e6
            costs = f"{name:16s} {size:4.1f} MB, first paint {paint:.0f} ms, loaded {ready:.0f} ms, "
            costs += f"a move {move:.1f} ms, a frame {frame:.1f} ms"
        show_path(tab, GALLERY[name])
        picture = Image.open(io.BytesIO(tab.locator("#stage").screenshot())).convert("RGB")
        height = round(THUMBNAIL * picture.height / picture.width)
        PICTURES.mkdir(parents=True, exist_ok=True)
        target = PICTURES / (f"{name}.webp" if theme == "light" else f"{name}_dark.webp")
        picture.resize((THUMBNAIL, height), Image.Resampling.LANCZOS).save(target, quality=90, method=6)
        context.close()
    return costs


def take_front(page: Path, browser: Any) -> None:
    """Takes the picture of the front page: that of the sphere, with the panels beside it."""
    for theme, name in (("light", "explorer.webp"), ("dark", "explorer_dark.webp")):
        context = browser.new_context(viewport={"width": 1240, "height": 1080}, color_scheme=theme)
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.evaluate("explorer.ready")
        tab.evaluate(FRONT)
        box = tab.locator("#strip").bounding_box()
        part = {"x": 0, "y": 0, "width": 1240, "height": box["y"] + box["height"] + 12}
        picture = Image.open(io.BytesIO(tab.screenshot(full_page=True, clip=part))).convert("RGB")
        picture.save(PICTURES.parent / name, quality=92, method=6)
        context.close()


def show_path(tab: Any, entry: Entry) -> None:
    """Shows a walk, an orbit, or the geodesic between two codes on an explorer that is open."""
    if entry.path:
        tab.select_option("#play", "1")
        tab.evaluate("explorer.strip.stop(), explorer.strip.go(8)")
        return
    tab.click("#pair")
    tab.evaluate("(explorer.stage.marks.landmarks || [1, 40]).slice(0, 2).forEach((code) => explorer.took(code))")
    tab.click("#look")


def main() -> None:
    """Builds what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("MVAE_DATA_DIR"), help="folder of mnist/ and cells/"
    )
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "gallery", help="folder of the runs")
    parser.add_argument("--only", default=",".join(GALLERY), help="which ones, separated by commas")
    parser.add_argument("--pictures", action="store_true", help="take pictures of pages that are built, in a browser")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := [name for name in names if name not in GALLERY]:
        sys.exit(f"gallery.py: there is no {unknown[0]!r}: {', '.join(GALLERY)}")
    PAGES.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name in names:
        try:
            build(name, given.runs.absolute(), PAGES / f"{name}.html", given.data and Path(given.data).absolute())
            print(f"{name}: {PAGES / name}.html", flush=True)
        except Wrong as error:
            print(f"gallery.py: {error}", file=sys.stderr)
            wrong = 2
    if given.pictures:
        from playwright.sync_api import sync_playwright  # pyright: ignore[reportMissingImports] -- not in any extra

        with sync_playwright() as playwright:
            browser = chromium(playwright)
            for name in names:
                if (PAGES / f"{name}.html").exists():
                    print(take_pictures(name, PAGES / f"{name}.html", browser), flush=True)
            if "sphere" in names and (PAGES / "sphere.html").exists():
                take_front(PAGES / "sphere.html", browser)
            browser.close()
    sys.exit(wrong)


if __name__ == "__main__":
    main()
