// One slice on a canvas: the picture, and the structures over it.
import { paintDifference, paintIds, paintValues, type Look, type Rgb } from "./composite";
import { dashOf, findRuns, traceRuns, type Dash, type Lattice, type Runs } from "./edges";
import { alike, average, pick, type Fewer, type Ids, type Raster, type Values } from "./raster";
import type { Labels, Options } from "./scene";
import { strokes, type Box } from "./strokes";

/** What there is of a slice. */
export interface Layers {
  values: Raster<Values> | undefined;
  ids: Raster<Ids> | undefined;
  /** Of the compared masks. */
  otherIds: Raster<Ids> | undefined;
}

export interface Cut extends Layers {
  /** Voxels across and up. */
  width: number;
  height: number;
  values: Raster<Values>;
}

/** A slice as pixels; the last of a line may reach beyond the slice, which has these shares of them. */
export interface Print {
  pixels: HTMLCanvasElement;
  across: number;
  up: number;
}

/** Where a slice is drawn: all in pixels of the canvas, `scale` of them to a CSS pixel. */
export interface Onto {
  context: CanvasRenderingContext2D;
  at: Lattice;
  /** What of the canvas may be drawn on. */
  box: Box;
  scale: number;
}

export interface Painter {
  /** Make what a slice would be drawn from as the last one was, before it is seen; false where that is there. */
  prepare(layers: Layers, look: Look): boolean;
  /** The windowed slice, in as many pixels as it was drawn with last. */
  image(cut: Cut, grey: Uint32Array): Print;
  draw(onto: Onto, cut: Cut, grey: Uint32Array, look: Look, options: Options): void;
  /** Draw the borders of some structures so that they stand out. */
  highlight(onto: Onto, cut: Cut, look: Look, rows: ReadonlySet<number>, options: Options): void;
}

interface Found {
  sets: Labels["sets"];
  runs: Map<number, Runs>;
}
/** Borders live as long as the slice they were found in. */
const borders = new WeakMap<Ids, Found>();

function runsOf({ data, width, height }: Raster<Ids>, labels: Labels): Map<number, Runs> {
  let found = borders.get(data);
  if (found?.sets !== labels.sets) {
    found = { sets: labels.sets, runs: findRuns(data, width, height, labels.sets) };
    borders.set(data, found);
  }
  return found.runs;
}

const BLACK: Rgb = [0, 0, 0];
const brighter = (color: Rgb): Rgb => color.map((c) => Math.round(c + (255 - c) * 0.6)) as Rgb;
const thick = (width: number, scale: number): number => Math.max(1, Math.round(width * scale));

/** Beside the outlines of the set that it is held against, those of the other one are dashed: they have the same colours. */
const dashOver = (look: Look, width: number): Dash | null => (look.other ? dashOf(width) : null);

/** One for all, since each is drawn as soon as it is laid. */
const lines = strokes();
const beginLines = ({ context: { canvas }, box }: Onto): void => lines.begin(canvas.width, canvas.height, box);
const drawLines = ({ context }: Onto): void => {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.imageSmoothingEnabled = false;
  lines.drawOnto(context);
};

let paintings = 0;

/** How many pixels of a slice, along rows and columns, fall on one of the canvas. */
const merged = ({ stride }: Raster, at: Lattice): number =>
  Math.max(1, Math.floor(1 / (stride * Math.max(Math.abs(at.stepX), Math.abs(at.stepY)))));
const latticeOf = ({ stride }: Raster, at: Lattice): Lattice => ({ ...at, stepX: at.stepX * stride, stepY: at.stepY * stride });

/** A canvas that is painted anew, and gets another `data-key`, only when what it was painted from has changed. */
function layer(): (from: readonly unknown[], make: () => [Raster, (pixels: Uint32Array) => void]) => HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  let data: ImageData | null = null;
  let before: readonly unknown[] = [];
  return (from, make) => {
    if (from.length === before.length && from.every((x, i) => x === before[i])) return canvas;
    before = from;
    const [{ width, height }, paint] = make();
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

  /** How a picture was drawn last: where, and whether by means of the pixels that it merges. */
  let drawn: { at: Lattice; isMean: boolean } | null = null;
  /** Pixels for the canvas, no more than it has. */
  const fewer = (values: Raster<Values>): [Fewer<Values>, number] =>
    drawn ? [drawn.isMean ? average : pick, merged(values, drawn.at)] : [pick, 1];

  const print = (pixels: HTMLCanvasElement, cut: Cut, stride: number): Print => ({
    pixels, across: cut.width / (stride * pixels.width), up: cut.height / (stride * pixels.height),
  });
  /** Lay pixels over the voxels of a slice. */
  const lay = (context: CanvasRenderingContext2D, { pixels, across, up }: Print, cut: Cut): void =>
    context.drawImage(pixels, 0, 0, pixels.width * across, pixels.height * up, 0, 0, cut.width, cut.height);

  const fill = (cut: Cut, look: Look, options: Options, at: Lattice): Print | null => {
    const { ids, otherIds } = cut;
    const isDifference = options.difference && look.other !== null;
    const filled = look.filled === "labels" ? ids : otherIds;
    if (isDifference ? !ids || !otherIds : !filled || look.paint === "outline") return null;
    const base = isDifference ? ids! : filled!;
    const every = merged(base, at);
    const pixels = isDifference
      ? colour([ids, otherIds, look, every], () => {
          const one = pick(base, every);
          return [one, (out) => paintDifference(one.data, alike(otherIds!, one).data, look, out)];
        })
      : colour([filled, look.fill, every], () => {
          const one = pick(base, every);
          return [one, (out) => paintIds(one.data, look.fill, out)];
        });
    return print(pixels, cut, base.stride * every);
  };
  /** Borders in a slice of the set that is filled, and of the one that is the outline. */
  const borderOf = (cut: Cut, look: Look, which: "filled" | "outlined", on: Lattice): { runs: Map<number, Runs>; at: Lattice } | null => {
    const isLabels = (look.filled === "labels") === (which === "filled");
    const [ids, labels] = isLabels ? [cut.ids, look.labels] : [cut.otherIds, look.other];
    return ids && labels ? { runs: runsOf(ids, labels), at: latticeOf(ids, on) } : null;
  };
  const outline = (border: ReturnType<typeof borderOf>, look: Look, width: number, casing: number, dash: Dash | null): void => {
    if (!border) return;
    const { runs, at } = border;
    // The casing of all lies under the lines of all.
    for (const under of casing ? [true, false] : [false]) {
      for (const [row, found] of runs) {
        if (!look.shown.has(row) || !look.opacities[row]) continue;
        lines.lay(under ? BLACK : look.colors[row]!, look.opacities[row]!, (rects) => traceRuns(rects, found, at, under ? width + casing : width, dash));
      }
    }
  };
  const image = (cut: Cut, grey: Uint32Array): Print => {
    const [merge, every] = fewer(cut.values);
    const pixels = picture([cut.values, grey, every, merge], () => {
      const few = merge(cut.values, every);
      return [few, (out) => paintValues(few, grey, out)];
    });
    return print(pixels, cut, cut.values.stride * every);
  };

  return {
    image,
    prepare({ values, ids, otherIds }, look) {
      if (!drawn) return false;
      const { at } = drawn;
      let isNew = false;
      const make = (isMade: boolean, work: () => unknown): void => {
        if (isMade) return;
        work();
        isNew = true;
      };
      if (values) {
        const [merge, every] = fewer(values);
        make(merge.isMade(values, every), () => merge(values, every));
      }
      for (const [which, of] of [["labels", ids], ["other", otherIds]] as const) {
        const labels = look[which];
        if (!of || !labels) continue;
        const every = merged(of, at);
        if (which !== look.filled || look.paint !== "fill") make(borders.get(of.data)?.sets === labels.sets, () => runsOf(of, labels));
        if (which === look.filled && look.paint !== "outline") make(pick.isMade(of, every), () => pick(of, every));
      }
      return isNew;
    },
    draw(onto, cut, grey, look, options) {
      const { context, at, scale } = onto;
      context.setTransform(at.stepX, 0, 0, at.stepY, at.x, at.y);
      context.imageSmoothingEnabled = options.smooth;
      drawn = { at, isMean: options.smooth };
      const slice = image(cut, grey);
      const pixel = (cut.width * Math.abs(at.stepX)) / (slice.pixels.width * slice.across);
      context.imageSmoothingQuality = pixel < 1 ? "medium" : "low";
      lay(context, slice, cut);
      if (options.overlay) {
        const filled = fill(cut, look, options, at);
        context.imageSmoothingEnabled = false;
        if (filled) lay(context, filled, cut);
        if (!(options.difference && look.other)) {
          const width = thick(options.width, scale);
          beginLines(onto);
          if (look.paint !== "fill") outline(borderOf(cut, look, "filled", at), look, width, 0, dashOver(look, width));
          outline(borderOf(cut, look, "outlined", at), look, width, thick(1, scale), null);
          drawLines(onto);
        }
      }
      context.setTransform(1, 0, 0, 1, 0, 0);
    },
    highlight(onto, cut, look, rows, options) {
      if (!options.overlay) return;
      const { at, scale } = onto;
      beginLines(onto);
      const width = thick(options.width + 1.25, scale);
      const dash = look.paint === "outline" ? dashOver(look, thick(options.width, scale)) : null;
      for (const which of ["filled", "outlined"] as const) {
        const found = borderOf(cut, look, which, at);
        for (const row of rows) {
          const border = look.shown.has(row) && found?.runs.get(row);
          if (!found || !border) continue;
          for (const under of which === "outlined" ? [true, false] : [false]) {
            const color = under ? BLACK : brighter(look.colors[row]!);
            lines.lay(color, 1, (rects) => traceRuns(rects, border, found.at, under ? width + thick(1, scale) : width, which === "filled" ? dash : null));
          }
        }
      }
      drawLines(onto);
    },
  };
}
