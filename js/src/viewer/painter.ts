// One slice on a canvas: the picture, and the structures over it.
import { paintDifference, paintIds, paintValues, type Ids, type Look, type Rgb, type Values } from "./composite";
import { findRuns, traceRuns, type Lattice, type Runs } from "./edges";
import type { Labels, Options } from "./scene";

export interface Cut {
  width: number;
  height: number;
  values: Values;
  ids: Ids | undefined;
  /** Of the compared masks. */
  otherIds: Ids | undefined;
}

export interface Painter {
  /** The windowed slice, a canvas pixel per voxel. */
  image(cut: Cut, grey: Uint32Array): HTMLCanvasElement;
  /** Draw a slice; `at` and widths are in pixels of the canvas, `scale` of them to a CSS pixel. */
  draw(context: CanvasRenderingContext2D, cut: Cut, grey: Uint32Array, look: Look, options: Options, at: Lattice, scale: number): void;
  /** Draw the borders of some structures so that they stand out. */
  highlight(context: CanvasRenderingContext2D, cut: Cut, look: Look, rows: ReadonlySet<number>, options: Options, at: Lattice, scale: number): void;
}

interface Found {
  sets: Labels["sets"];
  runs: Map<number, Runs>;
}
/** Borders live as long as the slice they were found in. */
const borders = new WeakMap<Ids, Found>();

function runsOf(width: number, height: number, ids: Ids, labels: Labels): Map<number, Runs> {
  let found = borders.get(ids);
  if (found?.sets !== labels.sets) {
    found = { sets: labels.sets, runs: findRuns(ids, width, height, labels.sets) };
    borders.set(ids, found);
  }
  return found.runs;
}

/** Find the borders of a slice before it is seen; false where they are known. */
export function prepare(ids: Ids, width: number, height: number, labels: Labels): boolean {
  if (borders.get(ids)?.sets === labels.sets) return false;
  runsOf(width, height, ids, labels);
  return true;
}

const css = ([r, g, b]: Rgb): string => `rgb(${r} ${g} ${b})`;
const brighter = (color: Rgb): Rgb => color.map((c) => Math.round(c + (255 - c) * 0.6)) as Rgb;
const thick = (width: number, scale: number): number => Math.max(1, Math.round(width * scale));

let paintings = 0;

/** A canvas that is painted anew, and gets another `data-key`, only when what it was painted from has changed. */
function layer(): (from: readonly unknown[], width: number, height: number, paint: (pixels: Uint32Array) => void) => HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  let data: ImageData | null = null;
  let before: readonly unknown[] = [];
  return (from, width, height, paint) => {
    if (from.length === before.length && from.every((x, i) => x === before[i])) return canvas;
    before = from;
    if (data?.width !== width || data.height !== height) {
      data = new ImageData(width, height);
      canvas.width = width;
      canvas.height = height;
    }
    paint(new Uint32Array(data.data.buffer));
    canvas.getContext("2d")!.putImageData(data, 0, 0);
    canvas.dataset["key"] = String(++paintings);
    return canvas;
  };
}

export function painter(): Painter {
  const picture = layer();
  const colour = layer();

  const fill = (cut: Cut, look: Look, options: Options): HTMLCanvasElement | null => {
    const { ids, otherIds, width, height } = cut;
    if (!ids || !look.labels) return null;
    if (options.difference && look.other) {
      return otherIds
        ? colour([ids, otherIds, look], width, height, (pixels) => paintDifference(ids, otherIds, look, pixels))
        : null;
    }
    if (options.paint === "outline") return null;
    return colour([ids, look.fill], width, height, (pixels) => paintIds(ids, look.fill, pixels));
  };
  const outline = (
    context: CanvasRenderingContext2D, runs: Map<number, Runs>, look: Look, at: Lattice, width: number, casing: number,
  ): void => {
    // The casing of all lies under the lines of all.
    for (const under of casing ? [true, false] : [false]) {
      for (const [row, found] of runs) {
        if (!look.shown.has(row) || !look.opacities[row]) continue;
        context.globalAlpha = look.opacities[row]!;
        context.fillStyle = under ? "#000" : css(look.colors[row]!);
        context.beginPath();
        traceRuns(context, found, at, under ? width + casing : width);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  };
  const image = (cut: Cut, grey: Uint32Array): HTMLCanvasElement =>
    picture([cut.values, grey], cut.width, cut.height, (pixels) => paintValues(cut.values, grey, pixels));

  return {
    image,
    draw(context, cut, grey, look, options, at, scale) {
      context.setTransform(at.stepX, 0, 0, at.stepY, at.x, at.y);
      context.imageSmoothingEnabled = options.smooth;
      context.imageSmoothingQuality = Math.abs(at.stepX) < 1 ? "medium" : "low";
      context.drawImage(image(cut, grey), 0, 0);
      if (options.overlay) {
        const filled = fill(cut, look, options);
        context.imageSmoothingEnabled = false;
        if (filled) context.drawImage(filled, 0, 0);
        context.setTransform(1, 0, 0, 1, 0, 0);
        const width = thick(options.width, scale);
        const plain = !(options.difference && look.other);
        if (plain && options.paint !== "fill" && cut.ids && look.labels) {
          outline(context, runsOf(cut.width, cut.height, cut.ids, look.labels), look, at, width, 0);
        }
        if (plain && cut.otherIds && look.other) {
          outline(context, runsOf(cut.width, cut.height, cut.otherIds, look.other), look, at, width, thick(1, scale));
        }
      }
      context.setTransform(1, 0, 0, 1, 0, 0);
    },
    highlight(context, cut, look, rows, options, at, scale) {
      if (!options.overlay || !cut.ids || !look.labels) return;
      const runs = runsOf(cut.width, cut.height, cut.ids, look.labels);
      for (const row of rows) {
        const found = look.shown.has(row) && runs.get(row);
        if (!found) continue;
        context.fillStyle = css(brighter(look.colors[row]!));
        context.beginPath();
        traceRuns(context, found, at, thick(options.width + 1.25, scale));
        context.fill();
      }
    },
  };
}
