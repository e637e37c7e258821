// Pixels of a slice: intensities through a window, sets of structures through colours.
import type { Labels, Scene } from "./scene";

export type Values = Uint8Array | Uint16Array | Int16Array;
export type Ids = Uint8Array | Uint16Array;
export type Rgb = [number, number, number];

export function valuesOf(scene: Scene, bytes: ArrayBuffer): Values {
  if (scene.dtype === "u1") return new Uint8Array(bytes);
  return scene.dtype === "u2" ? new Uint16Array(bytes) : new Int16Array(bytes);
}

export const idsOf = (labels: Labels, bytes: ArrayBuffer): Ids =>
  labels.bytes === 1 ? new Uint8Array(bytes) : new Uint16Array(bytes);

export const parseColor = (hex: string): Rgb => {
  const n = Number.parseInt(hex.slice(1), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
};

/** Grey of every value that can be sent, so that a pixel costs one look-up. */
export function windowTable(scene: Scene, window: [number, number]): Uint8ClampedArray {
  const [first, count] = scene.dtype === "u1" ? [0, 256] : [scene.dtype === "i2" ? -32768 : 0, 65536];
  const table = new Uint8ClampedArray(count);
  const low = (window[0] - scene.offset) / scene.scale;
  const high = (window[1] - scene.offset) / scene.scale;
  const slope = 255 / (high - low || 1);
  for (let i = 0; i < count; i++) table[i] = (i + first - low) * slope;
  return table;
}

export function paintImage(values: Values, table: Uint8ClampedArray, out: ImageData): void {
  const pixels = new Uint32Array(out.data.buffer);
  const shift = values instanceof Int16Array ? 32768 : 0;
  for (let i = 0; i < pixels.length; i++) {
    const grey = table[values[i]! + shift]!;
    pixels[i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
}

/** Colour of each set: the mean of its shown members; null where none is shown. */
export function setColors(labels: Labels, shown: ReadonlySet<number>, colors: readonly Rgb[]): (Rgb | null)[] {
  return labels.sets.map((members) => {
    const seen = members.filter((row) => shown.has(row));
    if (!seen.length) return null;
    return [0, 1, 2].map((c) => Math.round(seen.reduce((sum, row) => sum + colors[row]![c]!, 0) / seen.length)) as Rgb;
  });
}

export function paintLabels(ids: Ids, colors: readonly (Rgb | null)[], out: ImageData): void {
  const pixels = new Uint32Array(out.data.buffer);
  const packed = Uint32Array.from(colors, (c) => (c ? 0xff000000 | (c[2] << 16) | (c[1] << 8) | c[0] : 0));
  for (let i = 0; i < pixels.length; i++) pixels[i] = packed[ids[i]!]!;
}

export interface Edges {
  color: string;
  path: Path2D;
}

/**
 * Borders between differently shown pixels, in pixel coordinates where pixel (c, r) spans
 * [c, c + 1] x [r, r + 1]. Each side of a border is drawn by the structure it belongs to.
 */
export function findEdges(ids: Ids, width: number, height: number, colors: readonly (Rgb | null)[]): Edges[] {
  const shownAs = Int32Array.from(colors, (c) => (c ? (c[0] << 16) | (c[1] << 8) | c[2] : -1));
  const paths = new Map<number, Path2D>();
  const path = (color: number): Path2D => {
    let found = paths.get(color);
    if (!found) paths.set(color, (found = new Path2D()));
    return found;
  };
  const at = (c: number, r: number): number =>
    c < 0 || r < 0 || c >= width || r >= height ? -1 : shownAs[ids[r * width + c]!]!;
  // Runs along rows, then along columns: neighbours with the same two colours make one line.
  const scan = (lines: number, length: number, pair: (line: number, k: number) => [number, number],
    draw: (color: number, line: number, from: number, to: number) => void): void => {
    for (let line = 0; line <= lines; line++) {
      let [a, b, from] = [-1, -1, 0];
      for (let k = 0; k <= length; k++) {
        const [one, two] = k < length ? pair(line, k) : [-1, -1];
        if (one === a && two === b) continue;
        if (a !== b) {
          if (a >= 0) draw(a, line, from, k);
          if (b >= 0) draw(b, line, from, k);
        }
        [a, b, from] = [one, two, k];
      }
    }
  };
  scan(height, width, (r, c) => [at(c, r - 1), at(c, r)], (color, r, from, to) => {
    path(color).moveTo(from, r);
    path(color).lineTo(to, r);
  });
  scan(width, height, (c, r) => [at(c - 1, r), at(c, r)], (color, c, from, to) => {
    path(color).moveTo(c, from);
    path(color).lineTo(c, to);
  });
  return [...paths].map(([color, lines]) => ({
    color: `rgb(${color >> 16} ${(color >> 8) & 255} ${color & 255})`,
    path: lines,
  }));
}
