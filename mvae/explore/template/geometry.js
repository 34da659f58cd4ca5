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

const wrapped = (angle) => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));

/** num places of a shortest path from a to b, as places are shown. */
function geodesic(kind, a, b, num) {
  const times = Array.from({ length: num }, (_, k) => k / (num - 1));
  if (kind === "sphere" || kind === "projective") {
    const [start, end] = [unit(a), unit(b)];
    const near = kind === "projective" && dot(start, end) < 0 ? scaled(end, -1) : end;
    return times.map((t) => slerp(start, near, t));
  }
  if (kind === "torus") return times.map((t) => a.map((value, k) => wrapped(value + t * wrapped(b[k] - value))));
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
