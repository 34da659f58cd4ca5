// The latent space on its two canvases: the space and its codes below, what is marked above.

const MOVING = 1; // pixels of a surface that turns, by those of the page
const SHARPEST = 2.4e6; // pixels of one that rests

class Drawing extends Planes {
  constructor(element, space, codes) {
    super(element, space, codes);
    this.colours = null;
    this.dots = null;
    this.marks = { cursor: null, taken: null, ends: [], path: null, now: null };
    this.canvas = document.createElement("canvas");
  }

  draw({ moving = false } = {}) {
    this.box = size(this.base);
    if (!this.box.width || !this.box.height) return;
    const context = fresh(this.base);
    if (this.space.kind === "solid") this.drawSolid(context, moving);
    else if (this.space.kind === "space") this.drawBox(context);
    else this.drawPlane(context);
    this.drawCodes(context);
    this.drawOverlay();
  }

  // --- surfaces and space ---

  drawSolid(context, moving) {
    const { width, height } = this.box;
    this.fine = moving ? MOVING : Math.min(2, Math.sqrt(SHARPEST / (width * height))); // then smoothed
    const [columns, rows] = [Math.round(width * this.fine), Math.round(height * this.fine)];
    const view = { rotation: this.rotation, centre: this.centre, scale: this.scales()[0] * this.fine };
    const palette = shades(rgb(css("--solid-dark")), rgb(css("--solid-light")));
    rasterize(this.mesh, view, palette, this.pixels.fit(columns, rows));
    this.drawn = true;
    if (this.canvas.width !== columns || this.canvas.height !== rows) [this.canvas.width, this.canvas.height] = [columns, rows];
    const bytes = new Uint8ClampedArray(this.pixels.colours.buffer);
    this.canvas.getContext("2d").putImageData(new ImageData(bytes, columns, rows), 0, 0);
    context.imageSmoothingQuality = moving ? "low" : "high";
    context.drawImage(this.canvas, 0, 0, columns / this.fine, rows / this.fine);
    context.strokeStyle = css("--muted");
    context.globalAlpha = 0.35;
    context.lineWidth = 0.8;
    context.beginPath();
    for (const line of this.lines) this.traceLine(context, line);
    context.stroke();
    context.globalAlpha = 1;
  }

  /** A curve on the surface, its hidden parts left out. */
  traceLine(context, line) {
    const scales = this.scales();
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
  }

  drawBox(context) {
    const scales = this.scales();
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

  // --- codes ---

  drawCodes(context) {
    const { x, y, z } = this.seenCopies();
    const { count } = this.codes;
    const dots = this.dotsOf();
    const depth = new Float32Array(z); // what is hidden before all that is not, and far before near
    for (let k = 0; k < z.length; k++) if (this.drawn && this.hidden([x[k], y[k], z[k]])) depth[k] -= 1e6;
    const order = Uint32Array.from(z.keys());
    if (this.deep) order.sort((one, other) => depth[one] - depth[other]);
    const { width, height } = this.box;
    for (const k of order) {
      if (x[k] < -dots.wide || y[k] < -dots.wide || x[k] > width + dots.wide || y[k] > height + dots.wide) continue;
      const near = this.space.kind === "space" ? 0.35 + 0.65 * Math.min(1, Math.max(0, (z[k] / this.radius + 1) / 2)) : 0.92;
      context.globalAlpha = depth[k] < -1e5 ? 0.13 : near;
      const [column, row] = [(k % count) % dots.columns, Math.floor((k % count) / dots.columns)];
      const wide = dots.side / dots.ratio;
      context.drawImage(dots.canvas, column * dots.side, row * dots.side, dots.side, dots.side, x[k] - wide / 2, y[k] - wide / 2, wide, wide);
    }
    context.globalAlpha = 1;
  }

  /** A picture of every code's dot, since a picture is copied faster than a circle is drawn. */
  dotsOf() {
    const { count } = this.codes;
    const ratio = window.devicePixelRatio || 1;
    const radius = Math.round(4 * Math.max(2.3, 5.8 - 0.95 * Math.log10(count)) * Math.min(1.8, Math.sqrt(this.zoom))) / 4;
    const edge = css("--edge");
    const made = this.dots;
    if (made && made.ratio === ratio && made.radius === radius && made.edge === edge && made.colours === this.colours) return made;
    const columns = Math.ceil(Math.sqrt(count));
    const side = 2 * Math.ceil(ratio * (radius + 1.5));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns * side, columns * side];
    const context = canvas.getContext("2d");
    context.strokeStyle = edge;
    context.lineWidth = 0.6 * ratio;
    for (let code = 0; code < count; code++) {
      const colour = this.colours && this.colours.subarray(3 * code, 3 * code + 3);
      context.fillStyle = colour ? `rgb(${colour.join(",")})` : css("--accent");
      context.beginPath();
      context.arc((code % columns) * side + side / 2, Math.floor(code / columns) * side + side / 2, ratio * radius, 0, 7);
      context.fill();
      context.stroke();
    }
    this.dots = { canvas, columns, side, ratio, radius, edge, colours: this.colours, wide: side / ratio };
    return this.dots;
  }

  // --- what is marked ---

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
    const { sides } = this.space;
    context.strokeStyle = css("--accent");
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    path.slice(1).forEach((place, k) => {
      const [from, to] = [this.toScreen(path[k], scales), this.toScreen(place, scales)];
      if (sides && place.some((value, j) => sides[j] && 2 * Math.abs(value - path[k][j]) > sides[j][1] - sides[j][0])) return; // over a side
      context.globalAlpha = this.hidden(from) && this.hidden(to) ? 0.3 : 1;
      context.beginPath();
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
      context.stroke();
    });
    context.globalAlpha = 1;
  }
}
