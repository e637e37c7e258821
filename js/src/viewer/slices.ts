// Slices from the kernel: the wanted one first, then its neighbours, kept within a budget.
import type { Kernel } from "../shared/kernel";
import { idsOf, valuesOf, type Ids, type Values } from "./composite";
import { AXES } from "./geometry";
import { PLANES, type Labels, type Plane, type Scene } from "./scene";

type Layer = "image" | "labels" | "other";

const BUDGET_BYTES = 96e6;
const AHEAD = 10;
const BATCH = 6;

export interface Slices {
  open(scene: Scene | null): void;
  setLabels(labels: Labels | null): void;
  setOther(other: Labels | null): void;
  want(plane: Plane, index: number): void;
  /** Many slices are seen at once; replaces the last such wish of the plane, [] ends it. */
  wantMany(plane: Plane, indices: readonly number[]): void;
  image(plane: Plane, index: number): Values | undefined;
  labels(plane: Plane, index: number): Ids | undefined;
  other(plane: Plane, index: number): Ids | undefined;
  /** Whether a slice is not of full resolution yet: to be seen, not to be read off. */
  isCoarse(plane: Plane, index: number): boolean;
}

const nearby = (): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

async function inflate(view: DataView): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

const copy = (view: DataView): ArrayBuffer =>
  (view.buffer as ArrayBuffer).slice(view.byteOffset, view.byteOffset + view.byteLength);

export function slices(kernel: Kernel, arrived: (plane: Plane) => void, failed: (error: Error) => void): Slices {
  let scene: Scene | null = null;
  const tables: Record<"labels" | "other", Labels | null> = { labels: null, other: null };
  let held = 0;
  const kept = new Map<string, Values | Ids>();
  let many: Partial<Record<Plane, readonly number[]>> = {};
  const wish: Record<Plane, { index: number; step: number }> = {
    axial: { index: -1, step: 1 },
    coronal: { index: -1, step: 1 },
    sagittal: { index: -1, step: 1 },
  };
  const asking = new Set<string>();
  const compress = !nearby();

  const name = (layer: Layer, plane: Plane, index: number): string => `${layer}/${plane}/${index}`;

  const keep = (key: string, data: Values | Ids): void => {
    kept.set(key, data);
    held += data.byteLength;
    for (const [oldest, old] of kept) {
      if (held <= BUDGET_BYTES || oldest === key) break;
      kept.delete(oldest);
      held -= old.byteLength;
    }
  };

  /** Slices to ask for next: what is seen, then what a scroll would show, the last direction first. */
  const missing = (layer: Layer, plane: Plane): number[] => {
    const { index, step } = wish[plane];
    const size = scene!.shape[AXES[plane][2]]!;
    const order = [index, ...(many[plane] ?? [])];
    for (let k = 1; k <= AHEAD; k++) order.push(index + k * step);
    for (let k = 1; k <= AHEAD; k++) order.push(index - k * step);
    return order.filter((i) => i >= 0 && i < size && !kept.has(name(layer, plane, i)));
  };

  const pump = (layer: Layer, plane: Plane): void => {
    const place = `${layer}/${plane}`;
    if (!scene || wish[plane].index < 0 || asking.has(place) || (layer !== "image" && !tables[layer])) return;
    const next = missing(layer, plane);
    if (!next.length) return;
    // Neighbours wait until every plane has what is seen now.
    const urgent = next[0] === wish[plane].index;
    const indices = urgent ? next.slice(0, 1) : next.slice(0, BATCH);
    const [asked, table] = [scene, layer === "image" ? null : tables[layer]];
    asking.add(place);
    kernel
      .ask("slices", { scene: asked.key, plane, indices, layer, compress })
      .then(async ({ buffers }) => {
        const data = await Promise.all(buffers.map((b) => (compress ? inflate(b) : copy(b))));
        if (scene !== asked || (layer !== "image" && tables[layer] !== table)) return;
        data.forEach((bytes, i) =>
          keep(name(layer, plane, indices[i]!), layer === "image" ? valuesOf(asked, bytes) : idsOf(table!, bytes)),
        );
        arrived(plane);
      })
      .catch((error: Error) => {
        if (scene === asked) failed(error);
      })
      .finally(() => {
        asking.delete(place);
        if (scene === asked) pump(layer, plane);
        else pumpAll();
      });
  };

  const pumpAll = (): void => {
    for (const layer of ["image", "labels", "other"] as const) for (const plane of PLANES) pump(layer, plane);
  };

  const forget = (layer: Layer): void => {
    for (const [key, data] of kept) {
      if (!key.startsWith(layer)) continue;
      kept.delete(key);
      held -= data.byteLength;
    }
  };

  const take = (layer: "labels" | "other", next: Labels | null): void => {
    if (tables[layer]?.key !== next?.key) forget(layer);
    tables[layer] = next;
    pumpAll();
  };

  return {
    open(next) {
      scene = next;
      tables.labels = tables.other = null;
      kept.clear();
      held = 0;
      many = {};
      for (const plane of PLANES) wish[plane] = { index: -1, step: 1 };
    },
    setLabels: (next) => take("labels", next),
    setOther: (next) => take("other", next),
    want(plane, index) {
      const before = wish[plane];
      if (before.index === index) return;
      wish[plane] = { index, step: before.index < 0 || index > before.index ? 1 : -1 };
      for (const layer of ["image", "labels", "other"] as const) pump(layer, plane);
    },
    wantMany(plane, indices) {
      many[plane] = indices;
      for (const layer of ["image", "labels", "other"] as const) pump(layer, plane);
    },
    image: (plane, index) => kept.get(name("image", plane, index)),
    labels: (plane, index) => kept.get(name("labels", plane, index)) as Ids | undefined,
    other: (plane, index) => kept.get(name("other", plane, index)) as Ids | undefined,
    isCoarse: () => false,
  };
}
