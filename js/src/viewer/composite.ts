// Pixels of a slice: intensities through a window, sets of structures through colours.
import type { Ids, Raster, Values } from "./raster";
import type { Labels, Paint, Scene } from "./scene";

export type Rgb = [number, number, number];

/** How structures are drawn; a new one whenever any of it changes. Rows are those of `labels.structures`. */
export interface Look {
  labels: Labels | null;
  other: Labels | null;
  /** Which of the two `paint` is about; the other one, where it can be the reference, is what it is held against: an outline. */
  filled: "labels" | "other";
  paint: Paint;
  shown: ReadonlySet<number>;
  colors: readonly Rgb[];
  /** Each structure's own; multiplies `opacity`. */
  opacities: readonly number[];
  /** Of all fills. */
  opacity: number;
  /** Packed colour of each set of those that are filled. */
  fill: Uint32Array;
}

export const parseColor = (hex: string): Rgb => {
  const n = Number.parseInt(hex.slice(1), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
};

/** A pixel of an ImageData seen as 32 bits; machines that browsers run on are little-endian. */
const pack = ([r, g, b]: Rgb, alpha: number): number => ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** Grey of every value that can be sent, so that a pixel costs one look-up. */
export function greyTable(scene: Scene, window: [number, number]): Uint32Array {
  const [first, count] = scene.dtype === "u1" ? [0, 256] : [scene.dtype === "i2" ? -32768 : 0, 65536];
  const table = new Uint32Array(count);
  const low = (window[0] - scene.offset) / scene.scale;
  const high = (window[1] - scene.offset) / scene.scale;
  const slope = 255 / (high - low || 1);
  for (let i = 0; i < count; i++) {
    const grey = Math.min(255, Math.max(0, Math.round((i + first - low) * slope)));
    table[i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return table;
}

export function paintValues({ data, levels }: Raster<Values>, grey: Uint32Array, pixels: Uint32Array): void {
  if (levels) {
    const table = Uint32Array.from(levels, (level) => grey[level]!);
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[data[i]!]!;
    return;
  }
  const shift = data instanceof Int16Array ? 32768 : 0;
  for (let i = 0; i < pixels.length; i++) pixels[i] = grey[data[i]! + shift]!;
}

/**
 * Colour of each set: the mean of its shown members' colours, weighted by their opacities o, with
 * alpha 1 - prod(1 - o). Long enough for any id, so that one from before the last masks is clear.
 */
export function fillTable(look: Omit<Look, "fill">): Uint32Array {
  const { shown, colors, opacities, opacity } = look;
  const labels = look[look.filled];
  if (!labels) return new Uint32Array(0);
  const table = new Uint32Array(labels.bytes === 1 ? 256 : 65536);
  labels.sets.forEach((members, id) => {
    let [weight, through] = [0, 1];
    const sum: Rgb = [0, 0, 0];
    for (const row of members) {
      const own = shown.has(row) ? opacity * opacities[row]! : 0;
      if (!own) continue;
      weight += own;
      through *= 1 - own;
      for (let c = 0; c < 3; c++) sum[c]! += own * colors[row]![c]!;
    }
    if (weight) table[id] = pack(sum.map((x) => Math.round(x / weight)) as Rgb, 1 - through);
  });
  return table;
}

export function paintIds(ids: Ids, table: Uint32Array, pixels: Uint32Array): void {
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[ids[i]!]!;
}

/** By what one set is to the other, as in `filled`, so that they mean the same whichever of the two is shown. */
export const DIFFERENCES = [
  ["both", "#8b95a3"], ["outlined", "#3aa0ff"], ["filled", "#ff9f1c"], ["differ", "#e05cff"],
] as const;

/** Where two sets of masks agree: grey; where a structure is in one of them only: which. */
export function paintDifference(ids: Ids, otherIds: Ids, look: Look, pixels: Uint32Array): void {
  const [same, outlined, filled, differ] = DIFFERENCES.map(([, color]) => pack(parseColor(color), look.opacity));
  const [labels, other] = look.filled === "labels" ? [filled!, outlined!] : [outlined!, filled!];
  const known = new Map<number, number>();
  const of = (a: number, b: number): number => {
    const one = look.labels?.sets[a]?.filter((row) => look.shown.has(row)) ?? [];
    const two = look.other?.sets[b]?.filter((row) => look.shown.has(row)) ?? [];
    const [more, less] = [one.some((row) => !two.includes(row)), two.some((row) => !one.includes(row))];
    if (!one.length && !two.length) return 0;
    return more ? (less ? differ! : labels) : less ? other : same!;
  };
  let [last, color] = [-1, 0];
  for (let i = 0; i < pixels.length; i++) {
    const pair = ids[i]! * 65536 + otherIds[i]!;
    if (pair !== last) {
      const found = known.get(pair);
      color = found ?? of(ids[i]!, otherIds[i]!);
      if (found === undefined) known.set(pair, color);
      last = pair;
    }
    pixels[i] = color;
  }
}
