// Which structures 3D shows, and of which set of masks each is.
import { isPresent } from "./scene";
import type { SpaceFrame } from "./space";
import type { MaskLayer } from "./where";

export interface Part {
  row: number;
  name: string;
  layer: MaskLayer;
  /** Names the case and whose masks they are. */
  place: string;
}

export const placeOf = (f: SpaceFrame, layer: MaskLayer): string =>
  f[layer]?.content ?? `${f.scene.key}\n${(layer === "labels" ? f.maskSet : f.other?.mask_set) ?? ""}`;

/** What to draw; a mask that has not arrived has no set yet. What only the compared set has is of that set. */
export function partsOf(f: SpaceFrame): Part[] {
  if (!f.labels) return [];
  const { structures, sets } = f.labels;
  const arrived = { labels: new Set(sets.flat()), other: new Set(f.other?.sets.flat()) };
  const place = { labels: placeOf(f, "labels"), other: placeOf(f, "other") };
  return [...f.shown].flatMap((row) => {
    const structure = structures[row]!;
    const layer = structure.only === undefined ? "labels" : "other";
    return arrived[layer].has(row) && isPresent(structure) ? [{ row, name: structure.name, layer, place: place[layer] }] : [];
  });
}
