// One slice on a canvas: the picture, and the structures over it.
import { paintDifference, paintIds, paintValues, type Ids, type Look, type Rgb, type Values } from "./composite";
import { dashOf, findRuns, traceRuns, type Dash, type Lattice, type Runs } from "./edges";
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

/** Beside the outlines of the set that it is held against, those of the other one are dashed: they have the same colours. */
const dashOver = (look: Look, width: number): Dash | null => (look.other ? dashOf(width) : null);

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
    if (options.difference && look.other) {
      return ids && otherIds
        ? colour([ids, otherIds, look], width, height, (pixels) => paintDifference(ids, otherIds, look, pixels))
        : null;
    }
    const filled = look.filled === "labels" ? ids : otherIds;
    if (!filled || look.paint === "outline") return null;
    return colour([filled, look.fill], width, height, (pixels) => paintIds(filled, look.fill, pixels));
  };
  /** Borders in a slice of the set that is filled, and of the one that is the outline. */
  const runs = (cut: Cut, look: Look, which: "filled" | "outlined"): Map<number, Runs> | null => {
    const isLabels = (look.filled === "labels") === (which === "filled");
    const [ids, labels] = isLabels ? [cut.ids, look.labels] : [cut.otherIds, look.other];
    return ids && labels ? runsOf(cut.width, cut.height, ids, labels) : null;
  };
  const outline = (
    context: CanvasRenderingContext2D, runs: Map<number, Runs> | null, look: Look, at: Lattice, width: number, casing: number, dash: Dash | null,
  ): void => {
    if (!runs) return;
    // The casing of all lies under the lines of all.
    for (const under of casing ? [true, false] : [false]) {
      for (const [row, found] of runs) {
        if (!look.shown.has(row) || !look.opacities[row]) continue;
        context.globalAlpha = look.opacities[row]!;
        context.fillStyle = under ? "#000" : css(look.colors[row]!);
        context.beginPath();
        traceRuns(context, found, at, under ? width + casing : width, dash);
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
        if (plain && look.paint !== "fill") outline(context, runs(cut, look, "filled"), look, at, width, 0, dashOver(look, width));
        if (plain) outline(context, runs(cut, look, "outlined"), look, at, width, thick(1, scale), null);
      }
      context.setTransform(1, 0, 0, 1, 0, 0);
    },
    highlight(context, cut, look, rows, options, at, scale) {
      if (!options.overlay) return;
      const width = thick(options.width + 1.25, scale);
      const dash = look.paint === "outline" ? dashOver(look, thick(options.width, scale)) : null;
      for (const which of ["filled", "outlined"] as const) {
        const found = runs(cut, look, which);
        for (const row of rows) {
          const border = look.shown.has(row) && found?.get(row);
          if (!border) continue;
          for (const under of which === "outlined" ? [true, false] : [false]) {
            context.fillStyle = under ? "#000" : css(brighter(look.colors[row]!));
            context.beginPath();
            traceRuns(context, border, at, under ? width + thick(1, scale) : width, which === "filled" ? dash : null);
            context.fill();
          }
        }
      }
    },
  };
}
