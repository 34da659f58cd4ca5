// A surface of triangles as pixels, each with its depth and the triangle that is seen there: pure functions.

const LIGHT = [-0.41, 0.33, 0.85]; // right, up, towards the viewer

/** Draws into buffers of width × height. A corner x is seen at (width/2 + scale X, height/2 - scale Y), X = R (x - centre). */
function rasterize({ nodes, cells, normals }, { rotation, centre, scale }, width, height) {
  const count = nodes.length / 3;
  const depth = new Float32Array(width * height).fill(-Infinity);
  const cell = new Int32Array(width * height).fill(-1);
  const light = new Float32Array(width * height);
  const [px, py, pz, shade, facing] = [0, 0, 0, 0, 0].map(() => new Float32Array(count));
  const m = rotation;
  for (let k = 0; k < count; k++) {
    const [x, y, z] = [nodes[3 * k] - centre[0], nodes[3 * k + 1] - centre[1], nodes[3 * k + 2] - centre[2]];
    px[k] = width / 2 + scale * (m[0] * x + m[1] * y + m[2] * z);
    py[k] = height / 2 - scale * (m[3] * x + m[4] * y + m[5] * z);
    pz[k] = m[6] * x + m[7] * y + m[8] * z;
    const [a, b, c] = [normals[3 * k], normals[3 * k + 1], normals[3 * k + 2]];
    facing[k] = m[6] * a + m[7] * b + m[8] * c;
    shade[k] = Math.max(0,
      LIGHT[0] * (m[0] * a + m[1] * b + m[2] * c) + LIGHT[1] * (m[3] * a + m[4] * b + m[5] * c) + LIGHT[2] * facing[k]);
  }
  for (let k = 0; k < cells.length; k += 3) {
    const [i, j, l] = [cells[k], cells[k + 1], cells[k + 2]];
    if (facing[i] < 0 && facing[j] < 0 && facing[l] < 0) continue; // behind: the surface is closed
    const area = (px[j] - px[i]) * (py[l] - py[i]) - (px[l] - px[i]) * (py[j] - py[i]);
    if (Math.abs(area) < 1e-9) continue;
    const left = Math.max(0, Math.floor(Math.min(px[i], px[j], px[l]) - 0.5));
    const right = Math.min(width - 1, Math.ceil(Math.max(px[i], px[j], px[l]) - 0.5));
    const top = Math.max(0, Math.floor(Math.min(py[i], py[j], py[l]) - 0.5));
    const bottom = Math.min(height - 1, Math.ceil(Math.max(py[i], py[j], py[l]) - 0.5));
    const [across, down] = [(py[l] - py[i]) / area, (px[l] - px[i]) / area]; // how the shares change with x and y
    const [back, up] = [(py[j] - py[i]) / area, (px[j] - px[i]) / area];
    for (let row = top; row <= bottom; row++) {
      const [x, y] = [left + 0.5 - px[i], row + 0.5 - py[i]];
      let second = x * across - y * down;
      let third = y * up - x * back;
      for (let at = row * width + left; at <= row * width + right; at++, second += across, third -= back) {
        const first = 1 - second - third;
        if (first < -1e-6 || second < -1e-6 || third < -1e-6) continue;
        const near = first * pz[i] + second * pz[j] + third * pz[l];
        if (near <= depth[at]) continue;
        depth[at] = near;
        cell[at] = k / 3;
        light[at] = first * shade[i] + second * shade[j] + third * shade[l];
      }
    }
  }
  return { width, height, depth, cell, light };
}

/** Colours of the pixels, four bytes each, from the darkest to the lightest colour by the light. */
function coloured({ cell, light }, dark, bright) {
  const pixels = new Uint8ClampedArray(4 * cell.length);
  for (let k = 0; k < cell.length; k++) {
    if (cell[k] < 0) continue;
    for (let j = 0; j < 3; j++) pixels[4 * k + j] = dark[j] + light[k] * (bright[j] - dark[j]);
    pixels[4 * k + 3] = 255;
  }
  return pixels;
}
