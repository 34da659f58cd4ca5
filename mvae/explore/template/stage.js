// The latent space: drawn, turned, and asked what lies under the pointer.

const RIGHT_ANGLE_PIXELS = 260; // a drag that long turns by a right angle
const CLICK = 5; // pixels that a click may move
const START = viewFrom(-Math.PI / 3, Math.PI / 7);

class Stage {
  constructor(element, space, codes, events) {
    Object.assign(this, { element, space, codes, events });
    [this.base, this.overlay] = element.querySelectorAll("canvas");
    this.deep = ["solid", "space"].includes(space.kind);
    this.dims = this.deep ? 3 : 2;
    this.places = floats(codes.places);
    if (space.nodes) {
      this.mesh = { nodes: floats(space.nodes), cells: integers(space.cells), normals: space.normals && floats(space.normals) };
    }
    this.lines = (space.lines || []).map(floats);
    this.colours = null;
    this.marks = { cursor: null, taken: null, ends: [], path: null, now: null };
    this.fit();
    this.reset();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(element);
  }

  fit() {
    const among = [this.places, ...(this.mesh ? [this.mesh.nodes] : [])];
    const [low, high] = [[], []];
    for (let j = 0; j < this.dims; j++) {
      [low[j], high[j]] = [Infinity, -Infinity];
      for (const flat of among)
        for (let k = j; k < flat.length; k += this.dims) {
          low[j] = Math.min(low[j], flat[k]);
          high[j] = Math.max(high[j], flat[k]);
        }
    }
    Object.assign(this, { low, high, centre: mix(low, high, 0.5) });
    this.radius = 1e-9;
    for (const flat of among)
      for (let k = 0; k < flat.length; k += this.dims) {
        const place = placeAt(flat, this.dims, k / this.dims);
        this.radius = Math.max(this.radius, Math.hypot(...place.map((value, j) => value - this.centre[j])));
      }
  }

  reset() {
    Object.assign(this, { rotation: START, zoom: 1, pan: this.centre.slice() });
    this.draw();
  }

  // --- from places to the screen and back ---

  scales() {
    const { width, height } = size(this.base);
    if (this.deep) return Array(2).fill((0.47 * this.zoom * Math.min(width, height)) / this.radius);
    const sides = this.high.map((value, j) => value - this.low[j] || 1);
    const room = [width - 90, height - 74];
    const scales = sides.map((side, j) => (this.zoom * room[j]) / (1.04 * side));
    return this.space.kind === "line" ? scales : Array(2).fill(Math.min(...scales));
  }

  toScreen(place, [sx, sy] = this.scales()) {
    const { width, height } = size(this.base);
    if (!this.deep) return [width / 2 + sx * (place[0] - this.pan[0]), height / 2 - sy * (place[1] - this.pan[1]), 0];
    const [x, y, z] = applied(this.rotation, place.map((value, j) => value - this.centre[j]));
    return [width / 2 + sx * x, height / 2 - sy * y, z];
  }

  toPlane([x, y]) {
    const { width, height } = size(this.base);
    const [sx, sy] = this.scales();
    return [this.pan[0] + (x - width / 2) / sx, this.pan[1] - (y - height / 2) / sy];
  }

  hidden([x, y, z]) {
    if (!this.buffer) return false;
    const [column, row] = [Math.floor(x * this.fine), Math.floor(y * this.fine)];
    if (column < 0 || row < 0 || column >= this.buffer.width || row >= this.buffer.height) return false;
    return z < this.buffer.depth[row * this.buffer.width + column] - 0.04 * this.radius;
  }

  /** What lies under a point of the screen: { place, nodes, weights }, { place, code }, or null. */
  pick(screen) {
    if (!this.mesh) return this.nearCode(screen, 40);
    const { nodes, cells } = this.mesh;
    let found = null;
    if (this.space.kind === "solid") found = this.onSurface(screen);
    else if (this.space.corners === 2) found = stretchAt(nodes, cells, this.toPlane(screen));
    else found = triangleAt(nodes, cells, this.toPlane(screen));
    if (!found) return null;
    const corners = found.nodes.map((node) => placeAt(nodes, this.dims, node));
    const place = corners[0].map((_, j) => corners.reduce((sum, corner, k) => sum + found.weights[k] * corner[j], 0));
    return { ...found, place };
  }

  onSurface([x, y]) {
    if (!this.buffer) return null;
    const [column, row] = [Math.floor(x * this.fine), Math.floor(y * this.fine)];
    if (column < 0 || row < 0 || column >= this.buffer.width || row >= this.buffer.height) return null;
    const cell = this.buffer.cell[row * this.buffer.width + column];
    if (cell < 0) return null;
    const corners = Array.from(this.mesh.cells.subarray(3 * cell, 3 * cell + 3));
    const scales = this.scales();
    const seen = corners.map((corner) => this.toScreen(placeAt(this.mesh.nodes, 3, corner), scales));
    const weights = (barycentric([x, y], ...seen, Infinity) || [1, 0, 0]).map((weight) => Math.max(0, weight));
    const total = weights[0] + weights[1] + weights[2];
    return { nodes: corners, weights: weights.map((weight) => weight / total) };
  }

  /** Where a code is shown: once, or at both of its places. */
  shownAt(code) {
    const place = placeAt(this.places, this.dims, code);
    return this.space.twice ? [place, scaled(place, -1)] : [place];
  }

  /** The code nearest to a point of the screen, within some pixels; of landmarks alone if they are asked for. */
  nearCode([x, y], reach, among = null) {
    const scales = this.scales();
    let best = null;
    for (const code of among || Array(this.codes.count).keys()) {
      for (const place of this.shownAt(code)) {
        const seen = this.toScreen(place, scales);
        const off = Math.hypot(seen[0] - x, seen[1] - y) + (this.hidden(seen) ? reach / 2 : 0);
        if (off <= reach && (!best || off < best.off)) best = { code, place, off };
      }
    }
    return best && { code: best.code, place: best.place };
  }

  // --- drawing ---

  draw({ moving = false } = {}) {
    const { width, height } = size(this.base);
    if (!width || !height) return;
    const context = fresh(this.base);
    this.buffer = null;
    const scales = this.scales();
    if (this.space.kind === "solid") this.drawSolid(context, width, height, scales[0], moving);
    else if (this.space.kind === "space") this.drawBox(context, scales);
    else this.drawPlane(context, width, height, scales);
    this.drawCodes(context, scales);
    this.drawOverlay();
  }

  drawSolid(context, width, height, scale, moving) {
    const ratio = window.devicePixelRatio || 1;
    this.fine = moving ? 1 : Math.min(2, Math.max(1.5, ratio), Math.sqrt(2.4e6 / (width * height)));
    const [columns, rows] = [Math.round(width * this.fine), Math.round(height * this.fine)];
    const view = { rotation: this.rotation, centre: this.centre, scale: scale * this.fine };
    this.buffer = rasterize(this.mesh, view, columns, rows);
    const pixels = coloured(this.buffer, rgb(css("--solid-dark")), rgb(css("--solid-light")));
    this.canvas = this.canvas || document.createElement("canvas");
    [this.canvas.width, this.canvas.height] = [columns, rows];
    this.canvas.getContext("2d").putImageData(new ImageData(pixels, columns, rows), 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.canvas, 0, 0, columns / this.fine, rows / this.fine);
    for (const line of this.lines) this.drawLine(context, line);
  }

  /** A curve on the surface, its hidden parts left out. */
  drawLine(context, line) {
    const scales = this.scales();
    context.strokeStyle = css("--muted");
    context.globalAlpha = 0.35;
    context.lineWidth = 0.8;
    context.beginPath();
    let drawing = false;
    for (let k = 0; k < line.length / 3; k++) {
      const seen = this.toScreen(placeAt(line, 3, k), scales);
      if (this.hidden(seen)) drawing = false;
      else if (drawing) context.lineTo(seen[0], seen[1]);
      else {
        context.moveTo(seen[0], seen[1]);
        drawing = true;
      }
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  drawBox(context, scales) {
    context.strokeStyle = css("--line");
    context.fillStyle = css("--muted");
    const corner = (bits) => [0, 1, 2].map((j) => (bits & (1 << j) ? this.high[j] : this.low[j]));
    context.beginPath();
    for (let bits = 0; bits < 8; bits++)
      for (let j = 0; j < 3; j++)
        if (!(bits & (1 << j))) {
          const [from, to] = [this.toScreen(corner(bits), scales), this.toScreen(corner(bits | (1 << j)), scales)];
          context.moveTo(from[0], from[1]);
          context.lineTo(to[0], to[1]);
        }
    context.stroke();
    this.space.axes.forEach((name, j) => {
      const end = corner(0).map((value, i) => (i === j ? this.high[i] + 0.06 * (this.high[i] - this.low[i]) : value));
      const [x, y] = this.toScreen(end, scales);
      context.fillText(name, x - 6, y + 4);
    });
  }

  drawPlane(context, width, height, scales) {
    context.strokeStyle = css("--line");
    context.fillStyle = css("--muted");
    context.lineWidth = 1;
    if (this.space.kind === "circle") return this.drawCircle(context, scales);
    const [left, bottom] = this.toScreen(this.low, scales);
    const [right, top] = this.toScreen(this.high, scales);
    if (this.space.kind === "square") {
      const corners = [this.toScreen([-Math.PI, -Math.PI], scales), this.toScreen([Math.PI, Math.PI], scales)];
      return this.drawSquare(context, corners);
    }
    context.strokeRect(Math.min(left, right), top, right - left, bottom - top);
    for (const value of ticks(this.low[0], this.high[0])) {
      const [x] = this.toScreen([value, this.low[1]], scales);
      if (x < 8 || x > width - 8) continue;
      context.textAlign = "center";
      context.fillText(tidy(value), x, Math.min(height - 20, bottom + 14));
    }
    if (this.space.kind === "plane")
      for (const value of ticks(this.low[1], this.high[1])) {
        const [, y] = this.toScreen([this.low[0], value], scales);
        if (y < 8 || y > height - 24) continue;
        context.textAlign = "right";
        context.fillText(tidy(value), Math.max(30, left - 5), y + 4);
      }
    context.textAlign = "center";
    context.fillText(this.space.axes[0] || "", (left + right) / 2, Math.min(height - 5, bottom + 30));
    if (this.space.kind === "plane") upward(context, this.space.axes[1] || "", Math.max(11, left - 36), (top + bottom) / 2);
    return undefined;
  }

  drawSquare(context, [[left, bottom], [right, top]]) {
    context.strokeStyle = css("--muted");
    context.strokeRect(left, top, right - left, bottom - top);
    context.textAlign = "center";
    [["−π", 0], ["0", 0.5], ["π", 1]].forEach(([text, share]) => {
      context.fillText(text, left + share * (right - left), bottom + 16);
      context.fillText(text, left - 14, bottom + share * (top - bottom) + 4);
    });
    context.fillText(this.space.axes[0], (left + right) / 2, bottom + 31);
    upward(context, this.space.axes[1], left - 30, (top + bottom) / 2);
    context.fillStyle = css("--ink");
    const head = (x, y, angle) => {
      context.save();
      context.translate(x, y);
      context.rotate(angle);
      context.beginPath();
      context.moveTo(7, 0);
      context.lineTo(-5, 5);
      context.lineTo(-5, -5);
      context.fill();
      context.restore();
    };
    for (const x of [left, right]) head(x, top + 0.375 * (bottom - top), -Math.PI / 2);
    for (const y of [top, bottom]) for (const share of [0.61, 0.64]) head(left + share * (right - left), y, 0);
  }

  drawCircle(context, scales) {
    const [x, y] = this.toScreen([0, 0], scales);
    context.strokeStyle = css("--muted");
    context.beginPath();
    context.arc(x, y, scales[0], 0, 7);
    context.stroke();
    context.textAlign = "center";
    [["0", 0], ["π/2", 0.25], ["π", 0.5], ["−π/2", 0.75]].forEach(([text, share]) => {
      const at = this.toScreen([0.86 * Math.cos(2 * Math.PI * share), 0.86 * Math.sin(2 * Math.PI * share)], scales);
      context.fillText(text, at[0], at[1] + 4);
    });
  }

  drawCodes(context, scales) {
    const shown = [];
    for (let code = 0; code < this.codes.count; code++)
      for (const place of this.shownAt(code)) {
        const seen = this.toScreen(place, scales);
        shown.push([seen, code, this.hidden(seen)]);
      }
    shown.sort((one, other) => other[2] - one[2] || one[0][2] - other[0][2]);
    const radius = Math.max(2.1, 5.6 - 0.95 * Math.log10(this.codes.count)) * Math.min(1.8, Math.sqrt(this.zoom));
    context.strokeStyle = css("--edge");
    context.lineWidth = 0.5;
    for (const [[x, y, z], code, hidden] of shown) {
      const near = this.space.kind === "space" ? 0.35 + 0.65 * Math.min(1, Math.max(0, (z / this.radius + 1) / 2)) : 0.9;
      context.globalAlpha = hidden ? 0.13 : near;
      const k = 3 * code;
      context.fillStyle = this.colours ? `rgb(${this.colours[k]},${this.colours[k + 1]},${this.colours[k + 2]})` : css("--accent");
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fill();
      if (!hidden) context.stroke();
    }
    context.globalAlpha = 1;
  }

  drawOverlay() {
    const context = fresh(this.overlay);
    const scales = this.scales();
    const { cursor, taken, ends, path, now, landmarks } = this.marks;
    const ring = (place, radius, colour, width = 2) => {
      const seen = this.toScreen(place, scales);
      context.globalAlpha = this.hidden(seen) ? 0.4 : 1;
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(seen[0], seen[1], radius, 0, 7);
      context.stroke();
      context.globalAlpha = 1;
    };
    for (const code of landmarks || []) for (const place of this.shownAt(code)) ring(place, 6, css("--ink"), 1.5);
    if (path) this.drawPath(context, path, scales);
    if (taken !== null) for (const place of this.shownAt(taken)) ring(place, 9, css("--ink"), 2.5);
    for (const code of ends) for (const place of this.shownAt(code)) ring(place, 9, css("--accent"), 3);
    if (cursor) ring(cursor, 7, css("--accent"));
    if (now) {
      const [x, y] = this.toScreen(now, scales);
      context.fillStyle = css("--accent");
      context.strokeStyle = css("--paper");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, 7, 0, 7);
      context.fill();
      context.stroke();
    }
  }

  drawPath(context, path, scales) {
    context.strokeStyle = css("--accent");
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    path.slice(1).forEach((place, k) => {
      const [from, to] = [this.toScreen(path[k], scales), this.toScreen(place, scales)];
      const jump = this.space.kind === "square" && place.some((value, j) => Math.abs(value - path[k][j]) > Math.PI);
      if (jump) return; // over a side of the square
      context.globalAlpha = this.hidden(from) && this.hidden(to) ? 0.3 : 1;
      context.beginPath();
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
      context.stroke();
    });
    context.globalAlpha = 1;
  }

  // --- what the user does ---

  listen() {
    const { element } = this;
    const fingers = new Map();
    const at = (event) => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let travelled = 0;
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      element.focus({ preventScroll: true });
      fingers.set(event.pointerId, at(event));
      if (fingers.size === 1) travelled = 0;
    });
    element.addEventListener("pointermove", (event) => {
      const here = at(event);
      const before = fingers.get(event.pointerId);
      if (!before) return this.point(here);
      const moved = [here[0] - before[0], here[1] - before[1]];
      travelled += Math.hypot(...moved);
      if (fingers.size === 2) this.pinch(fingers, event.pointerId, here);
      else if (travelled > CLICK) this.drag(moved, here, event.pointerType !== "mouse");
      fingers.set(event.pointerId, here);
      return undefined;
    });
    const end = (event) => {
      const single = fingers.size === 1;
      fingers.delete(event.pointerId);
      if (event.type === "pointercancel" || !single) return;
      if (travelled <= CLICK) {
        this.point(at(event));
        this.take(at(event), event.pointerType === "mouse" ? 16 : 28);
      } else this.draw();
    };
    element.addEventListener("pointerup", end);
    element.addEventListener("pointercancel", end);
    element.addEventListener("pointerleave", () => this.point(null));
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-0.0012 * event.deltaY), at(event));
    }, { passive: false });
    element.addEventListener("keydown", (event) => this.key(event));
  }

  point(screen) {
    this.pointer = screen;
    const found = screen && this.pick(screen);
    this.marks.cursor = found ? found.place : null;
    this.drawOverlay();
    this.events.move(found);
  }

  take(screen, reach) {
    const found = this.nearCode(screen, reach, this.marks.landmarks);
    if (found) this.events.take(found.code);
  }

  drag([dx, dy], here, finger) {
    const turn = Math.PI / 2 / RIGHT_ANGLE_PIXELS;
    if (this.deep) this.rotation = turned(this.rotation, dx * turn, -dy * turn);
    else if (finger) return this.point(here);
    else {
      const [sx, sy] = this.scales();
      this.pan = [this.pan[0] - dx / sx, this.pan[1] + dy / sy];
    }
    return this.drawSoon(here);
  }

  /** One drawing a frame, however many events there are. */
  drawSoon(here) {
    this.pointer = here;
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      this.draw({ moving: true });
      if (this.pointer) this.point(this.pointer);
      clearTimeout(this.still);
      this.still = setTimeout(() => this.draw(), 160);
    });
  }

  pinch(fingers, moved, here) {
    const [other] = [...fingers].filter(([id]) => id !== moved).map(([, place]) => place);
    const before = fingers.get(moved);
    const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
    this.zoomBy(apart(here) / apart(before), mix(here, other, 0.5));
  }

  zoomBy(factor, about) {
    const kept = this.deep ? null : this.toPlane(about);
    this.zoom = Math.max(0.4, Math.min(40, this.zoom * factor));
    if (kept) {
      const moved = this.toPlane(about);
      this.pan = this.pan.map((value, j) => value + kept[j] - moved[j]);
    }
    this.drawSoon(this.pointer);
  }

  key(event) {
    const { width, height } = size(this.base);
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const pointer = this.pointer || [width / 2, height / 2];
    if (step && this.deep && !event.shiftKey) {
      this.rotation = turned(this.rotation, 0.12 * step[0], -0.12 * step[1]);
      this.drawSoon(this.pointer);
    } else if (step) {
      this.point([0, 1].map((j) => Math.max(0, Math.min([width, height][j] - 1, pointer[j] + 12 * step[j]))));
    } else if (event.key === "Enter") this.take(pointer, Infinity);
    else if (event.key === "+" || event.key === "=") this.zoomBy(1.25, pointer);
    else if (event.key === "-") this.zoomBy(0.8, pointer);
    else if (event.key === "0") this.reset();
    else if (!this.events.key(event.key)) return;
    event.preventDefault();
  }
}

/** Round numbers of an interval, about five. */
function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) found.push(value);
  return found;
}

const tidy = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

function upward(context, text, x, y) {
  context.save();
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(text, 0, 0);
  context.restore();
}
