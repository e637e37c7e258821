// Mouse, pen and touch on a plane.
import type { Plane, Vec3 } from "./scene";
import type { Tile } from "./tile";

export interface Pointed {
  focus(): void;
  activate(plane: Plane): void;
  moveTo(voxel: Vec3): void;
  slice(plane: Plane, by: number): void;
  maximise(plane: Plane): void;
  window(): [number, number];
  setWindow(low: number, high: number): void;
  /** A drag of the window has ended: others may know. */
  keepWindow(): void;
  redraw(): void;
  hover(voxel: Vec3 | null): void;
}

type Drag = { kind: "cross" } | { kind: "pan" } | { kind: "window"; start: [number, number]; x: number; y: number };

const WHEEL_PIXELS = 40;

export function bindPointer(plane: Plane, tile: Tile, on: Pointed): void {
  const { canvas } = tile;
  let drag: Drag | null = null;
  let rolled = 0;

  const at = (event: MouseEvent): Vec3 | null => {
    const box = canvas.getBoundingClientRect();
    return tile.voxelAt(event.clientX - box.left, event.clientY - box.top);
  };
  const cross = (event: PointerEvent): void => {
    const voxel = at(event);
    if (voxel) on.moveTo(voxel);
  };

  canvas.addEventListener("pointerdown", (event) => {
    on.focus();
    on.activate(plane);
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (event.button === 2) drag = { kind: "window", start: on.window(), x: event.clientX, y: event.clientY };
    else if (event.button === 1 || event.shiftKey) drag = { kind: "pan" };
    else {
      drag = { kind: "cross" };
      cross(event);
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) {
      on.hover(at(event));
    } else if (drag.kind === "cross") cross(event);
    else if (drag.kind === "pan") {
      tile.zoom.panX += event.movementX;
      tile.zoom.panY += event.movementY;
      on.redraw();
    } else {
      const [low, high] = drag.start;
      const width = high - low;
      const grow = Math.exp((event.clientX - drag.x) / 200);
      const centre = (low + high) / 2 + ((event.clientY - drag.y) / 300) * width;
      on.setWindow(centre - (width * grow) / 2, centre + (width * grow) / 2);
    }
  });
  const stop = (): void => {
    if (drag?.kind === "window") on.keepWindow();
    drag = null;
  };
  canvas.addEventListener("pointerup", stop);
  canvas.addEventListener("pointercancel", stop);
  canvas.addEventListener("pointerleave", () => drag || on.hover(null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => on.maximise(plane));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      on.activate(plane);
      if (event.ctrlKey) {
        tile.zoom.factor = Math.min(20, Math.max(0.2, tile.zoom.factor * Math.exp(-event.deltaY / 300)));
        on.redraw();
        return;
      }
      // Wheels step by notches, touch pads by many small moves.
      rolled += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * WHEEL_PIXELS;
      const steps = Math.trunc(rolled / WHEEL_PIXELS);
      if (!steps) return;
      rolled -= steps * WHEEL_PIXELS;
      on.slice(plane, -Math.sign(steps) * Math.min(Math.abs(steps), 3));
    },
    { passive: false },
  );
}
