// What is wished to be seen, and what will probably be wished next.
import { PLANES, type Plane } from "./scene";

/** The hand rests when it has wished nothing for so long. */
const REST_MS = 120;
/** A hand that passes over so many slices at a time goes too fast for each of them. */
const HASTE = 2;

interface Wish {
  /** -1 where only many are wished. */
  index: number;
  step: 1 | -1;
  /** Slices since the wish before, up or down. */
  by: number;
  /** The same where that was just before, else 0. */
  pace: number;
  at: number;
  many: readonly number[];
}

export interface Wishes {
  has(plane: Plane): boolean;
  /** The planes that are seen, the one that was touched last first. */
  planes(): Plane[];
  /** The plane that was touched last. */
  last(): Plane;
  /** The slice of a plane, or -1. */
  index(plane: Plane): number;
  many(plane: Plane): readonly number[];
  isSeen(plane: Plane, index: number): boolean;
  /** Slices at a time that a hand in haste passes over, up or down; 0 where it is in none. */
  pace(plane: Plane): number;
  /** Whether a slice was gone to that is not near the one before. */
  isLeap(plane: Plane): boolean;
  /** Of so many slices those around what is seen, `most` on each side, the nearest first, and of two those in the last direction. */
  around(plane: Plane, most: number, count: number): number[];
  /** What the next `most` steps would show, at the pace of the hand. */
  onward(plane: Plane, most: number, count: number): number[];
  rests(): boolean;
  /** Milliseconds until the hand rests. */
  untilRest(): number;
  /** False where that is wished already. */
  want(plane: Plane, index: number): boolean;
  wantMany(plane: Plane, indices: readonly number[]): boolean;
  unwant(plane: Plane): void;
  clear(): void;
}

const NONE: Wish = { index: -1, step: 1, by: 0, pace: 0, at: -Infinity, many: [] };

export function wishes(): Wishes {
  const all = new Map<Plane, Wish>();
  let last: Plane = "axial";
  let wishedAt = -Infinity;

  const of = (plane: Plane): Wish => all.get(plane) ?? NONE;
  const within = (indices: number[], count: number): number[] => indices.filter((i) => i >= 0 && i < count);
  const untilRest = (): number => REST_MS - (performance.now() - wishedAt);
  const pace = (plane: Plane): number => {
    const wish = of(plane);
    return Math.abs(wish.pace) > HASTE && performance.now() - wish.at < REST_MS ? wish.pace : 0;
  };

  return {
    has: (plane) => all.has(plane),
    planes: () => [last, ...PLANES.filter((plane) => plane !== last)].filter((plane) => all.has(plane)),
    last: () => last,
    index: (plane) => of(plane).index,
    many: (plane) => of(plane).many,
    isSeen(plane, index) {
      const wish = all.get(plane);
      return wish !== undefined && (wish.index === index || wish.many.includes(index));
    },
    pace,
    isLeap: (plane) => Math.abs(of(plane).by) > HASTE,
    around(plane, most, count) {
      const { index, step } = of(plane);
      const order: number[] = [];
      for (let k = 1; index >= 0 && k <= most; k++) order.push(index + k * step, index - k * step);
      return within(order, count);
    },
    onward(plane, most, count) {
      const { index, step } = of(plane);
      const by = pace(plane) || step;
      return index < 0 ? [] : within(Array.from({ length: most }, (_, k) => index + (k + 1) * by), count);
    },
    rests: () => untilRest() <= 0,
    untilRest,
    want(plane, index) {
      const before = of(plane);
      if (before.index === index) return false;
      const isFirst = before.index < 0;
      const now = performance.now();
      const by = isFirst ? 0 : index - before.index;
      if (!isFirst) last = plane;
      all.set(plane, {
        ...before,
        index,
        step: isFirst || index > before.index ? 1 : -1,
        by,
        pace: now - before.at < REST_MS ? by : 0,
        at: now,
      });
      wishedAt = now;
      return true;
    },
    wantMany(plane, indices) {
      const before = of(plane);
      if (before.many.length === indices.length && before.many.every((index, i) => index === indices[i])) return false;
      all.set(plane, { ...before, many: [...indices] });
      wishedAt = performance.now();
      return true;
    },
    unwant(plane) {
      const before = of(plane);
      if (before.many.length) all.set(plane, { ...before, index: -1 });
      else all.delete(plane);
    },
    clear: () => all.clear(),
  };
}
