// Where places of a latent space are on the screen, and what lies under a point of the screen.

const START = viewFrom(-Math.PI / 3, Math.PI / 7);
const BEHIND = 0.04; // of the radius of a surface, that a place lies behind what is seen: hidden

class View {
  constructor(element, space, codes) {
    Object.assign(this, { element, space, codes });
    [this.base, this.overlay] = element.querySelectorAll("canvas");
    this.box = size(this.base);
    this.deep = ["solid", "space"].includes(space.kind);
    this.dims = this.deep ? 3 : 2;
    this.places = floats(codes.places);
    this.images = space.images && Array.from({ length: space.images.length / 9 }, (_, k) => space.images.slice(9 * k, 9 * k + 9));
    this.copies = this.copied(); // code k of n is shown at k, k + n, k + 2n, ...
    if (space.nodes) {
      this.mesh = { nodes: floats(space.nodes), cells: integers(space.cells), normals: space.normals && floats(space.normals) };
    }
    this.lines = (space.lines || []).map(floats);
    this.pixels = new Pixels();
    this.drawn = false; // whether the pixels are those of the surface as it is seen
    this.fit();
    Object.assign(this, { rotation: START, zoom: 1, pan: this.centre.slice() });
  }

  copied() {
    if (!this.images) return this.places;
    const { length } = this.places;
    const copies = new Float32Array(length * this.images.length);
    this.images.forEach((image, k) => {
      for (let at = 0; at < length; at += 3) copies.set(applied(image, placeAt(this.places, 3, at / 3)), k * length + at);
    });
    return copies;
  }

  fit() {
    const among = [this.places, ...(this.mesh ? [this.mesh.nodes] : [])];
    const [low, high] = [[], []];
    for (let j = 0; j < this.dims; j++) {
      [low[j], high[j]] = this.space.sides && this.space.sides[j] ? this.space.sides[j] : [Infinity, -Infinity];
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

  // --- from places to the screen and back ---

  scales() {
    const { width, height } = this.box;
    if (this.deep) return Array(2).fill((0.47 * this.zoom * Math.min(width, height)) / this.radius);
    const sides = this.high.map((value, j) => value - this.low[j] || 1);
    const room = [width - 90, height - 74];
    const scales = sides.map((side, j) => (this.zoom * room[j]) / (1.04 * side));
    return this.space.kind === "line" ? scales : Array(2).fill(Math.min(...scales));
  }

  toScreen(place, [sx, sy] = this.scales()) {
    const { width, height } = this.box;
    if (!this.deep) return [width / 2 + sx * (place[0] - this.pan[0]), height / 2 - sy * (place[1] - this.pan[1]), 0];
    const [x, y, z] = applied(this.rotation, place.map((value, j) => value - this.centre[j]));
    return [width / 2 + sx * x, height / 2 - sy * y, z];
  }

  toPlane([x, y]) {
    const { width, height } = this.box;
    const [sx, sy] = this.scales();
    return [this.pan[0] + (x - width / 2) / sx, this.pan[1] - (y - height / 2) / sy];
  }

  /** Where all that codes are shown at is seen: x and y of the screen, and z towards the viewer, an array each. */
  seenCopies() {
    const { copies, dims, centre, pan, rotation: m } = this;
    const { width, height } = this.box;
    const [sx, sy] = this.scales();
    const count = copies.length / dims;
    const [x, y, z] = [0, 0, 0].map(() => new Float32Array(count));
    for (let k = 0, at = 0; k < count; k++, at += dims) {
      if (this.deep) {
        const a = copies[at] - centre[0], b = copies[at + 1] - centre[1], c = copies[at + 2] - centre[2];
        x[k] = width / 2 + sx * (m[0] * a + m[1] * b + m[2] * c);
        y[k] = height / 2 - sy * (m[3] * a + m[4] * b + m[5] * c);
        z[k] = m[6] * a + m[7] * b + m[8] * c;
      } else {
        x[k] = width / 2 + sx * (copies[at] - pan[0]);
        y[k] = height / 2 - sy * (copies[at + 1] - pan[1]);
      }
    }
    return { x, y, z };
  }

  /** The pixel of the drawn surface at a point of the screen; -1 outside. */
  pixelAt(x, y) {
    if (!this.drawn) return -1;
    const [column, row] = [Math.floor(x * this.fine), Math.floor(y * this.fine)];
    const inside = column >= 0 && row >= 0 && column < this.pixels.width && row < this.pixels.height;
    return inside ? row * this.pixels.width + column : -1;
  }

  hidden([x, y, z]) {
    const pixel = this.pixelAt(x, y);
    return pixel >= 0 && z < this.pixels.depth[pixel] - BEHIND * this.radius;
  }

  // --- what lies under a point of the screen ---

  /** { place, nodes, weights } where nodes are decoded, { place, code } where only codes are, or null. */
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
    const pixel = this.pixelAt(x, y);
    if (pixel < 0 || this.pixels.depth[pixel] === -Infinity) return null;
    const cell = this.pixels.cell[pixel];
    const corners = Array.from(this.mesh.cells.subarray(3 * cell, 3 * cell + 3));
    const scales = this.scales();
    const seen = corners.map((corner) => this.toScreen(placeAt(this.mesh.nodes, 3, corner), scales));
    const weights = (barycentric([x, y], ...seen, Infinity) || [1, 0, 0]).map((weight) => Math.max(0, weight));
    const total = weights[0] + weights[1] + weights[2];
    return { nodes: corners, weights: weights.map((weight) => weight / total) };
  }

  /** The places that a code is shown at. */
  shownAt(code) {
    const found = [];
    for (let k = code; k < this.copies.length / this.dims; k += this.codes.count) found.push(placeAt(this.copies, this.dims, k));
    return found;
  }

  /** The code nearest to a point of the screen, within some pixels; of landmarks alone if they are asked for. */
  nearCode([x, y], reach, among = null) {
    const seen = this.seenCopies();
    let best = null;
    for (let k = 0; k < seen.x.length; k++) {
      const code = k % this.codes.count;
      let off = Math.hypot(seen.x[k] - x, seen.y[k] - y);
      if (off > reach || (best && off >= best.off) || (among && !among.includes(code))) continue;
      if (this.hidden([seen.x[k], seen.y[k], seen.z[k]])) off += reach / 2;
      if (off <= reach && (!best || off < best.off)) best = { code, off, place: placeAt(this.copies, this.dims, k) };
    }
    return best && { code: best.code, place: best.place };
  }
}
