// What there is of the open case, and what of it may be asked for.
import type { Flight } from "./flight";
import { AXES } from "./geometry";
import { LAYERS, middleOf, nameOf, type Intake, type Layer } from "./intake";
import type { Kept } from "./kept";
import { PLANES, type Labels, type Plane, type Scene } from "./scene";
import type { Part, Volume } from "./volume";

export interface Stock {
  readonly scene: Scene | null;
  /** Another case, without masks yet, or what is told anew of the same one; null for none. */
  open(scene: Scene | null): void;
  readonly tables: Record<"labels" | "other", Labels | null>;
  /** The layers that the case has by now. */
  layers(): Layer[];
  has(layer: Layer): boolean;
  key(layer: Layer, plane: Plane, index: number): string;
  find(layer: Layer, plane: Plane, index: number): Kept | undefined;
  /** Whether a slice may be asked for since there is nothing of it. */
  lacks(layer: Layer, plane: Plane, index: number): boolean;
  /** Whether what is there is coarse, or older than the masks that have come since, and it may be asked for. */
  isBlunt(layer: Layer, plane: Plane, index: number): boolean;
  isCoarse(layer: Layer, plane: Plane, index: number): boolean;
  /** Whether a slice is there with all its layers. */
  isWhole(plane: Plane, index: number): boolean;
  /** Whether the page has the volume, of all layers: any slice can be had without asking, if coarse. */
  isComplete(): boolean;
  /** Have a slice at once, if the page has the volume and nothing better. */
  fill(plane: Plane, index: number): void;
  /** What of the volume to ask for next, about so many bytes. */
  part(room: number): Part | null;
}

export function stock(kept: Intake, out: Flight, volume: Volume): Stock {
  const tables: Stock["tables"] = { labels: null, other: null };
  let scene: Scene | null = null;

  const has = (layer: Layer): boolean => (layer === "image" ? scene !== null : tables[layer] !== null);
  const layers = (): Layer[] => LAYERS.filter(has);
  const key: Stock["key"] = (layer, plane, index) => nameOf(layer === "image" ? scene! : tables[layer]!, layer, plane, index);
  const revision = (layer: Layer): number => (layer === "image" ? 0 : tables[layer]!.revision ?? 0);
  /** What a layer's volume is of; nothing while masks are still added. */
  const source = (layer: Layer): string | null => {
    if (layer === "image") return `${scene!.content || scene!.key}`;
    const { content, complete } = tables[layer]!;
    return complete && content ? `${content}/${revision(layer)}` : null;
  };
  const hasVolume = (layer: Layer): boolean => {
    const of = source(layer);
    return of !== null && volume.has(layer, of);
  };
  const isComplete = (): boolean => layers().every(hasVolume);
  const isExact = (layer: Layer): boolean => volume.isExact() && hasVolume(layer);
  const cut = (layer: Layer, plane: Plane, index: number): Kept => {
    const found = { raster: volume.cut(layer, plane, index), coarse: !volume.isExact(), revision: revision(layer) };
    kept.put(key(layer, plane, index), found);
    return found;
  };
  const find: Stock["find"] = (layer, plane, index) => {
    if (!has(layer) || index < 0 || index >= scene!.shape[AXES[plane][2]]!) return undefined;
    const found = kept.get(key(layer, plane, index));
    const isBest = found && !found.coarse && found.revision >= revision(layer);
    return !isBest && isExact(layer) ? cut(layer, plane, index) : found;
  };
  /** Keep the middle slices, with which a case is shown that was open before. */
  const leave = (of: Scene): void => {
    for (const plane of PLANES) for (const layer of layers()) find(layer, plane, middleOf(of, plane));
    kept.keepMiddle(of, [tables.labels, tables.other]);
  };
  const isFree = (layer: Layer, plane: Plane, index: number): boolean => out.isFree(key(layer, plane, index));
  const isThere = (layer: Layer, plane: Plane, index: number): boolean => kept.has(key(layer, plane, index)) || isExact(layer);
  const isCoarse: Stock["isCoarse"] = (layer, plane, index) => find(layer, plane, index)?.coarse === true;

  return {
    get scene() {
      return scene;
    },
    open(next) {
      const isSame = scene !== null && next?.key === scene.key;
      if (scene && !isSame) leave(scene);
      scene = next;
      if (isSame) return;
      tables.labels = tables.other = null;
      volume.open(next);
    },
    tables,
    layers,
    has,
    key,
    find,
    lacks: (layer, plane, index) => has(layer) && !isThere(layer, plane, index) && isFree(layer, plane, index),
    isBlunt(layer, plane, index) {
      if (!has(layer) || !isFree(layer, plane, index)) return false;
      const found = find(layer, plane, index);
      return found !== undefined && (found.coarse || found.revision < revision(layer));
    },
    isCoarse,
    isWhole: (plane, index) => layers().every((layer) => isThere(layer, plane, index)),
    isComplete,
    fill(plane, index) {
      if (!scene || !isComplete()) return;
      for (const layer of layers()) if (!isThere(layer, plane, index)) cut(layer, plane, index);
    },
    part(room) {
      for (const layer of layers()) {
        const of = source(layer);
        const part = of === null ? null : volume.next(layer, of, room);
        if (part) return part;
      }
      return null;
    },
  };
}
