// The latent space as it is turned, moved over and asked by mouse, fingers and keys.

const RIGHT_ANGLE_PIXELS = 260; // a drag that long turns by a right angle
const CLICK = 5; // pixels that a click may move
const REST = 160; // milliseconds after which what stopped is drawn sharp

class Stage extends Drawing {
  constructor(element, space, codes, events) {
    super(element, space, codes);
    this.events = events;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(element);
    this.draw();
  }

  reset() {
    Object.assign(this, { rotation: START, zoom: 1, pan: this.centre.slice() });
    this.draw();
  }

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
      this.still = setTimeout(() => this.draw(), REST);
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
    const { width, height } = this.box;
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

