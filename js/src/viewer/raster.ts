// Pixels of slices that stand for one voxel or several.
export type Values = Uint8Array | Uint16Array | Int16Array;
export type Ids = Uint8Array | Uint16Array;

/** Pixels of a slice from its lowest voxel on, each for `stride` x `stride` voxels; the last of a line may stand for fewer. */
export interface Raster<T extends Values | Ids = Values | Ids> {
  data: T;
  width: number;
  height: number;
  stride: number;
  /** Of 8 bits that stand for values: where each of them is in a table of greys. */
  levels?: Int32Array;
}

const emptyLike = <T extends Values | Ids>(data: T, count: number): T => new (data.constructor as new (count: number) => T)(count);

/** A way to make one pixel of `every` x `every`; what it made last of some pixels lives as long as they do. */
export interface Fewer<U extends Values | Ids> {
  <T extends U>(from: Raster<T>, every: number): Raster<T>;
  isMade(from: Raster<U>, every: number): boolean;
}

function remembered<U extends Values | Ids>(make: <T extends U>(from: Raster<T>, every: number) => Raster<T>): Fewer<U> {
  const made = new WeakMap<object, Raster>();
  const find = (from: Raster, every: number): Raster | undefined => {
    const found = every === 1 ? from : made.get(from.data);
    return found?.stride === from.stride * every ? found : undefined;
  };
  const give = <T extends U>(from: Raster<T>, every: number): Raster<T> => {
    const found = find(from, every) ?? make(from, every);
    if (every > 1) made.set(from.data, found);
    return found as Raster<T>;
  };
  return Object.assign(give, { isMade: (from: Raster<U>, every: number): boolean => find(from, every) !== undefined });
}

/** The middle one of them. */
export const pick = remembered<Values | Ids>(picked);
/** Their mean, rounded. */
export const average = remembered<Values>(averaged);

function picked<T extends Values | Ids>(from: Raster<T>, every: number): Raster<T> {
  const [width, height] = [Math.ceil(from.width / every), Math.ceil(from.height / every)];
  const data = emptyLike(from.data, width * height);
  const middle = every >> 1;
  for (let r = 0, to = 0; r < height; r++) {
    const line = Math.min(r * every + middle, from.height - 1) * from.width;
    for (let c = 0; c < width; c++) data[to++] = from.data[line + Math.min(c * every + middle, from.width - 1)]!;
  }
  return { ...from, data, width, height, stride: from.stride * every };
}

function averaged<T extends Values>(from: Raster<T>, every: number): Raster<T> {
  const { data: pixels, width: across, height: up } = from;
  const [width, height] = [Math.ceil(across / every), Math.ceil(up / every)];
  const data = emptyLike(pixels, width * height);
  // By far the commonest, in a third of the time: what would be beyond the end is the end again.
  if (every === 2) {
    for (let r = 0, to = 0; r < height; r++) {
      const line = 2 * r * across;
      const below = 2 * r + 1 < up ? line + across : line;
      for (let c = 0; c < width; c++) {
        const [one, other] = [2 * c, Math.min(2 * c + 1, across - 1)];
        data[to++] = (pixels[line + one]! + pixels[line + other]! + pixels[below + one]! + pixels[below + other]! + 2) >> 2;
      }
    }
    return { ...from, data, width, height, stride: from.stride * every };
  }
  const sums = new Int32Array(width);
  for (let r = 0, to = 0; r < height; r++) {
    sums.fill(0);
    const [first, last] = [r * every, Math.min((r + 1) * every, up)];
    for (let row = first; row < last; row++) {
      for (let c = 0, k = 0, at = row * across, end = at + across; at < end; at++) {
        sums[c]! += pixels[at]!;
        if (++k === every) {
          k = 0;
          c++;
        }
      }
    }
    for (let c = 0; c < width; c++) data[to++] = Math.round(sums[c]! / ((last - first) * Math.min(every, across - c * every)));
  }
  return { ...from, data, width, height, stride: from.stride * every };
}

/** The same voxels with pixels as those of another raster, each the one that has its middle. */
export function alike<T extends Values | Ids>(from: Raster<T>, like: Raster): Raster<T> {
  if (from.stride === like.stride) return from;
  const { width, height, stride } = like;
  const data = emptyLike(from.data, width * height);
  const at = (n: number, most: number): number => Math.min(Math.floor((n * stride + (stride >> 1)) / from.stride), most - 1);
  const columns = Int32Array.from({ length: width }, (_, c) => at(c, from.width));
  for (let r = 0, to = 0; r < height; r++) {
    const line = at(r, from.height) * from.width;
    for (let c = 0; c < width; c++) data[to++] = from.data[line + columns[c]!]!;
  }
  return { ...from, data, width, height, stride };
}
