// Examples: sheets of them, mixtures of some, and how one is drawn.

function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) bytes[k] = raw.charCodeAt(k);
  return bytes;
}
const floats = (text) => new Float32Array(bytesOf(text).buffer);
const integers = (text) => new Int32Array(bytesOf(text).buffer);

class Sheet {
  constructor(given) {
    Object.assign(this, given);
    if (given.values) this.values = new Uint16Array(bytesOf(given.values).buffer);
  }

  async load() {
    if (!this.source || this.pixels) return;
    const image = new Image();
    image.src = this.source;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    this.pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    this.stride = canvas.width;
    this.source = null;
  }

  /** A mixture of examples: numbers of 0 to 1 for vectors, of 0 to 255 in four channels for pictures. */
  mixture(indices, weights) {
    return this.pixels ? this.mixedPixels(indices, weights) : this.mixedValues(indices, weights);
  }

  mixedValues(indices, weights) {
    const found = new Float32Array(this.width);
    indices.forEach((index, k) => {
      for (let j = 0; j < this.width; j++) found[j] += (weights[k] * this.values[index * this.width + j]) / 65535;
    });
    return found;
  }

  mixedPixels(indices, weights) {
    const { width, height, stride } = this;
    const sum = new Float32Array(4 * width * height);
    indices.forEach((index, k) => {
      const [row, column] = [Math.floor(index / this.columns), index % this.columns];
      for (let y = 0; y < height; y++) {
        let from = 4 * ((row * this.tall + y) * stride + column * this.wide);
        let to = 4 * y * width;
        for (const end = to + 4 * width; to < end; to++, from++) sum[to] += weights[k] * this.pixels[from];
      }
    });
    return Uint8ClampedArray.from(sum);
  }
}

/** How an example is drawn: look.kind says as what. */
class Painter {
  constructor(look, clouds) {
    this.look = look;
    this.cloud = clouds.originals || clouds.decoded; // behind examples that are points
  }

  draw(canvas, example, sheet, beneath = null) {
    if (this.look.kind === "image") return this.image(canvas, example, sheet);
    const context = fresh(canvas);
    const { width, height } = size(canvas);
    if (this.look.kind === "point") return this.point(context, example, width, height);
    if (this.look.kind === "bars") return this.bars(context, example, beneath, width, height);
    if (beneath) this.line(context, beneath, css("--muted"), width, height);
    return this.line(context, example, css("--accent"), width, height);
  }

  image(canvas, example, sheet) {
    [canvas.width, canvas.height] = [sheet.width, sheet.height];
    canvas.style.objectFit = "contain";
    canvas.style.imageRendering = "pixelated";
    canvas.getContext("2d").putImageData(new ImageData(example, sheet.width, sheet.height), 0, 0);
  }

  line(context, example, colour, width, height) {
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.beginPath();
    example.forEach((value, k) => {
      const [x, y] = [2 + ((width - 4) * k) / (example.length - 1 || 1), height - 3 - (height - 6) * value];
      if (k) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    context.stroke();
  }

  bars(context, example, beneath, width, height) {
    const { low, high } = this.look;
    const zero = Math.max(0, Math.min(1, -low / (high - low)));
    const step = (width - 4) / example.length;
    const bar = (value, k, inset, colour) => {
      context.fillStyle = colour;
      const [top, bottom] = [Math.max(value, zero), Math.min(value, zero)];
      context.fillRect(2 + step * (k + inset), height - 3 - (height - 6) * top, Math.max(1, step * (0.9 - 2 * inset)),
        Math.max(1, (height - 6) * (top - bottom)));
    };
    if (beneath) beneath.forEach((value, k) => bar(value, k, 0, css("--line")));
    example.forEach((value, k) => bar(value, k, beneath ? 0.2 : 0, css("--accent")));
  }

  point(context, example, width, height) {
    const scale = 0.9 * Math.min(width, height);
    const view = viewFrom(-Math.PI / 3, Math.PI / 7);
    const at = (values) => {
      const centred = Array.from(values, (value) => value - 0.5);
      const [x, y] = centred.length === 3 ? scaled(applied(view, centred), 0.75) : centred;
      return [width / 2 + scale * x, height / 2 - scale * y];
    };
    context.fillStyle = css("--muted");
    context.globalAlpha = 0.35;
    const few = Math.max(1, Math.floor(this.cloud.count / 700));
    for (let k = 0; k < this.cloud.count; k += few) {
      const [x, y] = at(this.cloud.mixedValues([k], [1]));
      context.fillRect(x - 1, y - 1, 2, 2);
    }
    context.globalAlpha = 1;
    context.fillStyle = css("--accent");
    context.beginPath();
    context.arc(...at(example), 5, 0, 7);
    context.fill();
  }

  /** In words: the entries that are largest, where they have names, or the numbers of a point. */
  words(example) {
    const { kind, features, low, high } = this.look;
    const value = (share) => (low + share * (high - low)).toPrecision(3);
    if (kind === "point") return Array.from(example, value).join(", ");
    if (kind !== "bars" || !features.length) return "";
    const order = Array.from(example.keys()).sort((one, other) => example[other] - example[one]).slice(0, 5);
    return order.map((k) => `${features[k]} ${value(example[k])}`).join(" · ");
  }
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const size = (canvas) => ({ width: canvas.clientWidth, height: canvas.clientHeight });

/** The context of a canvas, emptied, in pixels of the page. */
function fresh(canvas) {
  const { width, height } = size(canvas);
  const ratio = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.max(1, Math.round(ratio * width)), Math.max(1, Math.round(ratio * height))];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = "12px system-ui, sans-serif";
  return context;
}

const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
