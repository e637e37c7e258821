// One plane on a plain canvas: picture, structures, crosshair, letters and scale.
import { h } from "../shared/dom";
import {
  findEdges, paintImage, paintLabels, type Edges, type Ids, type Rgb, type Values,
} from "./composite";
import { AXES, edgeLetters, millimetres, place, scaleBar, toWorld, type Placement, type Zoom } from "./geometry";
import type { Options, Plane, Scene, Vec3 } from "./scene";

/** What a tile draws; the viewer hands it over whole at each frame. */
export interface Frame {
  scene: Scene;
  voxel: Vec3;
  values: Values | undefined;
  ids: Ids | undefined;
  table: Uint8ClampedArray;
  /** Changes when the table does. */
  tableKey: string;
  colors: readonly (Rgb | null)[];
  /** Changes when the colours do. */
  colorsKey: string;
  options: Options;
}

export interface Tile {
  el: HTMLElement;
  canvas: HTMLCanvasElement;
  zoom: Zoom;
  draw(frame: Frame): void;
  clear(): void;
  /** Voxel under a point of the canvas, in CSS pixels; not rounded, not clamped. */
  voxelAt(x: number, y: number): Vec3 | null;
}

const TITLES: Record<Plane, string> = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" };

interface Shown {
  scene: Scene;
  index: number;
  values: Values;
  ids: Ids | undefined;
}

export function tile(plane: Plane): Tile {
  const [u, v, w] = AXES[plane];
  const canvas = h("canvas", { class: "xp-canvas", role: "img", "aria-label": TITLES[plane] });
  const title = h("span", { class: "xp-tl" }, TITLES[plane]);
  const place_ = h("span", { class: "xp-br xp-n" });
  const bar = h("span", { class: "xp-scale xp-n" });
  const letters = ["left", "right", "top", "bottom"].map((side) => h("span", { class: `xp-letter xp-${side}` }));
  const el = h("div", { class: `xp-tile xp-plane-${plane}` }, canvas, title, place_, bar, ...letters);

  const picture = document.createElement("canvas");
  const colour = document.createElement("canvas");
  const zoom: Zoom = { factor: 1, panX: 0, panY: 0 };
  let shown: Shown | null = null;
  let painted = "";
  let coloured = "";
  // Sharper values and newer ids come as other arrays.
  let paintedValues: Values | undefined;
  let colouredIds: Ids | undefined;
  let edges: Edges[] = [];
  let placement: Placement | null = null;

  /** Keep the last picture until the wanted slice is there, so that scrolling never flashes. */
  const take = (frame: Frame): void => {
    const index = Math.round(frame.voxel[w]!);
    if (frame.values) shown = { scene: frame.scene, index, values: frame.values, ids: frame.ids };
    else if (shown && shown.scene !== frame.scene) shown = null;
  };

  const paint = (frame: Frame, s: Shown): void => {
    const [width, height] = [s.scene.shape[u]!, s.scene.shape[v]!];
    const key = `${s.scene.key}/${s.index}/${frame.tableKey}`;
    if (key !== painted || s.values !== paintedValues) {
      picture.width = width;
      picture.height = height;
      const data = new ImageData(width, height);
      paintImage(s.values, frame.table, data);
      picture.getContext("2d")!.putImageData(data, 0, 0);
      painted = key;
      paintedValues = s.values;
    }
    const colourKey = s.ids ? `${s.scene.key}/${s.index}/${frame.colorsKey}` : "";
    if (colourKey !== coloured || s.ids !== colouredIds) {
      edges = [];
      if (s.ids) {
        colour.width = width;
        colour.height = height;
        const data = new ImageData(width, height);
        paintLabels(s.ids, frame.colors, data);
        colour.getContext("2d")!.putImageData(data, 0, 0);
        edges = findEdges(s.ids, width, height, frame.colors);
      }
      coloured = colourKey;
      colouredIds = s.ids;
    }
  };

  const overlay = (context: CanvasRenderingContext2D, frame: Frame, scale: number): void => {
    if (!frame.options.overlay || !coloured) return;
    if (!frame.options.outline) {
      context.imageSmoothingEnabled = false;
      context.globalAlpha = frame.options.opacity;
      context.drawImage(colour, 0, 0);
      context.globalAlpha = 1;
    }
    // Lines are moved to device pixels first, so that their width does not stretch with the spacing.
    const turn = context.getTransform();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.lineWidth = 1.25 * scale;
    context.lineCap = "square";
    for (const { color, path } of edges) {
      const moved = new Path2D();
      moved.addPath(path, turn);
      context.strokeStyle = color;
      context.stroke(moved);
    }
  };

  const crosshair = (context: CanvasRenderingContext2D, frame: Frame, p: Placement, width: number, height: number): void => {
    if (!frame.options.crosshair) return;
    const x = Math.round(p.originX + p.stepX * frame.voxel[u]!) + 0.5;
    const y = Math.round(p.originY + p.stepY * frame.voxel[v]!) + 0.5;
    const gap = 7;
    context.strokeStyle = "rgb(77 163 255 / 75%)";
    context.lineWidth = 1;
    context.beginPath();
    for (const [from, to] of [[0, x - gap], [x + gap, width]] as const) {
      context.moveTo(from, y);
      context.lineTo(to, y);
    }
    for (const [from, to] of [[0, y - gap], [y + gap, height]] as const) {
      context.moveTo(x, from);
      context.lineTo(x, to);
    }
    context.stroke();
  };

  const caption = (frame: Frame, p: Placement, width: number): void => {
    edgeLetters(frame.scene, plane, p).forEach((letter, i) => (letters[i]!.textContent = letter));
    const index = Math.round(frame.voxel[w]!);
    const mm = toWorld(frame.scene, frame.voxel)[w]!;
    place_.textContent = `${index + 1} of ${frame.scene.shape[w]} · ${millimetres(mm)} mm`;
    canvas.setAttribute("aria-label", `${TITLES[plane]} slice ${place_.textContent}`);
    const { mm: length, label } = scaleBar(width, p.pixelsPerMm);
    bar.style.setProperty("--xp-length", `${length * p.pixelsPerMm}px`);
    bar.textContent = label;
  };

  return {
    el,
    canvas,
    zoom,
    draw(frame) {
      take(frame);
      const width = el.clientWidth;
      const height = el.clientHeight;
      if (!width || !height) return;
      const scale = window.devicePixelRatio || 1;
      const [deviceWidth, deviceHeight] = [Math.round(width * scale), Math.round(height * scale)];
      if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) {
        canvas.width = deviceWidth;
        canvas.height = deviceHeight;
      }
      placement = place(frame.scene, plane, width, height, frame.options.radiological, zoom);
      const context = canvas.getContext("2d")!;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (shown) {
        paint(frame, shown);
        const { stepX, stepY, originX, originY } = placement;
        // Canvas pixel (0, 0) is the corner of voxel (0, 0), half a voxel from its centre.
        context.setTransform(
          stepX * scale, 0, 0, stepY * scale, (originX - stepX / 2) * scale, (originY - stepY / 2) * scale,
        );
        context.imageSmoothingEnabled = frame.options.smooth;
        context.imageSmoothingQuality = "high";
        context.drawImage(picture, 0, 0);
        overlay(context, frame, scale);
      }
      context.setTransform(scale, 0, 0, scale, 0, 0);
      crosshair(context, frame, placement, width, height);
      caption(frame, placement, width);
    },
    clear() {
      shown = null;
      painted = coloured = "";
      placement = null;
      canvas.getContext("2d")!.clearRect(0, 0, canvas.width, canvas.height);
      for (const part of [place_, bar, ...letters]) part.textContent = "";
    },
    voxelAt(x, y) {
      if (!placement || !shown) return null;
      const voxel: Vec3 = [0, 0, 0];
      voxel[u] = (x - placement.originX) / placement.stepX;
      voxel[v] = (y - placement.originY) / placement.stepY;
      voxel[w] = shown.index;
      return voxel;
    },
  };
}
