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

/** One pixel for `every` x `every`, the middle one. */
export function pick<T extends Values | Ids>(from: Raster<T>, every: number): Raster<T> {
  if (every === 1) return from;
  const [width, height] = [Math.ceil(from.width / every), Math.ceil(from.height / every)];
  const data = emptyLike(from.data, width * height);
  const middle = every >> 1;
  for (let r = 0, to = 0; r < height; r++) {
    const line = Math.min(r * every + middle, from.height - 1) * from.width;
    for (let c = 0; c < width; c++) data[to++] = from.data[line + Math.min(c * every + middle, from.width - 1)]!;
  }
  return { ...from, data, width, height, stride: from.stride * every };
}

/** One pixel for `every` x `every`: their mean, rounded. */
export function average<T extends Values>(from: Raster<T>, every: number): Raster<T> {
  if (every === 1) return from;
  const [width, height] = [Math.ceil(from.width / every), Math.ceil(from.height / every)];
  const data = emptyLike(from.data, width * height);
  const sums = new Int32Array(width);
  for (let r = 0, to = 0; r < height; r++) {
    sums.fill(0);
    const last = Math.min((r + 1) * every, from.height);
    for (let row = r * every; row < last; row++) {
      for (let c = 0, at = row * from.width, end = at + from.width; at < end; c++) {
        let sum = 0;
        for (const stop = Math.min(at + every, end); at < stop; at++) sum += from.data[at]!;
        sums[c]! += sum;
      }
    }
    const lines = last - r * every;
    for (let c = 0; c < width; c++) data[to++] = Math.round(sums[c]! / (lines * Math.min(every, from.width - c * every)));
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
