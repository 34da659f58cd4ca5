"""The page in a browser: it moves, turns, takes codes and paths, without an error and without a request.

Runs where playwright is installed and a Chromium is found: that of playwright, of PATH, or of MVAE_CHROMIUM. The slow
lane trains the runs of the gallery, those on real data where MVAE_DATA_DIR has them, and goes through all their pages.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import mvae
from tests.paths import ROOT, SHARED
from tests.runs.trained.test_training import SMALL

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not here: pip install playwright")
spec = importlib.util.spec_from_file_location("gallery", ROOT / "tools" / "gallery.py")
gallery = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gallery)

IMAGES = np.random.default_rng(0).uniform(size=(60, 8, 8, 1)).astype(np.float32)
SPACES = {
    "sphere:2": IMAGES,
    "klein_bottle": IMAGES[..., 0, 0],
    "projective_space:2": IMAGES,
    "flat_torus:2": IMAGES,
    "mobius_band": IMAGES,
    "cylinder": IMAGES,
    "interval": IMAGES,
    "hyperbolic:2": IMAGES,
    "sphere:1": IMAGES[..., 0, 0],
    "euclidean:1": IMAGES,
    "euclidean:2": IMAGES[:, 0, :3, 0],
    "sphere:5": IMAGES.repeat(3, axis=-1),
    "so3": IMAGES,
    "embedded_torus": IMAGES,
}
FAST = ("sphere:2", "klein_bottle")
WRONG = ("error", "warning")
# A code that is seen away from the margins, and where on the stage, which is turned until there is one. Whole pixels
# of the window, which clicks are at.
SEEN = """() => {
  const stage = explorer.stage, { width, height } = stage.box, { left, top } = stage.element.getBoundingClientRect();
  for (let turn = 0; turn < 9; turn++) {
    for (let code = 1; code < stage.codes.count; code++)
      for (const place of stage.shownAt(code)) {
        const seen = stage.toScreen(place);
        const inside = seen[0] > 60 && seen[0] < width - 60 && seen[1] > 60 && seen[1] < height - 60;
        if (!inside || stage.hidden(seen)) continue;
        const [x, y] = [Math.round(seen[0] + left) - left, Math.round(seen[1] + top) - top];
        return [stage.nearCode([x, y], 16).code, x, y];
      }
    stage.rotation = turned(stage.rotation, 0.7, turn % 2 ? 0.7 : 0);
    stage.draw();
  }
}"""
# What a place of a path decodes to, as a picture.
ALONG = """(share) => {
  const { strip } = explorer;
  strip.stop();
  strip.go(Math.round(share * (strip.path.places.length - 1)));
  return document.getElementById("here").toDataURL();
}"""
TWO = "() => (explorer.stage.marks.landmarks || [3, 9]).slice(0, 2).forEach((code) => explorer.took(code))"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        try:
            found = gallery.chromium(playwright)
        except sync_api.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield found
        found.close()


class Opened:
    """A page that is open; it must have no error and make no request when it is closed."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        self.page = self.context.new_page()
        self.wrong = []
        self.page.on(
            "console", lambda each: self.wrong.append(each.text) if each.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda each: self.wrong.append(each.url) if each.url.startswith("http") else None)
        self.page.goto(path.as_uri())
        self.page.evaluate("explorer.ready")

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.context.close()
        if raised[0] is None:
            assert self.wrong == []

    def at(self, x, y):
        """A point of the window, of one of the stage, which is scrolled into view."""
        self.page.locator("#stage").scroll_into_view_if_needed()
        box = self.page.locator("#stage").bounding_box()
        return box["x"] + x, box["y"] + y

    def stage(self):
        return self.page.locator("#stage").screenshot()

    def here(self):
        return self.page.evaluate("document.getElementById('here').toDataURL()")

    def drag(self, dx, dy):
        x, y = self.at(*self.page.evaluate("[explorer.stage.box.width / 2 - 20, explorer.stage.box.height / 2]"))
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=5)
        self.page.mouse.up()
        self.page.wait_for_timeout(400)


def go_through(opened):
    """Moves, clicks, keys, colours, drags and a geodesic: each shows on the screen."""
    page = opened.page
    opened.at(0, 0)
    code, x, y = page.evaluate(SEEN)
    page.mouse.move(*opened.at(x + 1, y))
    assert page.inner_text("#here-text")
    assert page.evaluate("document.getElementById('here').width") >= 8
    page.mouse.click(*opened.at(x, y))
    assert page.inner_text("#code-title") == f"Code {code}"
    assert page.locator("#code-pictures canvas").count() == 2
    assert page.locator("#near canvas").count() == 6
    before = opened.stage()
    for _ in range(5):
        page.keyboard.press("Shift+ArrowLeft")  # the pointer, everywhere
    assert opened.stage() != before
    page.keyboard.press("Enter")
    assert page.inner_text("#code-title").startswith("Code ")
    before = opened.stage()
    page.keyboard.press("ArrowRight")  # turns a surface, moves the pointer in a plane
    page.wait_for_timeout(300)
    assert opened.stage() != before or not page.evaluate("explorer.stage.deep")
    page.mouse.move(*opened.at(5, 5))
    before = opened.stage()
    if page.locator("#colour option").count() > 1:
        page.keyboard.press("c")
        assert opened.stage() != before
    before = opened.stage()
    opened.drag(120, 40)
    page.mouse.move(*opened.at(5, 5))
    assert opened.stage() != before
    page.keyboard.press("+")
    page.wait_for_timeout(400)
    page.keyboard.press("0")
    page.click("#pair")
    page.evaluate(TWO)
    assert page.inner_text("#strip-title").startswith("Geodesic from code ")
    start = page.evaluate("explorer.stage.marks.now")
    page.evaluate(ALONG, 1)
    assert page.evaluate("explorer.stage.marks.now") != start
    page.click("#look")


def change_theme(opened, theme):
    before = opened.stage()
    opened.page.click("#theme")
    assert opened.page.evaluate("document.documentElement.dataset.theme") == {"light": "dark", "dark": "light"}[theme]
    assert opened.stage() != before


@pytest.mark.parametrize(
    "space", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SPACES if name not in FAST)]
)
def test_every_space(space, browser, tmp_path):
    x = SPACES[space]
    run = mvae.train("dvae", x, manifold=space, **SMALL)
    run.explore(x, label=np.arange(60) % 3, amount=np.linspace(0, 1, 60)).save(tmp_path / "page.html")
    for theme in ("light", "dark"):
        with Opened(browser, tmp_path / "page.html", color_scheme=theme) as opened:
            go_through(opened)
            change_theme(opened, theme)


def test_fingers_turn_zoom_and_take(browser, tmp_path):
    x = SPACES["sphere:2"]
    run = mvae.train("dvae", x, manifold="sphere:2", **SMALL)
    run.explore(x).save(tmp_path / "page.html")
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    with Opened(browser, tmp_path / "page.html", **phone) as opened:
        page = opened.page
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        code, x, y = page.evaluate(SEEN)
        page.touchscreen.tap(*opened.at(x, y))
        assert page.inner_text("#code-title") == f"Code {code}"
        session = opened.context.new_cdp_session(page)

        def touch(kind, *fingers):
            points = [dict(zip(("x", "y"), opened.at(*finger), strict=True)) for finger in fingers]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        before = page.evaluate("explorer.stage.rotation")
        touch("touchStart", (150, 150))
        for k in range(1, 6):
            touch("touchMove", (150 + 10 * k, 150 + 4 * k))
        touch("touchEnd")
        page.wait_for_timeout(100)
        assert page.evaluate("explorer.stage.rotation") != before
        zoom = page.evaluate("explorer.stage.zoom")
        touch("touchStart", (150, 150), (190, 150))
        for k in range(1, 6):
            touch("touchMove", (150 - 8 * k, 150), (190 + 8 * k, 150))
        touch("touchEnd")
        page.wait_for_timeout(100)
        assert page.evaluate("explorer.stage.zoom") > 1.5 * zoom


@pytest.mark.slow
@pytest.mark.parametrize("name", list(gallery.GALLERY))
def test_the_gallery(name, browser, tmp_path):
    """Pages of runs whose models are trained: what decodes differs from place to place, and along paths."""
    data = Path(os.environ.get("MVAE_DATA_DIR") or SHARED)
    if not (data / gallery.GALLERY[name].data).exists():
        pytest.skip(f"needs {gallery.GALLERY[name].data} in {data} (or in the folder that MVAE_DATA_DIR names)")
    gallery.build(name, tmp_path, tmp_path / "page.html", data)
    assert (tmp_path / "page.html").stat().st_size < 15e6
    for theme in ("light", "dark"):
        with Opened(browser, tmp_path / "page.html", color_scheme=theme) as opened:
            page = opened.page
            places = page.evaluate("""() => {
              const stage = explorer.stage, { width, height } = stage.box, found = new Set();
              for (let x = 0.2; x < 0.9; x += 0.1) for (let y = 0.2; y < 0.9; y += 0.1) {
                stage.point([x * width, y * height]);
                if (stage.marks.cursor) found.add(document.getElementById("here").toDataURL());
              }
              return found.size;
            }""")
            assert places > 10
            gallery.show_path(page, gallery.GALLERY[name])
            assert len({page.evaluate(ALONG, share) for share in (0, 0.25, 0.5, 1)}) > 2
            page.click("#run")
            now = page.evaluate("explorer.stage.marks.now")
            page.wait_for_timeout(600)
            assert page.evaluate("explorer.stage.marks.now") != now  # it plays
            page.click("#run")
            go_through(opened)
            assert len({page.evaluate(ALONG, share) for share in (0, 0.5, 1)}) == 3
            change_theme(opened, theme)
