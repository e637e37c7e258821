// One plane on a plain canvas: picture, structures, crosshair, letters and scale.
import { h } from "../shared/dom";
import type { Look } from "./composite";
import type { Lattice } from "./edges";
import { AXES, edgeLetters, sceneNote, millimetres, place, scaleBar, toWorld, zoomAbout, zoomAboutVoxel, type Placement, type Zoom } from "./geometry";
import { drawMeasurements, type Measures } from "./measure";
import { painter, type Cut, type Layers, type Painter, type Print } from "./painter";
import type { Options, Plane, Scene, Vec3 } from "./scene";

/** What a tile draws; the viewer hands it over whole at each frame. */
export interface Frame extends Layers {
  scene: Scene;
  voxel: Vec3;
  /** The slice that is there: the wanted one, or one that came on the way to it. */
  index: number;
  /** A new table whenever the window changes. */
  grey: Uint32Array;
  look: Look;
  hovered: ReadonlySet<number>;
  options: Options;
  measures: Measures;
}

/** A canvas that can be zoomed and pointed at; points are in CSS pixels from its corner. */
export interface Pad {
  canvas: HTMLCanvasElement;
  zoom: Zoom;
  /** Zoom so that what is under a point stays there. */
  zoomBy(x: number, y: number, by: number): void;
  /** Zoom so that a voxel stays where it is, or the middle where that is out of sight. */
  zoomAt(voxel: Vec3, by: number): void;
  /** Voxel under a point; not rounded, not clamped. */
  voxelAt(x: number, y: number): Vec3 | null;
}

export interface Tile extends Pad {
  el: HTMLElement;
  slider: HTMLInputElement;
  maximise: HTMLButtonElement;
  /** Draw in a tile of so many CSS pixels. */
  draw(frame: Frame, width: number, height: number): void;
  /** Make ready what a slice would be drawn from; false where it is. */
  prepare: Painter["prepare"];
  /** The windowed slice, whether the tile is seen or not. */
  picture(frame: Frame): (Print & { index: number }) | null;
  clear(): void;
  /** Tell what is seen beside the slice's number, until the next slice. */
  describe(text: string): void;
}

export const TITLES: Record<Plane, string> = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" };

const LATE_MS = 150;
/** A slider that is not seen waits so long for the slices to rest: to move it, the browser orders all layers of the page anew. */
const REST_MS = 100;

/** Set a text only where it changes, so that a frame costs no layout. */
export const put = (el: HTMLElement, text: string): void => {
  if (el.textContent !== text) el.textContent = text;
};
const same = (a: readonly unknown[], b: readonly unknown[]): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

export const maximiser = (title: string): HTMLButtonElement =>
  h("button", { class: "xp-max", "aria-label": `${title}: one or all`, tabindex: -1, title: "One or all (double click)" });

export function tile(plane: Plane): Tile {
  const [u, v, w] = AXES[plane];
  const title = TITLES[plane];
  const canvas = h("canvas", { class: "xp-canvas", role: "img", "aria-label": title });
  const place_ = h("span", { class: "xp-br xp-n" });
  const bar = h("span", { class: "xp-scale xp-n" });
  const note = h("span", { class: "xp-grid-note" });
  const case_ = h("b", {});
  const letters = ["left", "right", "top", "bottom"].map((side) => h("span", { class: `xp-letter xp-${side}` }));
  const late = h("span", { class: "xp-late", hidden: true }, "loading");
  const slider = h("input", { class: "xp-slider", type: "range", min: 0, step: 1, max: 0, "aria-orientation": "vertical", "aria-label": `${title} slice` });
  const maximise = maximiser(title);
  const el = h("div", { class: `xp-tile xp-plane-${plane}` },
    canvas, h("span", { class: "xp-tl" }, title, case_), note, place_, bar, late, ...letters, slider, maximise);

  const zoom: Zoom = { factor: 1, panX: 0, panY: 0 };
  const paint = painter();
  const ground = document.createElement("canvas");
  let shown: { scene: Scene; index: number; cut: Cut } | null = null;
  let placement: Placement | null = null;
  let painted: readonly unknown[] = [];
  let drawn: readonly unknown[] = [];
  /** Whether the ground has what was painted. */
  let grounded = false;
  let captioned: readonly unknown[] = [];
  let waiting = 0;
  let sliding = 0;

  let spoken = "";
  let about = "";
  /** What a screen reader is told of the picture. */
  const name = (): void => canvas.setAttribute("aria-label", spoken ? `${title} slice ${spoken}${about}` : title);

  const setLate = (is: boolean): void => {
    if (!is) {
      clearTimeout(waiting);
      waiting = 0;
      late.hidden = true;
    } else if (!waiting) waiting = window.setTimeout(() => (late.hidden = false), LATE_MS);
  };

  /** Keep the last picture until the wanted slice is there, so that scrolling never flashes. */
  const take = (frame: Frame): void => {
    const { scene, index, values, ids, otherIds } = frame;
    setLate(!values || index !== Math.round(frame.voxel[w]!));
    if (values) {
      const before = shown?.cut;
      if (shown?.scene.key !== scene.key || shown.index !== index || before?.values !== values || before.ids !== ids || before.otherIds !== otherIds) {
        shown = { scene, index, cut: { width: scene.shape[u]!, height: scene.shape[v]!, values, ids, otherIds } };
      }
    } else if (shown && shown.scene.key !== scene.key) shown = null;
  };

  const lattice = (p: Placement, scale: number): Lattice => ({
    // Corner (0, 0) is half a voxel from the centre of the first.
    x: (p.originX - p.stepX / 2) * scale,
    y: (p.originY - p.stepY / 2) * scale,
    stepX: p.stepX * scale,
    stepY: p.stepY * scale,
  });

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

  const slide = (scene: Scene, index: number, words: string): void => {
    slider.max = String(scene.shape[w]! - 1);
    slider.value = String(index);
    const only = scene.shape[w] === 1;
    if (only && slider.matches(":focus")) el.parentElement?.focus({ preventScroll: true });
    slider.disabled = only;
    slider.setAttribute("aria-valuetext", words);
  };
  const caption = (frame: Frame, p: Placement, width: number): void => {
    const { scene } = frame;
    const index = Math.round(frame.voxel[w]!);
    const mm = millimetres(toWorld(scene, frame.voxel.map(Math.round) as Vec3)[w]!);
    const from = [scene, index, mm, width, p.pixelsPerMm, p.stepX];
    if (same(from, captioned)) return;
    captioned = from;
    edgeLetters(scene, plane, p).forEach((letter, i) => put(letters[i]!, letter));
    put(case_, ` · ${scene.case}`);
    put(note, sceneNote(scene));
    const words = `${index + 1} of ${scene.shape[w]} · ${mm} mm`;
    put(place_, words);
    if (words !== spoken) about = "";
    spoken = words;
    name();
    clearTimeout(sliding);
    if (el.matches(":hover, :focus-within") || slider.max !== String(scene.shape[w]! - 1)) slide(scene, index, words);
    else sliding = window.setTimeout(slide, REST_MS, scene, index, words);
    const { mm: length, label } = scaleBar(width, p.pixelsPerMm);
    bar.style.setProperty("--xp-length", `${length * p.pixelsPerMm}px`);
    put(bar, label);
  };

  const cut = (frame: Frame): Cut | null => {
    take(frame);
    return shown?.cut ?? null;
  };

  return {
    el,
    canvas,
    slider,
    maximise,
    zoom,
    prepare: paint.prepare,
    picture(frame) {
      const found = cut(frame);
      return found && { ...paint.image(found, frame.grey), index: shown!.index };
    },
    draw(frame, width, height) {
      const slice = cut(frame);
      if (!width || !height) return;
      const scale = window.devicePixelRatio || 1;
      const { options, look, grey, scene, measures } = frame;
      const p = place(scene, plane, width, height, options.radiological, zoom);
      placement = p;
      const from = [slice, grey, look, width, height, scale, p.originX, p.originY, p.stepX, options.paint, options.width,
        options.overlay, options.smooth, options.difference];
      const over = [frame.voxel, frame.hovered, options.crosshair, measures.revision];
      const stays = same(from, painted);
      if (stays && same(over, drawn)) return;
      painted = from;
      drawn = over;
      const [deviceWidth, deviceHeight] = [Math.round(width * scale), Math.round(height * scale)];
      if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) {
        canvas.width = deviceWidth;
        canvas.height = deviceHeight;
      }
      const at = lattice(p, scale);
      const box = { left: 0, top: 0, right: deviceWidth, bottom: deviceHeight };
      const onto = (context: CanvasRenderingContext2D): void => {
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.clearRect(0, 0, deviceWidth, deviceHeight);
        if (slice) paint.draw({ context, at, box, scale }, slice, grey, look, options);
      };
      const context = canvas.getContext("2d")!;
      if (stays) {
        if (!grounded) {
          if (ground.width !== deviceWidth || ground.height !== deviceHeight) {
            ground.width = deviceWidth;
            ground.height = deviceHeight;
          }
          onto(ground.getContext("2d")!);
        }
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.clearRect(0, 0, deviceWidth, deviceHeight);
        context.drawImage(ground, 0, 0);
      } else onto(context);
      // In a drag one plane stays under the crosshair and two change: only the first is worth a copy.
      grounded = stays;
      if (slice && frame.hovered.size) paint.highlight({ context, at, box, scale }, slice, look, frame.hovered, options);
      context.setTransform(scale, 0, 0, scale, 0, 0);
      crosshair(context, frame, p, width, height);
      drawMeasurements(context, scene, measures.on(scene, plane, Math.round(frame.voxel[w]!)), p);
      caption(frame, p, width);
    },
    clear() {
      shown = placement = null;
      painted = drawn = captioned = [];
      setLate(false);
      clearTimeout(sliding);
      spoken = about = "";
      name();
      Object.assign(slider, { max: "0", value: "0", disabled: true });
      canvas.getContext("2d")!.clearRect(0, 0, canvas.width, canvas.height);
      for (const part of [place_, bar, note, case_, ...letters]) put(part, "");
    },
    zoomBy: (x, y, by) => zoomAbout(zoom, x, y, canvas.clientWidth, canvas.clientHeight, by),
    zoomAt: (voxel, by) => zoomAboutVoxel(zoom, placement, plane, voxel, canvas.clientWidth, canvas.clientHeight, by),
    describe(text) {
      about = text;
      name();
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
