// A surface of triangles as pixels, each with its depth and the triangle that is seen there.

const LIGHT = [-0.41, 0.33, 0.85]; // right, up, towards the viewer

/** What a surface is drawn into; kept from frame to frame, since making it anew takes as long as drawing. */
class Pixels {
  fit(width, height) {
    if (this.width === width && this.height === height) return this;
    Object.assign(this, { width, height });
    this.depth = new Float32Array(width * height);
    this.cell = new Int32Array(width * height); // which triangle; of pixels whose depth is finite
    this.colours = new Uint32Array(width * height);
    return this;
  }

  clear() {
    this.depth.fill(-Infinity);
    this.colours.fill(0);
    return this;
  }
}

/** Corners on the screen, how far towards the viewer they are, how bright, and whether they face the viewer. */
function project({ nodes, normals }, { rotation: m, centre, scale }, width, height) {
  const count = nodes.length / 3;
  const [x, y, z, light, facing] = [0, 0, 0, 0, 0].map(() => new Float32Array(count));
  for (let k = 0, at = 0; k < count; k++, at += 3) {
    const a = nodes[at] - centre[0], b = nodes[at + 1] - centre[1], c = nodes[at + 2] - centre[2];
    x[k] = width / 2 + scale * (m[0] * a + m[1] * b + m[2] * c);
    y[k] = height / 2 - scale * (m[3] * a + m[4] * b + m[5] * c);
    z[k] = m[6] * a + m[7] * b + m[8] * c;
    const e = normals[at], f = normals[at + 1], g = normals[at + 2];
    facing[k] = m[6] * e + m[7] * f + m[8] * g;
    light[k] = Math.max(0,
      LIGHT[0] * (m[0] * e + m[1] * f + m[2] * g) + LIGHT[1] * (m[3] * e + m[4] * f + m[5] * g) + LIGHT[2] * facing[k]);
  }
  return { x, y, z, light, facing };
}

/**
 * Draws a closed surface. A corner is seen at (width/2 + scale X, height/2 - scale Y), X = R (corner - centre).
 * palette: 256 colours, from no light to full light, as `shades` gives them.
 */
function rasterize(mesh, view, palette, pixels) {
  const { width, height, depth, cell, colours } = pixels.clear();
  const { x, y, z, light, facing } = project(mesh, view, width, height);
  const { cells } = mesh;
  for (let k = 0; k < cells.length; k += 3) {
    const i = cells[k], j = cells[k + 1], l = cells[k + 2];
    if (facing[i] < 0 && facing[j] < 0 && facing[l] < 0) continue; // behind: the surface is closed
    const ax = x[j] - x[i], ay = y[j] - y[i], bx = x[l] - x[i], by = y[l] - y[i];
    const area = ax * by - bx * ay;
    if (Math.abs(area) < 1e-9) continue;
    // Shares of the second and third corner at (u, v) from the first: second = u sx + v sy, third = u tx + v ty.
    const sx = by / area, sy = -bx / area, tx = -ay / area, ty = ax / area;
    const az = z[j] - z[i], bz = z[l] - z[i], al = 255 * (light[j] - light[i]), bl = 255 * (light[l] - light[i]);
    const deeper = sx * az + tx * bz, brighter = sx * al + tx * bl; // by a pixel to the right
    const top = Math.max(0, Math.ceil(Math.min(y[i], y[j], y[l]) - 0.5));
    const bottom = Math.min(height - 1, Math.floor(Math.max(y[i], y[j], y[l]) - 0.5));
    for (let row = top; row <= bottom; row++) {
      const v = row + 0.5 - y[i];
      // Where all three shares are at least 0: each bounds u on one side.
      let from = -x[i], to = width - x[i];
      const second = v * sy, third = v * ty;
      if (sx > 0) from = Math.max(from, -second / sx);
      else if (sx < 0) to = Math.min(to, -second / sx);
      else if (second < 0) continue;
      if (tx > 0) from = Math.max(from, -third / tx);
      else if (tx < 0) to = Math.min(to, -third / tx);
      else if (third < 0) continue;
      const rest = 1 - second - third, both = sx + tx;
      if (both > 0) to = Math.min(to, rest / both);
      else if (both < 0) from = Math.max(from, rest / both);
      else if (rest < 0) continue;
      const left = Math.max(0, Math.ceil(from + x[i] - 0.5 - 1e-4)); // neighbours overlap rather than leave a gap
      const right = Math.min(width - 1, Math.floor(to + x[i] - 0.5 + 1e-4));
      const u = left + 0.5 - x[i];
      let near = z[i] + u * deeper + second * az + third * bz;
      let bright = 255 * light[i] + u * brighter + second * al + third * bl + 0.5;
      for (let at = row * width + left, end = row * width + right; at <= end; at++, near += deeper, bright += brighter) {
        if (near <= depth[at]) continue;
        depth[at] = near;
        cell[at] = k / 3;
        colours[at] = palette[bright < 0 ? 0 : bright > 255 ? 255 : bright | 0];
      }
    }
  }
  return pixels;
}

/** 256 colours from the darkest to the lightest, opaque, as four bytes each are read on this machine. */
function shades(dark, bright) {
  const bytes = new Uint8ClampedArray(4 * 256);
  for (let k = 0; k < 256; k++) {
    for (let j = 0; j < 3; j++) bytes[4 * k + j] = dark[j] + (k / 255) * (bright[j] - dark[j]);
    bytes[4 * k + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}
