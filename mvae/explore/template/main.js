// The page: data, stage and panels put together.

const DATA = JSON.parse(byId("data").textContent);
const STRIP = 41; // places of a geodesic that the page finds itself

class Page {
  constructor(data) {
    this.data = data;
    this.sheets = Object.fromEntries(Object.entries(data.sheets).map(([name, sheet]) => [name, new Sheet(sheet)]));
    this.painter = new Painter(data.look, this.sheets);
    this.neighbours = integers(data.codes.neighbours);
    this.paths = data.paths.map((path) => ({ ...path, places: floats(path.places) }));
    this.pairing = false;
    const events = { move: (found) => this.moved(found), take: (code) => this.took(code), key: (key) => this.key(key) };
    this.stage = new Stage(byId("stage"), data.space, data.codes, events);
    this.strip = new Strip(this.stage);
    this.fill();
    this.colour(0);
    this.ready = this.load();
  }

  async load() {
    await Promise.all(Object.values(this.sheets).map((sheet) => sheet.load()));
    this.loaded = true;
    this.took(this.data.codes.landmarks[0] ?? 0);
  }

  fill() {
    const { data } = this;
    byId("facts").textContent = data.facts.join(" · ");
    byId("caption").textContent = data.space.caption;
    options(byId("colour"), data.columns.map((column) => column.name));
    byId("colour").disabled = !data.columns.length;
    byId("colour").addEventListener("change", () => this.colour(Number(byId("colour").value)));
    byId("look").addEventListener("click", () => this.pairs(false));
    byId("pair").addEventListener("click", () => this.pairs(true));
    byId("pair").disabled = !data.space.geodesic && !this.paths.some((path) => path.kind === "geodesic");
    this.played = this.paths.filter((path) => path.kind !== "geodesic");
    byId("play-label").hidden = !this.played.length;
    options(byId("play"), ["—", ...this.played.map((path) => path.name)]);
    byId("play").addEventListener("change", () => this.play(Number(byId("play").value) - 1));
    byId("reset").addEventListener("click", () => this.stage.reset());
    byId("theme").addEventListener("click", () => this.toggleTheme());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    options(byId("metric"), data.curves.map((each) => each.name));
    byId("metric").addEventListener("change", () => this.drawCurve());
    byId("curves").hidden = !data.curves.length;
    byId("numbers").hidden = !data.numbers.length;
    for (const [name, value] of data.numbers) {
      const row = element("tr");
      row.append(element("td", name), element("td", value));
      byId("numbers").querySelector("tbody").append(row);
    }
    this.drawCurve();
    new ResizeObserver(() => this.drawCurve()).observe(byId("curve"));
  }

  drawCurve() {
    if (this.data.curves.length) curve(byId("curve"), this.data.curves[Number(byId("metric").value || 0)]);
  }

  dark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  toggleTheme() {
    document.documentElement.dataset.theme = this.dark() ? "light" : "dark";
    this.redraw();
  }

  redraw() {
    this.stage.draw();
    this.drawCurve();
    if (this.loaded && !this.pairing && this.stage.marks.taken !== null) this.showCode(this.stage.marks.taken);
  }

  colour(k) {
    const column = this.data.columns[k];
    if (!column) return;
    byId("colour").value = k;
    this.stage.colours = bytesOf(column.colours);
    legend(byId("legend"), column.legend);
    this.stage.draw();
  }

  // --- what is under the pointer ---

  moved(found) {
    if (!this.loaded) return;
    if (!found) {
      const { geodesic: whole, kind } = this.data.space; // of a space that is all there, or a projection
      const words = whole || kind === "solid" ? "Outside of the space." : "Nothing decodes here: no code is near.";
      byId("here-text").textContent = this.stage.pointer ? words : "";
      return;
    }
    const known = found.code !== undefined;
    const sheet = known ? this.sheets.decoded : this.sheets.nodes;
    const example = known ? sheet.mixture([found.code], [1]) : sheet.mixture(found.nodes, found.weights);
    const words = this.drawn(byId("here"), example, sheet);
    const place = found.place.map((value) => tidy(Number(value.toFixed(3)))).join(", ");
    byId("here-text").textContent = `${known ? `code ${found.code}` : `(${place})`}${words ? ` · ${words}` : ""}`;
  }

  // --- codes ---

  took(code) {
    if (!this.loaded) return;
    if (this.pairing) return this.end(code);
    this.stage.marks.taken = code;
    this.stage.drawOverlay();
    this.showCode(code);
    return undefined;
  }

  showCode(code) {
    const { originals, decoded } = this.sheets;
    byId("code-title").textContent = `Code ${code}`;
    byId("code-pictures").replaceChildren();
    const after = decoded.mixture([code], [1]);
    if (originals) {
      const before = originals.mixture([code], [1]);
      picture(byId("code-pictures"), "original", (canvas) => this.painter.draw(canvas, before, originals));
      picture(byId("code-pictures"), "reconstruction", (canvas) => this.painter.draw(canvas, after, decoded, before));
    } else picture(byId("code-pictures"), "reconstruction", (canvas) => this.painter.draw(canvas, after, decoded));
    byId("code-text").textContent = this.data.columns.map((column) => `${column.name}: ${column.texts[code]}`).join(" · ");
    const each = this.neighbours.length / this.data.codes.count;
    byId("near-title").hidden = !each;
    byId("near").replaceChildren();
    const shown = originals || decoded;
    for (const other of this.neighbours.subarray(code * each, code * each + each)) {
      const example = shown.mixture([other], [1]);
      const figure = picture(byId("near"), `${other}`, (canvas) => this.painter.draw(canvas, example, shown));
      figure.addEventListener("click", () => this.took(other));
    }
  }

  // --- paths ---

  pairs(on) {
    this.pairing = on;
    byId("look").setAttribute("aria-pressed", String(!on));
    byId("pair").setAttribute("aria-pressed", String(on));
    const { marks } = this.stage;
    marks.ends = [];
    marks.landmarks = on && !this.data.space.geodesic ? this.data.codes.landmarks : null;
    if (on) {
      byId("code-title").textContent = "Take two codes";
      byId("code-text").textContent = marks.landmarks ? "Two of the ringed ones." : "Click on two points.";
      for (const id of ["code-pictures", "near"]) byId(id).replaceChildren();
      byId("near-title").hidden = true;
    } else if (this.loaded && marks.taken !== null) this.showCode(marks.taken);
    this.stage.drawOverlay();
  }

  end(code) {
    const { marks } = this.stage;
    if (marks.landmarks && !marks.landmarks.includes(code)) return; // a neighbour that no path leads to
    marks.ends = marks.ends.length === 1 && marks.ends[0] !== code ? [marks.ends[0], code] : [code];
    this.stage.drawOverlay();
    if (marks.ends.length === 2) this.showGeodesic(...marks.ends);
  }

  showGeodesic(one, other) {
    byId("play").value = 0;
    const title = `Geodesic from code ${one} to code ${other}`;
    const { space } = this.data;
    if (!space.geodesic) {
      const path = this.paths.find(({ ends }) => ends && ends.includes(one) && ends.includes(other));
      if (space.kind !== "solid") return this.showPath(title, path, path.ends[0] !== one);
      const found = Array.from({ length: path.count }, (_, k) => placeAt(path.places, 3, k));
      return this.showPlaces(title, path.ends[0] === one ? found : found.reverse());
    }
    const { dims, places, images } = this.stage;
    const points = geodesic(space, images, placeAt(places, dims, one), placeAt(places, dims, other), STRIP);
    if (space.kind === "line") points.forEach((point) => (point[1] = 0.5)); // upward is chance
    return this.showPlaces(title, points);
  }

  /** A path whose pictures are blended from those of the nodes around it. */
  showPlaces(title, points) {
    const { dims, mesh } = this.stage;
    const { space } = this.data;
    const sheet = this.sheets.nodes;
    this.strip.show(title, points, (canvas, k) => {
      const { nodes, weights } = blendAt(mesh.nodes, dims, points[k], space.corners);
      return this.drawn(canvas, sheet.mixture(nodes, weights), sheet);
    });
  }

  play(k) {
    if (k < 0) return this.strip.hide();
    this.stage.marks.ends = [];
    const path = this.played[k];
    this.showPath(path.name[0].toUpperCase() + path.name.slice(1), path, false);
    return this.strip.toggle();
  }

  showPath(title, path, backward) {
    const numbers = Array.from({ length: path.count }, (_, k) => (backward ? path.count - 1 - k : k));
    const places = numbers.map((k) => placeAt(path.places, this.stage.dims, k));
    const sheet = this.sheets.paths;
    this.strip.show(title, places, (canvas, k) => this.drawn(canvas, sheet.mixture([path.first + numbers[k]], [1]), sheet),
      path.kind === "walk");
  }

  /** Draws an example; returns what it is in words. */
  drawn(canvas, example, sheet) {
    this.painter.draw(canvas, example, sheet);
    return this.painter.words(example);
  }

  /** Whether a key meant something. */
  key(key) {
    if (key === "g" || key === "G") this.pairs(!this.pairing);
    else if (key === "c" || key === "C") this.colour((Number(byId("colour").value || 0) + 1) % (this.data.columns.length || 1));
    else if (key === " ") this.strip.toggle();
    else return false;
    return true;
  }
}

window.explorer = new Page(DATA);
