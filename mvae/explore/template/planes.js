// Spaces that lie in a plane: boxes with arrows or borders, axes, the circle, the Poincaré disc.

class Planes extends View {
  drawPlane(context) {
    context.strokeStyle = css("--line");
    context.fillStyle = css("--muted");
    context.lineWidth = 1;
    const { kind } = this.space;
    if (kind === "circle") return this.drawCircle(context);
    if (kind === "disc") return this.drawDisc(context);
    return kind === "square" ? this.drawSquare(context) : this.drawAxes(context);
  }

  corners() {
    const [left, bottom] = this.toScreen(this.low);
    const [right, top] = this.toScreen(this.high);
    return { left, bottom, right, top };
  }

  drawAxes(context) {
    const { width, height } = this.box;
    const { left, bottom, right, top } = this.corners();
    const { kind, axes, edges } = this.space;
    context.strokeRect(Math.min(left, right), top, right - left, bottom - top);
    for (const value of ticks(this.low[0], this.high[0])) {
      const [x] = this.toScreen([value, this.low[1]]);
      if (x < 8 || x > width - 8) continue;
      context.textAlign = "center";
      context.fillText(tidy(value), x, Math.min(height - 20, bottom + 14));
    }
    if (kind === "plane")
      for (const value of ticks(this.low[1], this.high[1])) {
        const [, y] = this.toScreen([this.low[0], value]);
        if (y < 8 || y > height - 24) continue;
        context.textAlign = "right";
        context.fillText(tidy(value), Math.max(30, left - 5), y + 4);
      }
    context.textAlign = "center";
    context.fillText(axes[0] || "", (left + right) / 2, Math.min(height - 5, bottom + 30));
    if (kind === "plane") upward(context, axes[1] || "", Math.max(11, left - 36), (top + bottom) / 2);
    else if (edges) for (const x of [left, right]) this.drawBorder(context, [x, top], [x, bottom]);
  }

  /** A box; sides that are one have arrows of one kind, which point opposite ways where they are glued with a flip. */
  drawSquare(context) {
    const { left, bottom, right, top } = this.corners();
    const { axes, edges } = this.space;
    context.strokeStyle = css("--muted");
    context.strokeRect(left, top, right - left, bottom - top);
    context.textAlign = "center";
    for (const share of [0, 0.5, 1]) {
      const [x, y] = mix(this.low, this.high, share);
      context.fillText(ofPi(x), left + share * (right - left), bottom + 16);
      context.textAlign = "right";
      context.fillText(ofPi(y), left - 9, bottom + share * (top - bottom) + 4);
      context.textAlign = "center";
    }
    context.fillText(axes[0], (left + right) / 2, bottom + 31);
    upward(context, axes[1], left - 38, (top + bottom) / 2);
    const across = (share) => left + share * (right - left);
    const up = (share) => bottom + share * (top - bottom);
    [left, right].forEach((x, end) => {
      const flip = end === 1 && edges[0] === "flipped";
      if (edges[0] === "boundary") this.drawBorder(context, [x, top], [x, bottom]);
      else this.drawHead(context, x, up(flip ? 0.375 : 0.625), flip ? Math.PI / 2 : -Math.PI / 2);
    });
    [bottom, top].forEach((y, end) => {
      const flip = end === 1 && edges[1] === "flipped";
      if (edges[1] === "boundary") this.drawBorder(context, [left, y], [right, y]);
      else for (const aside of [-8, 8]) this.drawHead(context, across(flip ? 0.375 : 0.625) + aside, y, flip ? Math.PI : 0);
    });
  }

  drawBorder(context, from, to) {
    context.strokeStyle = css("--ink");
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }

  drawHead(context, x, y, angle) {
    context.save();
    context.translate(x, y);
    context.rotate(angle);
    context.fillStyle = css("--ink");
    context.beginPath();
    context.moveTo(7, 0);
    context.lineTo(-5, 5);
    context.lineTo(-5, -5);
    context.fill();
    context.restore();
  }

  drawCircle(context) {
    const [x, y] = this.toScreen([0, 0]);
    context.strokeStyle = css("--muted");
    context.beginPath();
    context.arc(x, y, this.scales()[0], 0, 7);
    context.stroke();
    context.textAlign = "center";
    [["0", 0], ["π/2", 0.25], ["π", 0.5], ["−π/2", 0.75]].forEach(([text, share]) => {
      const at = this.toScreen([0.86 * Math.cos(2 * Math.PI * share), 0.86 * Math.sin(2 * Math.PI * share)]);
      context.fillText(text, at[0], at[1] + 4);
    });
  }

  /** The Poincaré disc, with circles at whole distances from the origin, in radii of curvature. */
  drawDisc(context) {
    const [x, y] = this.toScreen([0, 0]);
    const scale = this.scales()[0];
    const ring = (radius) => {
      context.beginPath();
      context.arc(x, y, scale * radius, 0, 7);
      context.stroke();
    };
    context.textAlign = "center";
    for (const distance of [1, 2, 3, 4]) {
      const radius = Math.tanh(distance / 2);
      ring(radius);
      context.fillText(distance, x + scale * radius * Math.SQRT1_2 + 7, y - scale * radius * Math.SQRT1_2 - 3);
    }
    context.strokeStyle = css("--ink");
    context.lineWidth = 1.5;
    ring(1);
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

/** A number in halves of π where it is some, else as it is. */
function ofPi(value) {
  const halves = (2 * value) / Math.PI;
  const near = Math.round(halves);
  if (Math.abs(halves - near) > 1e-5 || near === 0) return tidy(value);
  const [times, below] = near % 2 ? [Math.abs(near), "/2"] : [Math.abs(near) / 2, ""];
  return `${near < 0 ? "−" : ""}${times === 1 ? "" : times}π${below}`;
}

function upward(context, text, x, y) {
  context.save();
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(text, 0, 0);
  context.restore();
}
