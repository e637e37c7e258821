// The slices of a mosaic: many of one plane, far apart, where a scroll wants neighbours.
import type { Kernel } from "../shared/kernel";
import { compressing, decode } from "./bytes";
import { idsOf, valuesOf, type Ids, type Values } from "./composite";
import type { Labels, Plane, Scene } from "./scene";

type Layer = "image" | "labels" | "other";

const BUDGET_BYTES = 64e6;
const BATCH = 6;

export interface Sheet {
  want(scene: Scene, plane: Plane, indices: readonly number[], labels: Labels | null, other: Labels | null): void;
  image(plane: Plane, index: number): Values | undefined;
  labels(plane: Plane, index: number): Ids | undefined;
  other(plane: Plane, index: number): Ids | undefined;
}

export function sheet(kernel: Kernel, arrived: () => void, failed: (error: Error) => void): Sheet {
  /** With the state of the case that each was cut in. */
  const kept = new Map<string, { data: Values | Ids; of: string }>();
  const asking = new Set<Layer>();
  let scene: Scene | null = null;
  let plane: Plane = "axial";
  let indices: readonly number[] = [];
  let tables: Record<Exclude<Layer, "image">, Labels | null> = { labels: null, other: null };
  let held = 0;
  let wanted = "";
  const name = (layer: Layer, where: Plane, index: number): string => `${layer}/${where}/${index}`;

  const stateOf = (layer: Layer): string | null => {
    if (layer === "image") return scene?.key ?? null;
    const table = tables[layer];
    return table && `${table.key}/${table.revision}`;
  };
  const keep = (key: string, data: Values | Ids, of: string): void => {
    held += data.byteLength - (kept.get(key)?.data.byteLength ?? 0);
    kept.delete(key);
    kept.set(key, { data, of });
    for (const [oldest, { data: old }] of kept) {
      if (held <= BUDGET_BYTES || oldest === key) break;
      kept.delete(oldest);
      held -= old.byteLength;
    }
  };
  const pump = (layer: Layer): void => {
    const [asked, of, where] = [scene, stateOf(layer), plane];
    const table = layer === "image" ? null : tables[layer];
    if (!asked || !of || asking.has(layer)) return;
    const next = indices.filter((i) => kept.get(name(layer, where, i))?.of !== of).slice(0, BATCH);
    if (!next.length) return;
    asking.add(layer);
    const compress = compressing();
    kernel
      .ask("slices", { scene: asked.key, plane: where, indices: next, layer, compress })
      .then(async ({ buffers }) => {
        const data = await Promise.all(buffers.map((b) => decode(b, compress)));
        if (scene?.key !== asked.key) return;
        data.forEach((bytes, i) =>
          keep(name(layer, where, next[i]!), layer === "image" ? valuesOf(asked, bytes) : idsOf(table!, bytes), of),
        );
        asking.delete(layer);
        arrived();
        pump(layer);
      })
      .catch((error: Error) => {
        asking.delete(layer);
        if (scene?.key === asked.key) failed(error);
        else pump(layer);
      });
  };
  return {
    want(next, where, list, labels, other) {
      if (scene?.key !== next.key) {
        kept.clear();
        held = 0;
      }
      const before = wanted;
      [scene, plane, indices] = [next, where, list];
      tables = { labels, other };
      wanted = [stateOf("image"), where, list, stateOf("labels"), stateOf("other")].join();
      if (wanted !== before) for (const layer of ["image", "labels", "other"] as const) pump(layer);
    },
    image: (where, index) => kept.get(name("image", where, index))?.data,
    labels: (where, index) => kept.get(name("labels", where, index))?.data as Ids | undefined,
    other: (where, index) => kept.get(name("other", where, index))?.data as Ids | undefined,
  };
}
