// Mouse, pen and touch on a plane and on the mosaic.
import type { Mosaic } from "./mosaic";
import type { Layout, Plane, Vec3 } from "./scene";
import type { Pad, Tile } from "./tile";

export interface Pointed {
  focus(): void;
  activate(plane: Plane): void;
  moveTo(voxel: Vec3): void;
  slice(plane: Plane, by: number): void;
  sliceTo(plane: Plane, index: number): void;
  maximise(layout: Layout): void;
  window(): [number, number];
  setWindow(low: number, high: number): void;
  /** A drag of the window has ended: others may know. */
  keepWindow(): void;
  redraw(): void;
  /** What is under the pointer, and where that is on the page. */
  hover(plane: Plane, voxel: Vec3 | null, x: number, y: number): void;
  /** Whether clicks set points of a measurement. */
  measuring(): boolean;
  addPoint(plane: Plane, voxel: Vec3): void;
  previewPoint(plane: Plane, voxel: Vec3): void;
}

interface WindowDrag {
  start: [number, number];
  x: number;
  y: number;
}
type Drag = { kind: "own" | "pan" | "pinch" | "none" } | { kind: "tap"; x: number; y: number } | ({ kind: "window" } & WindowDrag);

/** A finger that moves less than this stays where it is. */
const TAP_PIXELS = 8;

const WHEEL_PIXELS = 40;
/** A single event this large is a wheel's notch; systems send 53 to 120 for one. */
const NOTCH_PIXELS = 50;
const MOST_STEPS = 3;

/** The window that a drag makes of the one at its start: width across, level up and down. */
function dragged({ start: [low, high], x, y }: WindowDrag, to: PointerEvent): [number, number] {
  const width = high - low;
  const half = (width * Math.exp((to.clientX - x) / 200)) / 2;
  const centre = (low + high) / 2 + ((to.clientY - y) / 300) * width;
  return [centre - half, centre + half];
}

type Common = Pick<Pointed, "focus" | "window" | "setWindow" | "keepWindow" | "redraw">;

/** What a canvas does besides zoom, pan and window, which all have. */
interface Own {
  touched(): void;
  /** The left button is down, or a finger that was alone is lifted: until then a second one may come to pinch. */
  press(event: PointerEvent): void;
  drag(event: PointerEvent): void;
  /** The pointer is over the canvas, and nothing is down. */
  over(event: PointerEvent): void;
  leave(): void;
  /** The wheel was turned, away from the user (1 or more) or towards. */
  roll(by: number): void;
}

/** The point of an event on a canvas, CSS pixels. */
function spot(canvas: HTMLCanvasElement, { clientX, clientY }: { clientX: number; clientY: number }): [number, number] {
  const box = canvas.getBoundingClientRect();
  return [clientX - box.left, clientY - box.top];
}

function bindPad(pad: Pad, on: Common, own: Own): void {
  const { canvas } = pad;
  const down = new Map<number, { x: number; y: number }>();
  let drag: Drag | null = null;
  let rolled = 0;

  const zoom = (clientX: number, clientY: number, by: number): void => {
    pad.zoomBy(...spot(canvas, { clientX, clientY }), by);
    on.redraw();
  };
  /** Middle of two fingers and how far they are apart. */
  const fingers = (): { x: number; y: number; apart: number } => {
    const [a, b] = [...down.values()] as [{ x: number; y: number }, { x: number; y: number }];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  const pinch = (event: PointerEvent): void => {
    const before = fingers();
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const after = fingers();
    pad.zoom.panX += after.x - before.x;
    pad.zoom.panY += after.y - before.y;
    zoom(after.x, after.y, after.apart / before.apart);
  };

  canvas.addEventListener("pointerdown", (event) => {
    on.focus();
    own.touched();
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    own.leave();
    if (down.size > 1) drag = { kind: "pinch" };
    else if (event.button === 2) drag = { kind: "window", start: on.window(), x: event.clientX, y: event.clientY };
    else if (event.button === 1 || event.shiftKey) drag = { kind: "pan" };
    else if (event.pointerType === "touch") drag = { kind: "tap", x: event.clientX, y: event.clientY };
    else {
      own.press(event);
      drag = { kind: "own" };
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return own.over(event);
    const before = down.get(event.pointerId);
    if (drag.kind === "tap" && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > TAP_PIXELS) drag = { kind: "own" };
    if (drag.kind === "own") own.drag(event);
    else if (drag.kind === "pinch" && down.size === 2 && before) pinch(event);
    else if (drag.kind === "pan" && before) {
      pad.zoom.panX += event.clientX - before.x;
      pad.zoom.panY += event.clientY - before.y;
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
      on.redraw();
    } else if (drag.kind === "window") on.setWindow(...dragged(drag, event));
  });
  const lift = (event: PointerEvent): void => {
    if (event.pointerType === "touch" && (drag?.kind === "tap" || drag?.kind === "own")) own.press(event);
    stop(event);
  };
  const stop = (event: PointerEvent): void => {
    down.delete(event.pointerId);
    if (drag?.kind === "window") on.keepWindow();
    // The finger that is lifted last must not move the crosshair.
    drag = down.size ? { kind: "none" } : null;
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", stop);
  canvas.addEventListener("pointerleave", () => drag || own.leave());
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      own.touched();
      if (event.ctrlKey) {
        zoom(event.clientX, event.clientY, Math.exp(-event.deltaY / 300));
        return;
      }
      // Wheels step by notches, touch pads by many small moves.
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * WHEEL_PIXELS;
      const notched = Math.abs(pixels) >= NOTCH_PIXELS;
      rolled = notched ? 0 : rolled + pixels;
      const steps = notched ? Math.round(pixels / (2 * NOTCH_PIXELS)) || Math.sign(pixels) : Math.trunc(rolled / WHEEL_PIXELS);
      if (!steps) return;
      if (!notched) rolled -= steps * WHEEL_PIXELS;
      own.roll(-Math.sign(steps) * Math.min(Math.abs(steps), MOST_STEPS));
    },
    { passive: false },
  );
}

/** A press or a drag moves the crosshair, or sets a point of a measurement; the wheel goes through the slices. */
export function bindPointer(plane: Plane, tile: Tile, on: Pointed): void {
  const { canvas } = tile;
  const at = (event: MouseEvent): Vec3 | null => tile.voxelAt(...spot(canvas, event));
  const cross = (event: PointerEvent): void => {
    const voxel = at(event);
    if (voxel) on.moveTo(voxel);
  };
  const preview = (event: PointerEvent): void => {
    const voxel = at(event);
    if (on.measuring() && voxel) on.previewPoint(plane, voxel);
  };
  bindPad(tile, on, {
    touched: () => on.activate(plane),
    press(event) {
      if (!on.measuring()) return cross(event);
      const voxel = at(event);
      if (voxel) on.addPoint(plane, voxel);
    },
    drag: (event) => (on.measuring() ? preview(event) : cross(event)),
    over(event) {
      preview(event);
      on.hover(plane, at(event), event.clientX, event.clientY);
    },
    leave: () => on.hover(plane, null, 0, 0),
    roll: (by) => on.slice(plane, by),
  });
  canvas.addEventListener("dblclick", () => on.measuring() || on.maximise(plane));
  tile.maximise.addEventListener("click", () => on.maximise(plane));
  tile.slider.addEventListener("focus", () => on.activate(plane));
  tile.slider.addEventListener("input", () => {
    on.activate(plane);
    on.sliceTo(plane, Number(tile.slider.value));
  });
}

export interface Picked extends Common, Pick<Pointed, "moveTo" | "maximise"> {
  sheet(plane: Plane): void;
  shift(by: number): void;
  /** What is under the pointer, and where that is on the page. */
  at(voxel: Vec3 | null, x: number, y: number): void;
}

/** A press or a drag moves the crosshair, also to another slice; the wheel shows those between. */
export function bindMosaic(mosaic: Mosaic, on: Picked): void {
  const { canvas, planes } = mosaic;
  const at = (event: MouseEvent): Vec3 | null => mosaic.voxelAt(...spot(canvas, event));
  const cross = (event: PointerEvent): void => {
    const voxel = at(event);
    if (voxel) on.moveTo(voxel);
  };
  bindPad(mosaic, on, {
    touched: () => undefined,
    press: cross,
    drag: cross,
    over: (event) => on.at(at(event), event.clientX, event.clientY),
    leave: () => on.at(null, 0, 0),
    roll: on.shift,
  });
  canvas.addEventListener("dblclick", () => on.maximise("sheet"));
  mosaic.maximise.addEventListener("click", () => on.maximise("sheet"));
  for (const [plane, button] of planes) button.addEventListener("click", () => on.sheet(plane));
}
