// Borders of structures in a slice. Found once per slice; colours, widths and zoom only redraw them.
import type { Ids } from "./composite";

/** Where voxel corners lie on a canvas, in its own pixels. */
export interface Lattice {
  x: number;
  y: number;
  stepX: number;
  stepY: number;
}

/**
 * Runs of a structure's border, four numbers each: line, first and last corner along it, and what
 * it is like. A horizontal line k lies between pixel rows k - 1 and k.
 */
export type Runs = Int32Array;

const VERTICAL = 1;
/** The structure lies on the side of higher numbers. */
const HIGH = 2;
/** The border turns into the structure's side at the run's first or last corner. */
const FROM = 4;
const TO = 8;

/** Borders of every structure, whatever else overlaps it; `sets` are the structures of each id. */
export function findRuns(ids: Ids, width: number, height: number, sets: readonly (readonly number[])[]): Map<number, Runs> {
  const rows = 1 + Math.max(-1, ...sets.map((members) => Math.max(-1, ...members)));
  const inside = new Uint8Array((sets.length + 1) * rows);
  sets.forEach((members, id) => members.forEach((row) => (inside[id * rows + row] = 1)));
  const OUTSIDE = sets.length;
  const lists: number[][] = Array.from({ length: rows }, () => []);
  const latest = new Int32Array(2 * rows).fill(-1);
  const changes = new Map<number, Int32Array>();

  /** Structures that begin (2 row + 1) or end (2 row) from one id to the next. */
  const changed = (a: number, b: number): Int32Array => {
    const key = a * 65537 + b;
    let found = changes.get(key);
    if (!found) {
      const list = [];
      for (let row = 0; row < rows; row++) {
        const [was, is] = [inside[a * rows + row]!, inside[b * rows + row]!];
        if (was !== is) list.push(2 * row + is);
      }
      changes.set(key, (found = Int32Array.from(list)));
    }
    return found;
  };
  const scan = (kind: number, lines: number, length: number, across: number, along: number): void => {
    for (let line = 0; line <= lines; line++) {
      const [first, last] = [line === 0, line === lines];
      // The same two ids beside each other go on with the same runs.
      let [before, after] = [-1, -1];
      let here: Int32Array | null = null;
      for (let k = 0, i = line * across; k < length; k++, i += along) {
        const a = first ? OUTSIDE : ids[i - across]!;
        const b = last ? OUTSIDE : ids[i]!;
        if (a === b) continue;
        if (a !== before || b !== after || !here) {
          here = changed(Math.min(a, OUTSIDE), Math.min(b, OUTSIDE));
          [before, after] = [a, b];
        }
        for (let n = 0; n < here.length; n++) {
          const change: number = here[n]!;
          const list = lists[change >> 1]!;
          const place = latest[change]!;
          if (place >= 0 && list[place + 2] === k && list[place] === line && (list[place + 3]! & VERTICAL) === kind) {
            list[place + 2] = k + 1;
          } else {
            latest[change] = list.length;
            list.push(line, k, k + 1, kind | (change & 1 ? HIGH : 0));
          }
        }
      }
    }
  };
  scan(0, height, width, width, 1);
  scan(VERTICAL, width, height, 1, width);

  const has = (row: number, c: number, r: number): boolean =>
    c >= 0 && c < width && inside[Math.min(ids[r * width + c]!, OUTSIDE) * rows + row] === 1;
  const found = new Map<number, Runs>();
  lists.forEach((list, row) => {
    if (!list.length) return;
    const runs = Int32Array.from(list);
    for (let i = 0; i < runs.length; i += 4) {
      if (runs[i + 3]! & VERTICAL) continue;
      const r = runs[i + 3]! & HIGH ? runs[i]! : runs[i]! - 1;
      if (has(row, runs[i + 1]! - 1, r)) runs[i + 3]! |= FROM;
      if (has(row, runs[i + 2]!, r)) runs[i + 3]! |= TO;
    }
    found.set(row, runs);
  });
  return found;
}

/** Trace a border as bands of `width` pixels on the structure's own side of it. */
export function traceRuns(context: CanvasRenderingContext2D, runs: Runs, at: Lattice, width: number): void {
  const [right, down] = [Math.sign(at.stepX), Math.sign(at.stepY)];
  for (let i = 0; i < runs.length; i += 4) {
    const kind = runs[i + 3]!;
    const inward = kind & HIGH ? width : -width;
    if (kind & VERTICAL) {
      const x = Math.round(at.x + at.stepX * runs[i]!);
      const [from, to] = [Math.round(at.y + at.stepY * runs[i + 1]!), Math.round(at.y + at.stepY * runs[i + 2]!)];
      const other = x + inward * right;
      context.rect(Math.min(x, other), Math.min(from, to), width, Math.abs(to - from));
    } else {
      const y = Math.round(at.y + at.stepY * runs[i]!);
      // At an inner corner two bands would meet in a point only: one of them goes on.
      const from = Math.round(at.x + at.stepX * runs[i + 1]!) - (kind & FROM ? width * right : 0);
      const to = Math.round(at.x + at.stepX * runs[i + 2]!) + (kind & TO ? width * right : 0);
      const other = y + inward * down;
      context.rect(Math.min(from, to), Math.min(y, other), Math.abs(to - from), width);
    }
  }
}
