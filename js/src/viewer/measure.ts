// Distances and angles that a user draws on a slice, in true millimetres.
import { AXES, toWorld, type Placement } from "./geometry";
import type { Plane, Scene, Vec3 } from "./scene";

export type Tool = "distance" | "angle";

export interface Measurement {
  tool: Tool;
  plane: Plane;
  index: number;
  /** Voxels, not rounded. */
  points: Vec3[];
}

const NEEDS: Record<Tool, number> = { distance: 2, angle: 3 };
const minus = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

/** Length in mm, or angle at the second point in degrees, of world points. */
export function measured(tool: Tool, points: readonly Vec3[]): number {
  if (tool === "distance") return Math.hypot(...minus(points[1]!, points[0]!));
  const [a, b] = [minus(points[0]!, points[1]!), minus(points[2]!, points[1]!)];
  const cosine = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / (Math.hypot(...a) * Math.hypot(...b) || 1);
  return (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI;
}

function describe(scene: Scene, { tool, points }: Measurement): string {
  if (points.length < NEEDS[tool]) return "";
  const value = measured(tool, points.map((p) => toWorld(scene, p)));
  return tool === "distance" ? `${value.toFixed(1)} mm` : `${value.toFixed(1)}°`;
}

export interface Measures {
  readonly tool: Tool | null;
  /** Grows whenever anything that is drawn has changed. */
  readonly revision: number;
  take(tool: Tool | null): void;
  /** Set the next point; the last one completes the measurement. */
  add(scene: Scene, plane: Plane, voxel: Vec3): void;
  /** Where the next point would be. */
  preview(plane: Plane, voxel: Vec3): void;
  /** Give up what is being drawn, or else the tool; false when there was neither. */
  cancel(): boolean;
  removeLast(scene: Scene): boolean;
  on(scene: Scene, plane: Plane, index: number): Measurement[];
  /** Those of a slice in words. */
  listed(scene: Scene, plane: Plane, index: number): string[];
}

export function measures(): Measures {
  const kept = new Map<string, Measurement[]>();
  let tool: Tool | null = null;
  let draft: Measurement | null = null;
  let next: Vec3 | null = null;
  let revision = 0;

  const of = (scene: Scene): Measurement[] => {
    let list = kept.get(scene.case);
    if (!list) kept.set(scene.case, (list = []));
    return list;
  };
  return {
    get tool() {
      return tool;
    },
    get revision() {
      return revision;
    },
    take(chosen) {
      tool = chosen === tool ? null : chosen;
      draft = next = null;
      revision++;
    },
    add(scene, plane, voxel) {
      if (!tool) return;
      const index = Math.round(voxel[AXES[plane][2]]!);
      if (draft?.plane !== plane || draft.index !== index) draft = { tool, plane, index, points: [] };
      draft.points.push([...voxel]);
      next = null;
      if (draft.points.length === NEEDS[tool]) {
        of(scene).push(draft);
        draft = null;
      }
      revision++;
    },
    preview(plane, voxel) {
      if (!draft || draft.plane !== plane) return;
      next = voxel;
      revision++;
    },
    cancel() {
      if (!draft && !tool) return false;
      if (draft) draft = next = null;
      else tool = null;
      revision++;
      return true;
    },
    removeLast(scene) {
      const removed = of(scene).pop() !== undefined;
      if (removed) revision++;
      return removed;
    },
    on(scene, plane, index) {
      const growing = draft && { ...draft, points: next ? [...draft.points, next] : draft.points };
      return [...of(scene), ...(growing ? [growing] : [])].filter((m) => m.plane === plane && m.index === index);
    },
    listed: (scene, plane, index) =>
      of(scene).filter((m) => m.plane === plane && m.index === index).map((m) => `${m.tool} ${describe(scene, m)} (${m.plane} ${m.index + 1})`),
  };
}

/** Draw measurements; the context is in CSS pixels. */
export function drawMeasurements(context: CanvasRenderingContext2D, scene: Scene, list: readonly Measurement[], p: Placement): void {
  context.lineCap = context.lineJoin = "round";
  for (const measurement of list) {
    const [u, v] = AXES[measurement.plane];
    const at = measurement.points.map((voxel) => [p.originX + p.stepX * voxel[u]!, p.originY + p.stepY * voxel[v]!] as const);
    // Light on dark, so that it is seen on bright and on black tissue.
    for (const [style, wide] of [["rgb(0 0 0 / 75%)", 4], ["#ffe27a", 1.75]] as const) {
      context.strokeStyle = context.fillStyle = style;
      context.lineWidth = wide;
      context.beginPath();
      at.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.stroke();
      for (const [x, y] of at) {
        context.beginPath();
        context.arc(x, y, 1.5 + wide / 2, 0, 2 * Math.PI);
        context.fill();
      }
    }
    const text = describe(scene, measurement);
    if (text) drawLabel(context, text, at[1]![0] + 9, at[1]![1] - 9);
  }
}

/** A number on a dark ground, kept inside the canvas. */
export function drawLabel(context: CanvasRenderingContext2D, text: string, left: number, baseline: number): void {
  context.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
  const scale = context.getTransform().a || 1;
  const width = context.measureText(text).width;
  const x = Math.min(Math.max(left, 4), context.canvas.width / scale - width - 6);
  const y = Math.min(Math.max(baseline, 16), context.canvas.height / scale - 6);
  context.fillStyle = "rgb(11 13 16 / 78%)";
  context.beginPath();
  context.roundRect(x - 4, y - 12, width + 8, 17, 3);
  context.fill();
  context.fillStyle = "#ffe27a";
  context.fillText(text, x, y);
}
