// Turning, projecting and shortest paths: pure functions. Rotations are nine numbers by rows, places are arrays.

const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
const mix = (a, b, t) => a.map((value, k) => value + t * (b[k] - value));
const scaled = (a, factor) => a.map((value) => factor * value);
const unit = (a) => scaled(a, 1 / (Math.sqrt(dot(a, a)) || 1));

/** Rotation to the view of somebody far away: right, up and towards the viewer are its rows; angles in radians. */
function viewFrom(azimuth, elevation) {
  const [c, s, ce, se] = [Math.cos(azimuth), Math.sin(azimuth), Math.cos(elevation), Math.sin(elevation)];
  return [-s, c, 0, -se * c, -se * s, ce, ce * c, ce * s, se];
}

function multiplied(a, b) {
  const product = [];
  for (let i = 0; i < 9; i += 3)
    for (let j = 0; j < 3; j++) product.push(a[i] * b[j] + a[i + 1] * b[j + 3] + a[i + 2] * b[j + 6]);
  return product;
}

/** A rotation followed by turns about the screen: dx radians to the right, dy upward. */
function turned(rotation, dx, dy) {
  const [cx, sx, cy, sy] = [Math.cos(dx), Math.sin(dx), Math.cos(dy), Math.sin(dy)];
  const next = multiplied([1, 0, 0, 0, cy, sy, 0, -sy, cy], multiplied([cx, 0, sx, 0, 1, 0, -sx, 0, cx], rotation));
  const right = unit(next.slice(0, 3)); // freed from rounding, or a thousand turns would stretch it
  const rest = next.slice(3, 6);
  const up = unit(rest.map((value, k) => value - dot(right, rest) * right[k]));
  const towards = [right[1] * up[2] - right[2] * up[1], right[2] * up[0] - right[0] * up[2], right[0] * up[1] - right[1] * up[0]];
  return [...right, ...up, ...towards];
}

const applied = (m, [x, y, z]) => [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];

/** Point of the great circle from a to b, 0 <= t <= 1; unit vectors of any dimension. */
function slerp(a, b, t) {
  const cosine = Math.max(-1, Math.min(1, dot(a, b)));
  let across = b.map((value, k) => value - cosine * a[k]);
  let sine = Math.sqrt(dot(across, across));
  if (sine < 1e-9 && cosine < 0) { // antipodes: any way will do
    const least = a.reduce((best, value, k) => (Math.abs(value) < Math.abs(a[best]) ? k : best), 0);
    across = a.map((value, k) => (k === least ? 1 : 0) - a[least] * value);
    sine = Math.sqrt(dot(across, across));
  }
  if (sine < 1e-9) return a.slice();
  const angle = t * Math.acos(cosine);
  return a.map((value, k) => Math.cos(angle) * value + (Math.sin(angle) / sine) * across[k]);
}

/** Point of the geodesic of the Poincaré disc from a to b, 0 <= t <= 1: Möbius maps take a to 0, where it is straight. */
function discPath(a, b, t) {
  const product = (p, q) => [p[0] * q[0] - p[1] * q[1], p[0] * q[1] + p[1] * q[0]];
  const moved = (p, c) => { // (p + c) / (1 + conj(c) p)
    const [re, im] = product([c[0], -c[1]], p);
    const below = (1 + re) ** 2 + im ** 2;
    return scaled(product([p[0] + c[0], p[1] + c[1]], [1 + re, -im]), 1 / below);
  };
  const end = moved(b, scaled(a, -1));
  const radius = Math.hypot(...end);
  return radius < 1e-12 ? a.slice() : moved(scaled(end, Math.tanh(t * Math.atanh(Math.min(radius, 1 - 1e-12))) / radius), a);
}

/** A place of the plane brought into a box by the ways its sides are glued: "glued", "flipped", or "boundary". */
function folded(place, sides, edges) {
  const found = place.slice();
  const flips = Math.floor((found[0] - sides[0][0]) / (sides[0][1] - sides[0][0]));
  if (edges[0] === "flipped" && flips % 2) found[1] = sides[1][0] + sides[1][1] - found[1];
  return found.map((value, j) => {
    const [low, high] = sides[j];
    return edges[j] === "boundary" ? value : value - (high - low) * Math.floor((value - low) / (high - low));
  });
}

/** Where a place of a box lies in the boxes around it, in the plane that they tile. */
function unfolded(place, sides, edges) {
  const around = [];
  const turns = edges.map((edge) => (edge === "boundary" ? [0] : [0, -1, 1]));
  for (const i of turns[0])
    for (const j of turns[1]) {
      const flip = i !== 0 && edges[0] === "flipped";
      const second = flip ? sides[1][0] + sides[1][1] - place[1] : place[1];
      around.push([place[0] + i * (sides[0][1] - sides[0][0]), second + j * (sides[1][1] - sides[1][0])]);
    }
  return around;
}

const nearest = (candidates, place) => {
  const off = (each) => each.reduce((sum, value, k) => sum + (value - place[k]) ** 2, 0);
  return candidates.reduce((best, each) => (off(each) < off(best) ? each : best));
};

/** num places of a shortest path from a to b, as places are shown; images are those of b that are one point with it. */
function geodesic({ geodesic: kind, sides, edges }, images, a, b, num) {
  const times = Array.from({ length: num }, (_, k) => k / (num - 1));
  if (kind === "sphere") {
    const start = unit(a);
    const end = nearest((images || [null]).map((image) => unit(image ? applied(image, b) : b)), start);
    return times.map((t) => slerp(start, end, t));
  }
  if (kind === "hyperbolic") return times.map((t) => discPath(a, b, t));
  if (kind === "box") {
    const end = nearest(unfolded(b, sides, edges), a);
    return times.map((t) => folded(mix(a, end, t), sides, edges));
  }
  return times.map((t) => mix(a, b, t));
}

/** Weights of the corners p, q, r of a triangle that make up a point, all in the plane; null outside. */
function barycentric([x, y], p, q, r, slack = 1e-9) {
  const area = (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1]);
  if (Math.abs(area) < 1e-18) return null;
  const second = ((x - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (y - p[1])) / area;
  const third = ((q[0] - p[0]) * (y - p[1]) - (x - p[0]) * (q[1] - p[1])) / area;
  const weights = [1 - second - third, second, third];
  return weights.every((weight) => weight >= -slack) ? weights : null;
}

/** Place k of a flat array of places. */
const placeAt = (flat, dims, k) => Array.from(flat.subarray(dims * k, dims * k + dims));

/** The nodes nearest to a place and their weights, which make what is seen there go over smoothly. */
function blendAt(nodes, dims, place, most) {
  const best = [];
  for (let k = 0; k < nodes.length / dims; k++) {
    let square = 0;
    for (let j = 0; j < dims; j++) square += (nodes[dims * k + j] - place[j]) ** 2;
    if (best.length < most || square < best[best.length - 1][0]) {
      best.push([square, k]);
      best.sort((one, other) => one[0] - other[0]);
      if (best.length > most) best.pop();
    }
  }
  const near = best[0][0] + 1e-12;
  const raw = best.map(([square]) => near / (square + near));
  const total = raw.reduce((sum, value) => sum + value, 0);
  return { nodes: best.map(([, k]) => k), weights: raw.map((value) => value / total) };
}

/** The triangle of the plane that a place lies in: { nodes, weights }, or null. */
function triangleAt(nodes, cells, place) {
  for (let k = 0; k < cells.length; k += 3) {
    const corners = [cells[k], cells[k + 1], cells[k + 2]];
    const [p, q, r] = corners.map((corner) => [nodes[2 * corner], nodes[2 * corner + 1]]);
    if (place[0] < Math.min(p[0], q[0], r[0]) || place[0] > Math.max(p[0], q[0], r[0])) continue;
    const weights = barycentric(place, p, q, r);
    if (weights) return { nodes: corners, weights };
  }
  return null;
}

/** The stretch of a curve of the plane that is nearest to a place: { nodes, weights }. */
function stretchAt(nodes, cells, place) {
  let best = null;
  for (let k = 0; k < cells.length; k += 2) {
    const [p, q] = [cells[k], cells[k + 1]].map((end) => [nodes[2 * end], nodes[2 * end + 1]]);
    const along = [q[0] - p[0], q[1] - p[1]];
    const share = ((place[0] - p[0]) * along[0] + (place[1] - p[1]) * along[1]) / (dot(along, along) || 1);
    const t = Math.max(0, Math.min(1, share));
    const off = (place[0] - p[0] - t * along[0]) ** 2 + (place[1] - p[1] - t * along[1]) ** 2;
    if (!best || off < best.off) best = { off, nodes: [cells[k], cells[k + 1]], weights: [1 - t, t] };
  }
  return { nodes: best.nodes, weights: best.weights };
}
