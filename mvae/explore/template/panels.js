// What stands beside and below the latent space.

const byId = (id) => document.getElementById(id);

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** A picture with a line below it; draw gets its canvas once that has a size. */
function picture(parent, caption, draw) {
  const figure = element("figure");
  const canvas = element("canvas");
  figure.append(canvas, element("figcaption", caption));
  parent.append(figure);
  draw(canvas);
  return figure;
}

function options(select, names) {
  names.forEach((name, k) => {
    const option = element("option", name);
    option.value = k;
    select.append(option);
  });
}

function legend(parent, given) {
  parent.replaceChildren();
  if (given.classes) {
    for (const [name, colour] of given.classes) {
      const entry = element("span", "", "class");
      const dotted = element("span", "", "dot");
      dotted.style.background = colour;
      entry.append(dotted, element("span", name));
      parent.append(entry);
    }
  } else if (given.stops) {
    const bar = element("span", "", "bar");
    bar.style.background = `linear-gradient(90deg, ${given.stops.join(",")})`;
    parent.append(element("span", given.ends[0]), bar, element("span", given.ends[1]));
  } else {
    const square = element("span", "", "square");
    square.style.gridTemplateColumns = `repeat(${given.square.length}, 5px)`;
    for (const row of given.square)
      for (const colour of row) {
        const pixel = element("i");
        pixel.style.background = colour;
        square.append(pixel);
      }
    parent.append(square, element("span", "first angle to the right, second upward, a turn each"));
  }
}

function curve(canvas, { steps, values }) {
  const context = fresh(canvas);
  const { width, height } = size(canvas);
  const all = values.flat().sort((one, other) => one - other);
  const low = all[Math.floor(0.02 * (all.length - 1))]; // the first values of a loss would flatten all others
  const high = all[Math.ceil(0.98 * (all.length - 1))];
  const [left, right, top, bottom] = [56, width - 10, 8, height - 24];
  const x = (step) => left + ((right - left) * step) / steps[steps.length - 1];
  const y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low || 1);
  context.fillStyle = css("--muted");
  context.strokeStyle = css("--line");
  context.textAlign = "right";
  for (const value of ticks(low, high > low ? high : low + 1)) {
    context.fillText(tidy(value), left - 6, y(value) + 4);
    context.beginPath();
    context.moveTo(left, y(value));
    context.lineTo(right, y(value));
    context.stroke();
  }
  context.fillText(`${steps[steps.length - 1]} steps`, right, height - 6);
  context.save();
  context.beginPath();
  context.rect(left, top - 4, right - left, bottom - top + 8);
  context.clip();
  context.strokeStyle = css("--accent");
  context.lineWidth = 1.5;
  context.globalAlpha = Math.max(0.35, 1 / values.length);
  for (const each of values) {
    context.beginPath();
    each.forEach((value, k) => (k ? context.lineTo(x(steps[k]), y(value)) : context.moveTo(x(steps[k]), y(value))));
    context.stroke();
  }
  context.restore();
}

/** A path of pictures, played and shown in a strip; of one that jumps only the last steps are drawn. */
class Strip {
  constructor(stage, events) {
    Object.assign(this, { stage, events, path: null, timer: null });
    byId("run").addEventListener("click", () => this.toggle());
    byId("time").addEventListener("input", () => this.go(Number(byId("time").value)));
  }

  /** title; places on the stage; draw(canvas, k) draws the picture of place k and says it in words. */
  show(title, places, draw, jumps = false) {
    this.stop();
    this.path = { places, draw, jumps };
    byId("strip").hidden = false;
    byId("strip-title").textContent = title;
    byId("time").max = places.length - 1;
    byId("strip-pictures").replaceChildren();
    const few = Math.min(places.length, 11);
    this.shown = Array.from({ length: few }, (_, k) => Math.round((k * (places.length - 1)) / Math.max(1, few - 1)));
    this.figures = this.shown.map((k) => {
      const figure = picture(byId("strip-pictures"), "", (canvas) => draw(canvas, k));
      figure.addEventListener("click", () => this.go(k));
      return figure;
    });
    this.go(0);
  }

  hide() {
    this.stop();
    this.path = null;
    byId("strip").hidden = true;
    Object.assign(this.stage.marks, { path: null, now: null });
    this.stage.drawOverlay();
  }

  go(k) {
    if (!this.path) return;
    byId("time").value = k;
    const { places, jumps } = this.path;
    Object.assign(this.stage.marks, { now: places[k], path: jumps ? places.slice(Math.max(0, k - 4), k + 1) : places });
    this.stage.drawOverlay();
    const words = this.path.draw(byId("here"), k);
    byId("here-text").textContent = `place ${k + 1} of ${this.path.places.length} of the path${words ? ` · ${words}` : ""}`;
    const near = this.shown.reduce((best, each, j) => (Math.abs(each - k) < Math.abs(this.shown[best] - k) ? j : best), 0);
    this.figures.forEach((figure, j) => figure.classList.toggle("now", j === near));
  }

  toggle() {
    if (this.timer) return this.stop();
    if (!this.path) return undefined;
    byId("run").textContent = "Stop";
    this.timer = setInterval(() => this.go((Number(byId("time").value) + 1) % this.path.places.length), 180);
    return undefined;
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    byId("run").textContent = "Play";
  }
}
