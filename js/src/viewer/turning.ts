// Mouse, pen, touch and keys on the 3D picture.
import type { Hit, Space } from "../space/index";

export interface Turned {
  space(): Space | null;
  /** The camera has moved. */
  changed(): void;
  reset(): void;
  maximise(): void;
  /** The surface under the pointer, or "", and where that is on the page. */
  hover(name: string, x: number, y: number): void;
  pick(hit: Hit): void;
}

const DEGREES_PER_PIXEL = 0.45;
const KEY_DEGREES = 10;
const CLICK_PIXELS = 4;
const WHEEL_SLOWNESS = 500;

/** Returns what its keys do, for who has the focus in its place. */
export function bindSpace(canvas: HTMLCanvasElement, on: Turned): (event: KeyboardEvent) => void {
  const down = new Map<number, { x: number; y: number }>();
  let drag: "turn" | "pan" = "turn";
  let travelled = 0;
  let pending: { x: number; y: number } | null = null;

  const hitAt = (x: number, y: number): Hit | null => {
    const area = canvas.getBoundingClientRect();
    return on.space()?.pick((x - area.left) / area.width, (y - area.top) / area.height) ?? null;
  };
  const hoverSoon = (event: PointerEvent): void => {
    const waiting = pending !== null;
    pending = { x: event.clientX, y: event.clientY };
    if (waiting) return;
    requestAnimationFrame(() => {
      const at = pending;
      pending = null;
      if (at && !down.size) on.hover(hitAt(at.x, at.y)?.name ?? "", at.x, at.y);
    });
  };

  const leave = (): void => {
    pending = null;
    on.hover("", 0, 0);
  };

  canvas.addEventListener("pointerdown", (event) => {
    leave();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    travelled = down.size ? Infinity : 0; // two fingers click at nothing
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    drag = event.button === 2 || event.button === 1 || event.shiftKey ? "pan" : "turn";
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    const space = on.space();
    if (!before) return hoverSoon(event);
    if (!space) return;
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    travelled += Math.hypot(dx, dy);
    const height = canvas.clientHeight || 1;
    if (down.size === 2) {
      // Two fingers: what lies between them moves and grows with them.
      const other = [...down].find(([id]) => id !== event.pointerId)![1];
      const span = (p: { x: number; y: number }): number => Math.hypot(p.x - other.x, p.y - other.y) || 1;
      space.zoom(span({ x: event.clientX, y: event.clientY }) / span(before));
      space.pan(dx / 2 / height, dy / 2 / height);
    } else if (travelled > CLICK_PIXELS) {
      if (drag === "pan") space.pan(dx / height, dy / height);
      else space.turn(-dx * DEGREES_PER_PIXEL, dy * DEGREES_PER_PIXEL);
    }
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    on.changed();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!down.delete(event.pointerId) || down.size || travelled > CLICK_PIXELS || event.button !== 0) return;
    const hit = hitAt(event.clientX, event.clientY);
    if (hit) on.pick(hit);
  });
  canvas.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => on.maximise());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * 40;
      on.space()?.zoom(Math.exp(-pixels / WHEEL_SLOWNESS));
      on.changed();
    },
    { passive: false },
  );

  const keys: Record<string, (space: Space, degrees: number) => void> = {
    ArrowLeft: (space, degrees) => space.turn(degrees, 0),
    ArrowRight: (space, degrees) => space.turn(-degrees, 0),
    ArrowUp: (space, degrees) => space.turn(0, degrees),
    ArrowDown: (space, degrees) => space.turn(0, -degrees),
    "+": (space) => space.zoom(1.15),
    "=": (space) => space.zoom(1.15),
    "-": (space) => space.zoom(1 / 1.15),
    _: (space) => space.zoom(1 / 1.15),
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const space = on.space();
    const act = keys[event.key];
    if (!space || (!act && event.key !== "Home")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Home") return on.reset();
    act!(space, event.shiftKey ? 90 : KEY_DEGREES);
    on.changed();
  };
  canvas.addEventListener("keydown", onKey);
  return onKey;
}
