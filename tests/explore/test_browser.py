"""The page in a browser: it moves, turns, takes codes and paths, without an error and without a request.

Runs where playwright is installed and a Chromium is found: that of playwright, of PATH, or of MVAE_CHROMIUM.
"""

import os
import shutil

import numpy as np
import pytest

import mvae
from tests.runs.trained.test_training import SMALL

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not here: pip install playwright")
IMAGES = np.random.default_rng(0).uniform(size=(60, 8, 8, 1)).astype(np.float32)
SPACES = {
    "sphere:2": IMAGES,
    "projective_space:2": IMAGES,
    "flat_torus:2": IMAGES,
    "sphere:1": IMAGES[..., 0, 0],
    "euclidean:2": IMAGES[:, 0, :3, 0],
    "sphere:5": IMAGES.repeat(3, axis=-1),
    "so3": IMAGES,
}
TURNED = ("sphere:2", "projective_space:2", "so3")
# A code that is seen away from the margins, and where on the stage, which is turned until there is one.
SEEN = """() => {
  const stage = explorer.stage, { width, height } = size(stage.base);
  for (let turn = 0; turn < 9; turn++) {
    for (let code = 1; code < stage.codes.count; code++)
      for (const place of stage.shownAt(code)) {
        const seen = stage.toScreen(place);
        const inside = seen[0] > 60 && seen[0] < width - 60 && seen[1] > 60 && seen[1] < height - 60;
        if (inside && !stage.hidden(seen)) return [stage.nearCode(seen, 16).code, seen[0], seen[1]];
      }
    stage.rotation = turned(stage.rotation, 0.7, turn % 2 ? 0.7 : 0);
    stage.draw();
  }
}"""


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("MVAE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield found
        found.close()


@pytest.fixture(scope="module", params=list(SPACES))
def written(request, tmp_path_factory):
    x = SPACES[request.param]
    run = mvae.train("dvae", x, manifold=request.param, **SMALL)
    page = run.explore(x, label=np.arange(60) % 3, amount=np.linspace(0, 1, 60))
    path = tmp_path_factory.mktemp("page") / "page.html"
    page.save(path)
    return request.param, path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page(written, theme, browser):
    space, path = written
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme=theme)
    page = context.new_page()
    errors, requests = [], []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda each: requests.append(each.url) if each.url.startswith("http") else None)
    page.goto(path.as_uri())
    page.evaluate("explorer.ready")
    stage = page.locator("#stage")
    box = stage.bounding_box()

    code, x, y = page.evaluate(SEEN)
    page.mouse.move(box["x"] + x + 1, box["y"] + y)
    assert page.evaluate("document.getElementById('here-text').textContent")
    assert page.evaluate("document.getElementById('here').width") >= 8
    page.mouse.click(box["x"] + x, box["y"] + y)
    assert page.inner_text("#code-title") == f"Code {code}"
    assert page.locator("#code-pictures canvas").count() == 2
    assert page.locator("#near canvas").count() == 6
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    coloured = stage.screenshot()
    page.keyboard.press("c")
    assert stage.screenshot() != coloured
    before = stage.screenshot()
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 320, box["y"] + 340, steps=5)
    page.mouse.up()
    page.wait_for_timeout(400)
    assert stage.screenshot() != before
    page.click("#reset")
    page.click("#pair")
    page.evaluate("() => (explorer.stage.marks.landmarks || [3, 9]).slice(0, 2).forEach((code) => explorer.took(code))")
    assert page.inner_text("#strip-title").startswith("Geodesic from code ")
    start = page.evaluate("explorer.stage.marks.now")
    page.evaluate("explorer.strip.go(explorer.strip.path.places.length - 1)")
    assert page.evaluate("explorer.stage.marks.now") != start
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == {"light": "dark", "dark": "light"}[theme]
    assert (errors, requests) == ([], [])
    if space in TURNED:
        assert page.evaluate("explorer.stage.deep")
    context.close()


def test_a_finger_turns_and_takes(browser, tmp_path):
    x = SPACES["sphere:2"]
    run = mvae.train("dvae", x, manifold="sphere:2", **SMALL)
    run.explore(x).save(tmp_path / "page.html")
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate("explorer.ready")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    box = page.locator("#stage").bounding_box()
    code, x, y = page.evaluate(SEEN)
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    assert page.inner_text("#code-title") == f"Code {code}"
    context.close()
