// Borders of structures in a slice. Found once per slice; colours, widths and zoom only redraw them.
import type { Ids } from "./raster";

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
/** The structure goes on beyond the run's first or last corner, and so the border turns away from it; the last one of upright runs alone. */
const FROM = 4;
const TO = 8;

interface Members {
  rows: number;
  /** 1 where a set (and after them all: no set) has a structure. */
  inside: Uint8Array;
  /** Structures that begin (2 row + 1) or end (2 row) from one id to the next. */
  changed(a: number, b: number): Int32Array;
}
/** Sets are the same for all slices of a case, and so is what differs between two of them. */
const members = new WeakMap<readonly (readonly number[])[], Members>();

function membersOf(sets: readonly (readonly number[])[]): Members {
  const known = members.get(sets);
  if (known) return known;
  const rows = 1 + Math.max(-1, ...sets.map((set) => Math.max(-1, ...set)));
  const inside = new Uint8Array((sets.length + 1) * rows);
  sets.forEach((set, id) => set.forEach((row) => (inside[id * rows + row] = 1)));
  const changes = new Map<number, Int32Array>();
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
  const made = { rows, inside, changed };
  members.set(sets, made);
  return made;
}

const BAND = 64;

/** Lines of ids, each begun at a 32-bit word so that two of them can be compared by the word. */
function aligned(ids: Ids, width: number, height: number, turned: boolean): Ids {
  const [lines, length] = turned ? [width, height] : [height, width];
  const perWord = 4 / ids.BYTES_PER_ELEMENT;
  const stride = Math.ceil(length / perWord) * perWord;
  const out = ids instanceof Uint8Array ? new Uint8Array(lines * stride) : new Uint16Array(lines * stride);
  if (turned) {
    // In bands, so that what is written stays near.
    for (let first = 0; first < width; first += BAND) {
      const last = Math.min(first + BAND, width);
      for (let r = 0; r < height; r++) for (let c = first; c < last; c++) out[c * stride + r] = ids[r * width + c]!;
    }
  } else for (let r = 0; r < height; r++) out.set(ids.subarray(r * width, (r + 1) * width), r * stride);
  return out;
}

/** Borders of every structure, whatever else overlaps it; `sets` are the structures of each id. */
export function findRuns(ids: Ids, width: number, height: number, sets: readonly (readonly number[])[]): Map<number, Runs> {
  const { rows, inside, changed } = membersOf(sets);
  const OUTSIDE = sets.length;
  const lists: number[][] = Array.from({ length: rows }, () => []);
  const latest = new Int32Array(2 * rows).fill(-1);

  const scan = (kind: number, cells: Ids, lines: number, length: number): void => {
    const perWord = 4 / cells.BYTES_PER_ELEMENT;
    const words = new Uint32Array(cells.buffer);
    const [across, wordsAcross] = [cells.length / lines, words.length / lines];
    for (let line = 0; line <= lines; line++) {
      const [first, last] = [line === 0, line === lines];
      // The same two ids beside each other go on with the same runs.
      let [before, after] = [-1, -1];
      let here: Int32Array | null = null;
      for (let word = 0, at = line * wordsAcross; word < wordsAcross; word++, at++) {
        if (!first && !last && words[at] === words[at - wordsAcross]) continue;
        const end = Math.min(length, (word + 1) * perWord);
        for (let k = word * perWord, i = line * across + k; k < end; k++, i++) {
          const a = first ? OUTSIDE : cells[i - across]!;
          const b = last ? OUTSIDE : cells[i]!;
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
    }
  };
  scan(0, aligned(ids, width, height, false), height, width);
  scan(VERTICAL, aligned(ids, width, height, true), width, height);

  const has = (row: number, c: number, r: number): boolean =>
    c >= 0 && c < width && r < height && inside[Math.min(ids[r * width + c]!, OUTSIDE) * rows + row] === 1;
  const found = new Map<number, Runs>();
  lists.forEach((list, row) => {
    if (!list.length) return;
    const runs = Int32Array.from(list);
    for (let i = 0; i < runs.length; i += 4) {
      if (runs[i + 3]! & VERTICAL) {
        const c = runs[i + 3]! & HIGH ? runs[i]! : runs[i]! - 1;
        if (has(row, c, runs[i + 2]!)) runs[i + 3]! |= TO;
        continue;
      }
      const r = runs[i + 3]! & HIGH ? runs[i]! : runs[i]! - 1;
      if (has(row, runs[i + 1]! - 1, r)) runs[i + 3]! |= FROM;
      if (has(row, runs[i + 2]!, r)) runs[i + 3]! |= TO;
    }
    found.set(row, runs);
  });
  return found;
}

/** Lengths in pixels of the canvas: of a dash, and of it with its gap. */
export interface Dash {
  on: number;
  period: number;
}
export const dashOf = (width: number): Dash => ({ on: 4 * width, period: 7 * width });

/** Lay dashes, one of which begins at `begin`, between two places. */
function eachDash({ on, period }: Dash, begin: number, low: number, high: number, lay: (start: number, length: number) => void): void {
  for (let k = begin + Math.floor((low - begin) / period) * period; k < high; k += period) {
    const [start, stop] = [Math.max(k, low), Math.min(k + on, high)];
    if (stop > start) lay(start, stop - start);
  }
}

/** What rectangles of whole pixels of a canvas are laid on. */
export interface Rects {
  rect(x: number, y: number, width: number, height: number): void;
}

/**
 * Trace a border as bands of `width` pixels on the structure's own side of it, whole or as dashes. These are measured along
 * the border wherever it goes on in one sense, since x + y or x - y grows there as its length does: no run has to know of
 * the others. A short top or bottom has no gap, so that nothing small is lost in one.
 */
export function traceRuns(onto: Rects, runs: Runs, at: Lattice, width: number, dash: Dash | null = null): void {
  const [right, down] = [Math.sign(at.stepX), Math.sign(at.stepY)];
  const [x0, y0] = [Math.round(at.x), Math.round(at.y)];
  for (let i = 0; i < runs.length; i += 4) {
    const kind = runs[i + 3]!;
    const inward = kind & HIGH ? width : -width;
    /** Whether x and y of the canvas grow together along the border. */
    const turn = ((kind & HIGH) !== 0) !== ((kind & TO) !== 0) ? right * down : -right * down;
    if (kind & VERTICAL) {
      const x = Math.round(at.x + at.stepX * runs[i]!);
      const [from, to] = [Math.round(at.y + at.stepY * runs[i + 1]!), Math.round(at.y + at.stepY * runs[i + 2]!)];
      const left = Math.min(x, x + inward * right);
      const [top, bottom] = [Math.min(from, to), Math.max(from, to)];
      if (!dash) onto.rect(left, top, width, bottom - top);
      else {
        const begin = y0 + (turn > 0 ? x0 - x : x - x0 - dash.on);
        eachDash(dash, begin, top, bottom, (start, length) => onto.rect(left, start, width, length));
      }
    } else {
      const y = Math.round(at.y + at.stepY * runs[i]!);
      // At an inner corner two bands would meet in a point only: one of them goes on.
      const from = Math.round(at.x + at.stepX * runs[i + 1]!) - (kind & FROM ? width * right : 0);
      const to = Math.round(at.x + at.stepX * runs[i + 2]!) + (kind & TO ? width * right : 0);
      const top = Math.min(y, y + inward * down);
      const [left, end] = [Math.min(from, to), Math.max(from, to)];
      if (!dash || (!(kind & (FROM | TO)) && end - left <= dash.period)) onto.rect(left, top, end - left, width);
      else {
        eachDash(dash, x0 - turn * (y - y0), left, end, (start, length) => onto.rect(start, top, length, width));
      }
    }
  }
}
