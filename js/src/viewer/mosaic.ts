// A sheet of evenly spaced slices of one plane.
import { h } from "../shared/dom";
import type { Look } from "./composite";
import { fitted } from "./fitted";
import { roving } from "../shared/roving";
import { AXES, edgeLetters, millimetres, place, scaleBar, toWorld, zoomAbout, zoomAboutVoxel, type Placement, type Zoom } from "./geometry";
import { drawLabel } from "./measure";
import { painter, type Cut, type Painter } from "./painter";
import { PLANES, type Options, type Plane, type Scene, type Vec3 } from "./scene";
import type { Slices } from "./slices";
import { maximiser, put, TITLES, type Pad } from "./tile";

export interface MosaicFrame {
  scene: Scene;
  plane: Plane;
  /** Whether it stands beside a large slice: then its own may be smaller, and need not say whose they are. */
  beside: boolean;
  voxel: Vec3;
  grey: Uint32Array;
  look: Look;
  hovered: ReadonlySet<number>;
  options: Options;
}

/** All its slices have the same zoom, in their cells. */
export interface Mosaic extends Pad {
  el: HTMLElement;
  maximise: HTMLButtonElement;
  /** Buttons that choose its plane. */
  planes: ReadonlyMap<Plane, HTMLButtonElement>;
  draw(frame: MosaicFrame): void;
  clear(): void;
  /** It is not seen: its slices are not wanted. */
  rest(): void;
  /** Show the slices between. */
  shift(by: number): void;
}

const MOST = 64;
const CELL_PIXELS = { alone: 190, beside: 130 };
const MARGIN = 2;
/** A cell that is as wide and high has room for millimetres. */
const CAPTION_PIXELS = [130, 90] as const;

interface Arrangement {
  columns: number;
  rows: number;
  step: number;
  count: number;
}

/** Fill an area with slices of `mmX` x `mmY` as evenly spaced as whole numbers allow, none smaller than `least` pixels. */
function arrange(width: number, height: number, least: number, mmX: number, mmY: number, slices: number): Arrangement {
  const fit = (columns: number, rows: number): number => Math.min(width / columns / mmX, height / rows / mmY);
  const wanted = Math.max(least, width / 8) / Math.max(mmX, mmY);
  const most = Math.max(1, Math.floor(width / (mmX * wanted))) * Math.max(1, Math.floor(height / (mmY * wanted)));
  const step = Math.ceil(slices / Math.min(most, MOST, slices));
  const count = Math.ceil(slices / step);
  let columns = 1;
  for (let c = 2; c <= count; c++) if (fit(c, Math.ceil(count / c)) > fit(columns, Math.ceil(count / columns))) columns = c;
  return { columns, rows: Math.ceil(count / columns), step, count };
}

/** A sheet as it is drawn. */
interface Sheet extends MosaicFrame {
  arrangement: Arrangement;
  indices: readonly number[];
  cellWidth: number;
  cellHeight: number;
  /** Where a slice lies in its cell. */
  at: Placement;
  /** The cell of the slice that is nearest to the crosshair. */
  nearest: number;
}

interface Cell {
  paint: Painter;
  cut: Cut | null;
  drawn: readonly unknown[];
}

export function mosaic(slices: Slices): Mosaic {
  const canvas = h("canvas", { class: "xp-canvas", role: "img", "aria-label": "Mosaic" });
  const title = h("span", { class: "xp-tl" });
  const letters = ["left", "right", "top", "bottom"].map((side) => h("span", { class: `xp-letter xp-${side}` }));
  const bar = h("span", { class: "xp-scale xp-n" });
  const planes = new Map(PLANES.map((plane) => [plane, h("button", { class: "xp-seg", title: `${TITLES[plane]} slices (5 or 7 again: the next plane)` }, TITLES[plane])]));
  const choice = h("div", { class: "xp-mosaic-planes", role: "toolbar", "aria-label": "Plane of the mosaic" }, ...planes.values());
  const stops = roving(choice, "button");
  const maximise = maximiser("Mosaic");
  const el = h("div", { class: "xp-tile xp-mosaic" }, canvas, title, bar, ...letters, choice, maximise);
  const entitle = fitted(title);
  const zoom: Zoom = { factor: 1, panX: 0, panY: 0 };
  let cells: Cell[] = [];
  let laid = "";
  let phase: number | null = null;
  let wished = "";
  let wishedPlane: Plane | null = null;
  let now: Sheet | null = null;

  const rest = (): void => {
    if (wishedPlane) slices.wantMany(wishedPlane, []);
    wishedPlane = null;
    wished = "";
  };
  const cutOf = (cell: Cell, frame: MosaicFrame, index: number): Cut | null => {
    const [u, v] = AXES[frame.plane];
    const values = slices.image(frame.plane, index);
    if (!values) return null;
    const [ids, otherIds] = [slices.labels(frame.plane, index), slices.other(frame.plane, index)];
    const before = cell.cut;
    if (before?.values === values && before.ids === ids && before.otherIds === otherIds) return before;
    return { width: frame.scene.shape[u]!, height: frame.scene.shape[v]!, values, ids, otherIds };
  };
  /** Its number, and where it is where there is room to tell. */
  const caption = (f: Sheet, index: number): string => {
    const w = AXES[f.plane][2];
    const at = f.voxel.map((x, axis) => (axis === w ? index : Math.round(x))) as Vec3;
    const fits = f.cellWidth >= CAPTION_PIXELS[0] && f.cellHeight >= CAPTION_PIXELS[1];
    return fits ? `${index + 1} · ${millimetres(toWorld(f.scene, at)[w]!)} mm` : String(index + 1);
  };

  /** How the cell of the crosshair is marked: plainly where its slice is the crosshair's own. */
  const mark = (f: Sheet, k: number): string => {
    if (k !== f.nearest) return "";
    return f.indices[k] === Math.round(f.voxel[AXES[f.plane][2]]!) ? "#4da3ff" : "rgb(77 163 255 / 45%)";
  };

  const drawCell = (context: CanvasRenderingContext2D, f: Sheet, k: number, scale: number): void => {
    const cell = cells[k]!;
    const index = f.indices[k];
    const [left, top] = [(k % f.arrangement.columns) * f.cellWidth, Math.floor(k / f.arrangement.columns) * f.cellHeight];
    const marked = mark(f, k);
    const cut = index === undefined ? null : cutOf(cell, f, index) ?? cell.cut;
    const text = index === undefined ? "" : caption(f, index);
    const { at: p } = f;
    const from = [cut, text, marked, f.grey, f.look, f.hovered, f.options, p.originX, p.originY, p.stepX];
    if (from.every((x, i) => x === cell.drawn[i])) return;
    cell.drawn = from;
    cell.cut = cut;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.save();
    context.beginPath();
    context.rect(left * scale, top * scale, f.cellWidth * scale, f.cellHeight * scale);
    context.clip();
    context.clearRect(left * scale, top * scale, f.cellWidth * scale, f.cellHeight * scale);
    if (cut && index !== undefined) {
      // Small pictures want fine lines.
      const options = { ...f.options, width: Math.min(f.options.width, 1) };
      const at = {
        x: (left + p.originX - p.stepX / 2) * scale, y: (top + p.originY - p.stepY / 2) * scale,
        stepX: p.stepX * scale, stepY: p.stepY * scale,
      };
      const [right, bottom] = [Math.ceil((left + f.cellWidth) * scale), Math.ceil((top + f.cellHeight) * scale)];
      const onto = { context, at, box: { left: Math.floor(left * scale), top: Math.floor(top * scale), right, bottom }, scale };
      cell.paint.draw(onto, cut, f.grey, f.look, options);
      cell.paint.highlight(onto, cut, f.look, f.hovered, options);
      context.setTransform(scale, 0, 0, scale, 0, 0);
      if (marked) {
        context.strokeStyle = marked;
        context.lineWidth = 2;
        context.strokeRect(left + 1, top + 1, f.cellWidth - 2, f.cellHeight - 2);
      }
      drawLabel(context, text, left + 8, top + f.cellHeight - 8);
    }
    context.restore();
  };

  /** Where a point of the sheet is in its cell. */
  const inCell = (x: number, y: number): [number, number] => [x % now!.cellWidth, y % now!.cellHeight];

  return {
    el,
    canvas,
    zoom,
    maximise,
    planes,
    draw(frame) {
      const { scene, plane, beside } = frame;
      const [width, height] = [el.clientWidth, el.clientHeight];
      if (!width || !height) return;
      const [u, v, w] = AXES[plane];
      const scale = window.devicePixelRatio || 1;
      if (now && plane !== now.plane) {
        phase = null;
        Object.assign(zoom, { factor: 1, panX: 0, panY: 0 });
      }
      const arrangement = arrange(width, height, CELL_PIXELS[beside ? "beside" : "alone"], scene.shape[u]! * scene.spacing[u]!, scene.shape[v]! * scene.spacing[v]!, scene.shape[w]!);
      const { columns, rows, step, count } = arrangement;
      const left = scene.shape[w]! - ((count - 1) * step + 1);
      if (phase === null) phase = Math.floor(left / 2);
      phase = Math.min(Math.max(phase, 0), step - 1);
      const indices = Array.from({ length: count }, (_, k) => phase! + k * step).filter((i) => i < scene.shape[w]!);
      const [cellWidth, cellHeight] = [width / columns, height / rows];
      const at = place(scene, plane, cellWidth, cellHeight, frame.options.radiological, zoom, MARGIN);
      const nearest = Math.min(Math.max(Math.round((Math.round(frame.voxel[w]!) - phase) / step), 0), indices.length - 1);
      now = { ...frame, arrangement, indices, cellWidth, cellHeight, at, nearest };
      const wish = `${scene.key}/${plane}/${indices.join()}`;
      if (wish !== wished) {
        rest();
        slices.wantMany(plane, indices);
        wished = wish;
        wishedPlane = plane;
      }
      const key = [scene.key, plane, width, height, scale, columns, rows].join();
      if (key !== laid) {
        laid = key;
        for (const [name, button] of planes) button.setAttribute("aria-pressed", String(name === plane));
        stops.refresh();
        // At the right border of a cell: at the left is a number.
        letters[3]!.style.left = `${(Math.ceil(columns / 2) / columns) * 100}%`;
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
        cells = Array.from({ length: count }, () => ({ paint: painter(), cut: null, drawn: [] }));
      }
      const context = canvas.getContext("2d")!;
      for (let k = 0; k < count; k++) drawCell(context, now, k, scale);
      const few = step === 1 ? `all ${scene.shape[w]} slices` : `every ${step}${step === 2 ? "nd" : step === 3 ? "rd" : "th"}`;
      const what = step === 1 ? few : `${few} of ${scene.shape[w]} slices`;
      const far = `${millimetres(step * scene.spacing[w]!)} mm`;
      const whose = beside ? "" : `${TITLES[plane]} · ${scene.case} · `;
      entitle(width, [`${what}, ${far} apart`, `${few}, ${far} apart`, `${few}, ${far}`, few].map((words) => whose + words));
      const whole = `${TITLES[plane]} · ${scene.case} · ${what}, ${far} apart`;
      canvas.setAttribute("aria-label", `Mosaic: ${whole}`);
      const { mm, label } = scaleBar(cellWidth, at.pixelsPerMm);
      bar.style.setProperty("--xp-length", `${mm * at.pixelsPerMm}px`);
      put(bar, label);
      edgeLetters(scene, plane, at).forEach((letter, i) => put(letters[i]!, letter));
    },
    rest,
    clear() {
      rest();
      laid = "";
      phase = now = null;
      cells = [];
      canvas.getContext("2d")!.clearRect(0, 0, canvas.width, canvas.height);
      for (const part of [title, bar, ...letters]) put(part, "");
    },
    shift(by) {
      phase = (phase ?? 0) + by;
    },
    zoomBy(x, y, by) {
      if (now) zoomAbout(zoom, ...inCell(x, y), now.cellWidth, now.cellHeight, by);
    },
    zoomAt(voxel, by) {
      if (now) zoomAboutVoxel(zoom, now.at, now.plane, voxel, now.cellWidth, now.cellHeight, by);
    },
    voxelAt(x, y) {
      if (!now) return null;
      const [column, row] = [Math.floor(x / now.cellWidth), Math.floor(y / now.cellHeight)];
      const index = column < now.arrangement.columns ? now.indices[row * now.arrangement.columns + column] : undefined;
      if (index === undefined) return null;
      const [u, v, w] = AXES[now.plane];
      const [inX, inY] = inCell(x, y);
      const voxel: Vec3 = [0, 0, 0];
      voxel[u] = (inX - now.at.originX) / now.at.stepX;
      voxel[v] = (inY - now.at.originY) / now.at.stepY;
      voxel[w] = index;
      return voxel;
    },
  };
}
