// Slices that are kept, of all cases together, within a budget of bytes; those not seen for longest go.
import type { Raster } from "./raster";

export interface Kept {
  raster: Raster;
  /** Made of fewer pixels and, of an image, 8 bits: to be shown, not to be read off. */
  coarse: boolean;
  /** Of masks: how many were read. */
  revision: number;
}

export interface Shelf {
  get(key: string): Kept | undefined;
  has(key: string): boolean;
  put(key: string, kept: Kept): void;
}

export function shelf(budget: number): Shelf {
  const all = new Map<string, Kept>();
  let held = 0;
  return {
    get(key) {
      const found = all.get(key);
      if (found) {
        all.delete(key);
        all.set(key, found);
      }
      return found;
    },
    has: (key) => all.has(key),
    put(key, kept) {
      held += kept.raster.data.byteLength - (all.get(key)?.raster.data.byteLength ?? 0);
      all.delete(key);
      all.set(key, kept);
      for (const [oldest, old] of all) {
        if (held <= budget || oldest === key) break;
        all.delete(oldest);
        held -= old.raster.data.byteLength;
      }
    },
  };
}
