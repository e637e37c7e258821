// Mouse, pen and touch on a plane.
import { zoomAbout } from "./geometry";
import type { Mosaic } from "./mosaic";
import type { Plane, Vec3 } from "./scene";
import type { Tile } from "./tile";

export interface Pointed {
  focus(): void;
  activate(plane: Plane): void;
  moveTo(voxel: Vec3): void;
  slice(plane: Plane, by: number): void;
  sliceTo(plane: Plane, index: number): void;
  maximise(plane: Plane): void;
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
type Drag = { kind: "cross" | "pan" | "pinch" | "none" } | ({ kind: "window" } & WindowDrag);

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

export function bindPointer(plane: Plane, tile: Tile, on: Pointed): void {
  const { canvas } = tile;
  const down = new Map<number, { x: number; y: number }>();
  let drag: Drag | null = null;
  let rolled = 0;

  const inTile = (x: number, y: number): [number, number] => {
    const box = canvas.getBoundingClientRect();
    return [x - box.left, y - box.top];
  };
  const at = (event: MouseEvent): Vec3 | null => tile.voxelAt(...inTile(event.clientX, event.clientY));
  const cross = (event: PointerEvent): void => {
    const voxel = at(event);
    if (voxel) on.moveTo(voxel);
  };
  const zoom = (x: number, y: number, by: number): void => {
    zoomAbout(tile.zoom, ...inTile(x, y), canvas.clientWidth, canvas.clientHeight, by);
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
    tile.zoom.panX += after.x - before.x;
    tile.zoom.panY += after.y - before.y;
    zoom(after.x, after.y, after.apart / before.apart);
  };

  canvas.addEventListener("pointerdown", (event) => {
    on.focus();
    on.activate(plane);
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    on.hover(plane, null, 0, 0);
    if (down.size > 1) drag = { kind: "pinch" };
    else if (event.button === 2) drag = { kind: "window", start: on.window(), x: event.clientX, y: event.clientY };
    else if (event.button === 1 || event.shiftKey) drag = { kind: "pan" };
    else if (on.measuring()) {
      drag = { kind: "none" };
      const voxel = at(event);
      if (voxel) on.addPoint(plane, voxel);
    } else {
      drag = { kind: "cross" };
      cross(event);
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) {
      const voxel = at(event);
      if (on.measuring() && voxel) on.previewPoint(plane, voxel);
      on.hover(plane, voxel, event.clientX, event.clientY);
      return;
    }
    const before = down.get(event.pointerId);
    if (drag.kind === "cross") cross(event);
    else if (drag.kind === "pinch" && down.size === 2 && before) pinch(event);
    else if (drag.kind === "pan" && before) {
      tile.zoom.panX += event.clientX - before.x;
      tile.zoom.panY += event.clientY - before.y;
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
      on.redraw();
    } else if (drag.kind === "window") on.setWindow(...dragged(drag, event));
  });
  const stop = (event: PointerEvent): void => {
    down.delete(event.pointerId);
    if (drag?.kind === "window") on.keepWindow();
    // The finger that is lifted last must not move the crosshair.
    drag = down.size ? { kind: "none" } : null;
  };
  canvas.addEventListener("pointerup", stop);
  canvas.addEventListener("pointercancel", stop);
  canvas.addEventListener("pointerleave", () => drag || on.hover(plane, null, 0, 0));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => on.measuring() || on.maximise(plane));
  tile.maximise.addEventListener("click", () => on.maximise(plane));
  tile.slider.addEventListener("focus", () => on.activate(plane));
  tile.slider.addEventListener("input", () => {
    on.activate(plane);
    on.sliceTo(plane, Number(tile.slider.value));
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      on.activate(plane);
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
      on.slice(plane, -Math.sign(steps) * Math.min(Math.abs(steps), MOST_STEPS));
    },
    { passive: false },
  );
}

export interface Picked extends Pick<Pointed, "focus" | "window" | "setWindow" | "keepWindow"> {
  sheet(plane: Plane): void;
  shift(by: number): void;
  open(voxel: Vec3): void;
  /** What is under the pointer, and where that is on the page. */
  at(voxel: Vec3 | null, x: number, y: number): void;
}

/** A click opens a slice of the mosaic, the wheel shows those between, a right drag changes the window. */
export function bindMosaic({ canvas, voxelAt, planes }: Mosaic, on: Picked): void {
  let drag: WindowDrag | null = null;
  const at = (event: MouseEvent): Vec3 | null => {
    const box = canvas.getBoundingClientRect();
    return voxelAt(event.clientX - box.left, event.clientY - box.top);
  };
  canvas.addEventListener("pointerdown", (event) => {
    on.focus();
    if (event.button !== 2) return;
    drag = { start: on.window(), x: event.clientX, y: event.clientY };
    canvas.setPointerCapture(event.pointerId);
    on.at(null, 0, 0);
  });
  const stop = (): void => {
    if (drag) on.keepWindow();
    drag = null;
  };
  canvas.addEventListener("pointerup", stop);
  canvas.addEventListener("pointercancel", stop);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  for (const [plane, button] of planes) button.addEventListener("click", () => on.sheet(plane));
  canvas.addEventListener("click", (event) => {
    const voxel = at(event);
    if (voxel) on.open(voxel);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) on.setWindow(...dragged(drag, event));
    else on.at(at(event), event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => on.at(null, 0, 0));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    on.shift(event.deltaY < 0 ? 1 : -1);
  }, { passive: false });
}
