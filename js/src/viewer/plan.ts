// What to ask the kernel for next: what is seen first, then what a scroll would show, as much as the link carries.
import type { Flight } from "./flight";
import { AXES } from "./geometry";
import { BUDGET_BYTES, type Intake, type Layer } from "./intake";
import type { Link } from "./link";
import { PLANES, type Plane } from "./scene";
import type { Sizes } from "./sizes";
import type { Stock } from "./stock";
import type { Part } from "./volume";
import type { Wishes } from "./wishes";

const AHEAD = 10;
/** Of the budget, what may be filled with slices that nobody has asked for yet. */
const AHEAD_BYTES = 0.5 * BUDGET_BYTES;
const LEAST_AHEAD = 2;
/** A hand in haste is met so many of its steps ahead, in few messages; more is asked for when one of the first steps was not. */
const MET = 20;
const MET_SOON = 8;
const MET_BATCH = 12;
/** Bytes of a slice for it at most: a page that draws all the time takes in fewer than one that rests. */
const MET_BYTES = 200_000;
const BATCH = 6;
/** Of the wheel, before the slice that is seen becomes sharp. */
const STEPS = 2;
/** Bytes of a slice that was leapt to: a larger one comes coarse first, even from a near kernel. */
const LEAP_BYTES = 600_000;
/** Shares of what may be under way: some rows of a sharp slice, and all that nobody waits for. */
const ROWS_SHARE = 0.5;
const AHEAD_SHARE = 0.5;
/** Whatever the link can carry: what is asked for next should not have to wait long for what nobody waits for. */
const MOST_AHEAD_BYTES = 2_000_000;
/** The first part of a volume tells how fast the link is, where nothing else has. */
const FIRST_PART_BYTES = 100_000;

/** Slices, or a part of the volume, that are asked for together. */
export interface Job {
  layer: Layer;
  plane: Plane;
  indices: number[];
  /** 0: as they are. */
  stride: number;
  rows: [number, number] | null;
  urgent: boolean;
  bytes: number;
  part?: Part;
}

export interface Plan {
  next(): Job[];
  /** Bytes under way that nobody waits for. */
  roomAhead(): number;
  /** Slices beside each other that stand for one another while a hand in haste passes them. */
  beside(plane: Plane, index: number): number[];
}

export function plan(stock: Stock, wished: Wishes, line: Link, bytes: Sizes, out: Flight, kept: Intake): Plan {
  const { lacks, key } = stock;
  const count = (plane: Plane): number => stock.scene!.shape[AXES[plane][2]]!;
  /** Of a near kernel masks are as coarse as the image: to draw them takes longer than to fetch them. */
  const strideFor = (layer: Layer, plane: Plane, room: number): number =>
    Math.max(bytes.strideFor(layer, plane, room), line.packs() ? 0 : bytes.strideFor("image", plane, room));
  const roomAhead = (): number => Math.min(MOST_AHEAD_BYTES, line.allowance() * AHEAD_SHARE);

  const whole = (layer: Layer, plane: Plane, indices: number[], isUrgent: boolean, room = line.stepAllowance()): Job[] => {
    const stride = strideFor(layer, plane, room);
    const each = stride ? bytes.coarse(layer, plane, stride) : bytes.sharp(layer, plane);
    // As many as may be under way together, at least one.
    const many = Math.max(1, Math.min(indices.length, BATCH, Math.floor(roomAhead() / each)));
    return [{ layer, plane, indices: indices.slice(0, many), stride, rows: null, urgent: isUrgent, bytes: each * many }];
  };
  const sharp = (layer: Layer, plane: Plane, index: number): Job[] => {
    const all = bytes.sharp(layer, plane);
    const room = line.allowance() * ROWS_SHARE;
    const height = bytes.of(plane)[1];
    if (all <= line.allowance()) return [{ layer, plane, indices: [index], stride: 0, rows: null, urgent: false, bytes: all }];
    const from = kept.rowsOf(key(layer, plane, index));
    const rows = Math.max(1, Math.floor((height * room) / all));
    const to = Math.min(height, from + rows);
    return [{ layer, plane, indices: [index], stride: 0, rows: [from, to], urgent: false, bytes: (all * (to - from)) / height }];
  };
  /** From a kernel so near that slices need not be packed; null before that is known, while something is under way. */
  const volume = (): Job[] | null => {
    const part = line.packs() ? null : stock.part(line.isMeasured() ? roomAhead() : FIRST_PART_BYTES);
    if (part && !line.isMeasured() && out.bytes() > 0) return null;
    return part ? [{ layer: part.layer, plane: "axial", indices: [], stride: 0, rows: null, urgent: false, bytes: part.bytes, part }] : [];
  };

  /** How many slices to have on each side of what is seen: from a near kernel as many as a drag may cross, and there is room for. */
  const ahead = (plane: Plane, room: number): number => {
    const each = (of: number): number =>
      stock.layers().reduce((sum, layer) => sum + bytes.kept(layer, plane) / Math.max(1, strideFor(layer, plane, of)) ** 2, 0);
    // Where steps need coarse slices, those and sharp ones share what there is.
    const share = each(line.stepAllowance()) < each(line.allowance()) ? 0.5 : 1;
    const most = Math.max(LEAST_AHEAD, Math.floor((share * AHEAD_BYTES) / PLANES.length / 2 / each(room)));
    return line.packs() ? Math.min(AHEAD, most) : most;
  };
  const beside = (plane: Plane, index: number): number[] => {
    const found = [index];
    for (let far = 1; far <= Math.abs(wished.pace(plane)) / 2; far++) found.push(index - far, index + far);
    return found;
  };
  /** What a hand meets that passes over many slices at a time, all layers of it in one message. */
  const meet = (plane: Plane, room: number): Job[] => {
    const isOpen = (index: number): boolean => beside(plane, index).every((one) => lacks("image", plane, one));
    const steps = [wished.index(plane), ...wished.onward(plane, MET - 1, count(plane))];
    if (!steps.slice(0, MET_SOON).some(isOpen)) return [];
    const open = steps.filter(isOpen).slice(0, MET_BATCH);
    return stock.layers().map((layer) => {
      const indices = open.filter((index) => lacks(layer, plane, index));
      const stride = strideFor(layer, plane, room);
      return { layer, plane, indices, stride, rows: null, urgent: true, bytes: indices.length * bytes.coarse(layer, plane, stride || 1) };
    });
  };

  /** What is seen and not there at all; null where there is nothing of the kind. */
  const urgent = (seen: readonly Plane[]): Job[] | null => {
    if (stock.isComplete() || out.messages() >= line.depth()) return null;
    const hasty = seen.filter(wished.pace);
    const room = Math.min(line.stepAllowance() / hasty.length, MET_BYTES);
    const met = hasty.flatMap((plane) => meet(plane, room)).filter((job) => job.indices.length);
    if (met.length) return met;
    for (const layer of stock.layers()) {
      for (const plane of seen) {
        const index = wished.index(plane);
        if (hasty.includes(plane) || !lacks(layer, plane, index)) continue;
        const jobs = whole(layer, plane, [index], true, Math.min(line.stepAllowance(), wished.isLeap(plane) ? LEAP_BYTES : Infinity));
        return !out.isAwaited() || out.bytes() + jobs[0]!.bytes <= line.allowance() ? jobs : [];
      }
    }
    return null;
  };
  const many = (layers: readonly Layer[]): Job[] => {
    for (const layer of layers) {
      for (const plane of wished.planes()) {
        const missing = wished.many(plane).filter((index) => lacks(layer, plane, index));
        // All of them together should not take longer than one that is looked at.
        if (missing.length) return whole(layer, plane, missing, false, line.allowance() / Math.min(missing.length, BATCH));
      }
    }
    return [];
  };
  /** On a slow link the next steps come before this one is sharp, so that they need not be waited for. */
  const steps = (layers: readonly Layer[]): Job[] => {
    const last = wished.last();
    for (const layer of layers) {
      const missing = wished.onward(last, STEPS, count(last)).filter((index) => lacks(layer, last, index));
      if (missing.length) return whole(layer, last, missing, false);
    }
    return [];
  };
  const sharper = (layers: readonly Layer[], seen: readonly Plane[], rests: boolean): Job[] => {
    for (const layer of layers) {
      for (const plane of seen) {
        // New masks are told at once where that is cheap.
        const cheap = layer !== "image" && bytes.sharp(layer, plane) <= line.stepAllowance() * AHEAD_SHARE;
        if (stock.isBlunt(layer, plane, wished.index(plane)) && (rests || cheap)) return sharp(layer, plane, wished.index(plane));
      }
    }
    return [];
  };
  const around = (layers: readonly Layer[], rests: boolean): Job[] => {
    // A near kernel has time for sharp ones while nobody scrolls.
    const hasTime = rests && !line.packs();
    for (const room of hasTime ? [line.allowance(), line.stepAllowance()] : [line.stepAllowance()]) {
      for (const plane of wished.planes()) {
        const most = ahead(plane, room);
        for (const layer of layers) {
          const isSharp = hasTime && strideFor(layer, plane, room) === 0;
          const isCoarse = (index: number): boolean => out.isFree(key(layer, plane, index)) && stock.isCoarse(layer, plane, index);
          const missing = wished
            .around(plane, most, count(plane))
            .filter((index) => lacks(layer, plane, index) || (isSharp && isCoarse(index)));
          // Those at the far end wait for others, so that a drag does not ask for each of them by itself.
          const isFar = missing.length < BATCH && Math.abs(missing[0]! - wished.index(plane)) > most / 2;
          if (missing.length && (rests || !isFar)) return whole(layer, plane, missing, false, room);
        }
      }
    }
    return [];
  };
  const manySharper = (layers: readonly Layer[]): Job[] => {
    for (const layer of layers) {
      for (const plane of wished.planes()) {
        const index = wished.many(plane).find((i) => stock.isBlunt(layer, plane, i));
        if (index !== undefined) return sharp(layer, plane, index);
      }
    }
    return [];
  };

  return {
    next() {
      const layers = stock.layers();
      const seen = wished.planes().filter((plane) => wished.index(plane) >= 0);
      const first = urgent(seen);
      if (first) return first;
      if (out.isAwaited() || seen.some(wished.pace)) return []; // nothing may come before what is waited for
      const rests = wished.rests();
      const later = [
        () => many(layers),
        () => steps(layers),
        () => sharper(layers, seen, rests),
        () => (rests && seen.length ? volume() : []),
        () => around(layers, rests),
        () => (rests ? manySharper(layers) : []),
      ];
      for (const find of later) {
        const jobs = find();
        if (!jobs || jobs.length) return jobs ?? [];
      }
      return [];
    },
    roomAhead,
    beside,
  };
}
