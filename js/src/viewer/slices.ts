// Slices from the kernel: what is seen first, then what a scroll would show, as much as the link carries.
import type { Kernel, Reply } from "../shared/kernel";
import type { Ids, Values } from "./composite";
import { AXES } from "./geometry";
import { BUDGET_BYTES, intake, LAYERS, nameOf, type Layer } from "./intake";
import { link } from "./link";
import { PLANES, type Labels, type Plane, type Scene } from "./scene";
import { sizes } from "./sizes";
import type { Packed } from "./unpack";
import type { Page } from "./visits";

const AHEAD = 10;
/** Of the budget, what may be filled with slices that nobody has asked for yet. */
const AHEAD_BYTES = 0.5 * BUDGET_BYTES;
const LEAST_AHEAD = 2;
const BATCH = 6;
/** The wheel rests when it has not been turned for so long; then coarse slices become sharp. */
const REST_MS = 120;
/** Shares of what may be under way: some rows of a sharp slice, and all that nobody waits for. */
const ROWS_SHARE = 0.5;
const AHEAD_SHARE = 0.5;

export interface Slices {
  open(scene: Scene | null): void;
  setLabels(labels: Labels | null): void;
  setOther(labels: Labels | null): void;
  /** A slice is seen: have it, and those around it. */
  want(plane: Plane, index: number): void;
  /** A plane is no longer seen. */
  unwant(plane: Plane): void;
  /** Many small slices are seen at once; replaces the last such wish of the plane, [] ends it. */
  wantMany(plane: Plane, indices: readonly number[]): void;
  /** Always of full size; see `isCoarse`. */
  image(plane: Plane, index: number): Values | undefined;
  labels(plane: Plane, index: number): Ids | undefined;
  other(plane: Plane, index: number): Ids | undefined;
  /** Whether a slice was made of fewer pixels: fine to look at until the sharp one comes, not to read values off. */
  isCoarse(plane: Plane, index: number, layer?: Layer): boolean;
  /** Have a case that may come next, if the kernel has all of it. */
  ahead(id: string): Promise<Page | null>;
  /** The planes that are seen, or all while none is known to be. */
  shown(): readonly Plane[];
  /** Whether there is a picture of a case that is not open, in the planes that are seen. */
  hasMiddle(scene: Scene): boolean;
  isFar(): boolean;
}

interface Job {
  layer: Layer;
  plane: Plane;
  indices: number[];
  /** 0: as they are. */
  stride: number;
  rows: [number, number] | null;
  urgent: boolean;
  bytes: number;
}

interface Early {
  fields: Packed & { scene: string; layer: Layer; plane: Plane; index: number };
  buffer: DataView;
}

interface Wish {
  index: number;
  step: number;
  many: readonly number[];
}

const isNear = (): boolean => ["localhost", "127.0.0.1", "[::1]", ""].includes(location.hostname);

export interface SliceEvents {
  arrived(plane: Plane): void;
  failed(error: Error): void;
  /** All that the open case may need is there. */
  idle(): void;
}

export function slices(kernel: Kernel, { arrived, failed, idle }: SliceEvents): Slices {
  const kept = intake();
  const line = link(isNear());
  let scene: Scene | null = null;
  const tables: Record<"labels" | "other", Labels | null> = { labels: null, other: null };
  const bytes = sizes(line, () => scene!, (layer) => tables[layer]!);
  let wishes = new Map<Plane, Wish>();
  let last: Plane = "axial";
  let wishedAt = 0;
  let resting = 0;
  let underWay = 0;
  const asked = new Set<string>();
  const urgent = new Set<string>();
  const refused = new Set<string>();
  /** Slices that came along with a scene which has not come itself yet. */
  let early: Early[] = [];

  const key = (layer: Layer, plane: Plane, index: number): string => {
    const of = layer === "image" ? scene : tables[layer];
    return nameOf(of!, layer, plane, index);
  };
  const there = (layer: Layer): boolean => (layer === "image" ? scene !== null : tables[layer] !== null);
  const wanted = (layer: Layer): number => (layer === "image" ? 0 : tables[layer]!.revision ?? 0);

  const free = (layer: Layer, plane: Plane, index: number): boolean => {
    const name = key(layer, plane, index);
    return !asked.has(name) && !refused.has(name);
  };
  const lacks = (layer: Layer, plane: Plane, index: number): boolean =>
    there(layer) && !kept.has(key(layer, plane, index)) && free(layer, plane, index);
  /** Whether what is there is coarse, or older than the masks that have come since. */
  const blunt = (layer: Layer, plane: Plane, index: number): boolean => {
    if (!there(layer) || !free(layer, plane, index)) return false;
    const found = kept.get(key(layer, plane, index));
    return found !== undefined && (found.coarse || found.revision < wanted(layer));
  };

  const coarse = (layer: Layer, plane: Plane, index: number): boolean =>
    free(layer, plane, index) && kept.get(key(layer, plane, index))?.coarse === true;

  const whole = (layer: Layer, plane: Plane, indices: number[], isUrgent: boolean, room = line.stepAllowance()): Job => {
    const stride = bytes.strideFor(layer, plane, room);
    const each = stride ? bytes.coarse(layer, plane, stride) : bytes.sharp(layer, plane);
    // As many as may be under way together, at least one.
    const count = Math.max(1, Math.min(indices.length, BATCH, Math.floor((line.allowance() * AHEAD_SHARE) / each)));
    return { layer, plane, indices: indices.slice(0, count), stride, rows: null, urgent: isUrgent, bytes: each * count };
  };
  const sharp = (layer: Layer, plane: Plane, index: number): Job => {
    const all = bytes.sharp(layer, plane);
    const room = line.allowance() * ROWS_SHARE;
    const height = bytes.of(plane)[1];
    if (all <= line.allowance()) return { layer, plane, indices: [index], stride: 0, rows: null, urgent: false, bytes: all };
    const from = kept.rowsOf(key(layer, plane, index));
    const count = Math.max(1, Math.floor((height * room) / all));
    const to = Math.min(height, from + count);
    return { layer, plane, indices: [index], stride: 0, rows: [from, to], urgent: false, bytes: (all * (to - from)) / height };
  };

  const isSeen = (plane: Plane, index: number): boolean => {
    const wish = wishes.get(plane);
    return wish !== undefined && (wish.index === index || wish.many.includes(index));
  };
  const planes = (): Plane[] => [last, ...PLANES.filter((plane) => plane !== last)].filter((plane) => wishes.has(plane));

  const shown = (): readonly Plane[] => (wishes.size ? PLANES.filter((plane) => wishes.has(plane)) : PLANES);

  /** How many slices to have on each side of what is seen: from a near kernel as many as a drag may cross, and there is room for. */
  const ahead = (plane: Plane): number => {
    const each = LAYERS.filter(there).reduce((sum, layer) => sum + bytes.kept(layer, plane), 0);
    const most = Math.max(LEAST_AHEAD, Math.floor(AHEAD_BYTES / PLANES.length / 2 / each));
    return line.packs() ? Math.min(AHEAD, most) : most;
  };
  /** The slices around what is seen, the nearest first, and of two those in the last direction. */
  const around = (plane: Plane): number[] => {
    const { index, step } = wishes.get(plane)!;
    if (index < 0) return [];
    const order: number[] = [];
    for (let k = 1, most = ahead(plane); k <= most; k++) order.push(index + k * step, index - k * step);
    return order.filter((i) => i >= 0 && i < scene!.shape[AXES[plane][2]]!);
  };

  /** What the next turns of the wheel would show. */
  const onward = (plane: Plane): number[] => {
    const { index, step } = wishes.get(plane)!;
    return index < 0 ? [] : [index + step, index + 2 * step].filter((i) => i >= 0 && i < scene!.shape[AXES[plane][2]]!);
  };

  /** What to ask for next. */
  const next = (): Job | null => {
    const layers = LAYERS.filter(there);
    const seen = planes().map((plane) => [plane, wishes.get(plane)!.index] as const).filter(([, index]) => index >= 0);
    for (const layer of layers) {
      for (const [plane, index] of seen) if (lacks(layer, plane, index)) return whole(layer, plane, [index], true);
    }
    if (urgent.size) return null; // nothing may come before what is waited for
    for (const layer of layers) {
      for (const plane of planes()) {
        const missing = wishes.get(plane)!.many.filter((index) => lacks(layer, plane, index));
        // All of them together should not take longer than one that is looked at.
        if (missing.length) return whole(layer, plane, missing, false, line.allowance() / Math.min(missing.length, BATCH));
      }
    }
    // On a slow link the next steps come before this one is sharp, so that they need not be waited for.
    const steps = wishes.has(last) ? onward(last) : [];
    for (const layer of layers) {
      const missing = steps.filter((index) => lacks(layer, last, index));
      if (missing.length) return whole(layer, last, missing, false);
    }
    const rests = performance.now() - wishedAt >= REST_MS;
    for (const layer of layers) {
      for (const [plane, index] of seen) {
        // New masks are told at once where that is cheap.
        const cheap = layer !== "image" && bytes.sharp(layer, plane) <= line.stepAllowance() * AHEAD_SHARE;
        if (blunt(layer, plane, index) && (rests || cheap)) return sharp(layer, plane, index);
      }
    }
    for (const plane of planes()) {
      for (const layer of layers) {
        // A near kernel has time for sharp ones while nobody scrolls.
        const room = rests && !line.packs() ? line.allowance() : line.stepAllowance();
        const isSharp = rests && !line.packs() && bytes.strideFor(layer, plane, room) === 0;
        const missing = around(plane).filter((index) => lacks(layer, plane, index) || (isSharp && coarse(layer, plane, index)));
        // Those at the far end wait for others, so that a drag does not ask for each of them by itself.
        const isFar = missing.length < BATCH && Math.abs(missing[0]! - wishes.get(plane)!.index) > ahead(plane) / 2;
        if (missing.length && (rests || !isFar)) return whole(layer, plane, missing, false, room);
      }
    }
    if (!rests) return null;
    for (const layer of layers) {
      for (const plane of planes()) {
        const index = wishes.get(plane)!.many.find((i) => blunt(layer, plane, i));
        if (index !== undefined) return sharp(layer, plane, index);
      }
    }
    return null;
  };

  /** A single row, to learn the round trip. */
  const probe = (of: Scene): void => {
    const askedAt = performance.now();
    kernel
      .ask("slices", { scene: of.key, plane: last, indices: [0], layer: "image", compress: false, rows: [0, 1] })
      .then(({ content, buffers }) => line.came(askedAt, performance.now(), buffers[0]?.byteLength ?? 0, Number(content["ms"] ?? 0)))
      .catch(() => undefined); // what is asked for next tells
  };

  const pump = (): void => {
    while (scene) {
      const job = next();
      if (!job) break;
      const room = line.allowance() * (job.urgent ? 1 : AHEAD_SHARE);
      if (job.urgent ? urgent.size > 0 && underWay + job.bytes > room : underWay > 0 && underWay + job.bytes > room) break;
      send(job);
    }
    if (scene && !underWay && !next()) idle();
    const left = REST_MS - (performance.now() - wishedAt);
    if (left > 0 && !resting) {
      resting = window.setTimeout(() => {
        resting = 0;
        pump();
      }, left + 1);
    }
  };

  const send = (job: Job): void => {
    const { layer, plane, indices, stride, rows } = job;
    const of = scene!;
    const names = indices.map((index) => key(layer, plane, index));
    const compress = line.packs();
    const askedAt = performance.now();
    for (const name of names) {
      asked.add(name);
      if (job.urgent) urgent.add(name);
    }
    underWay += job.bytes;
    kernel
      .ask("slices", {
        scene: of.key, plane, indices, layer, compress, ...(stride ? { coarse: true, stride } : {}), ...(rows ? { rows } : {}),
      })
      .then(async ({ content, buffers }) => {
        const fields = content as unknown as Packed;
        const come = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
        line.came(askedAt, performance.now(), come, fields.ms ?? 0);
        if (content["closed"] === true) throw null;
        if (compress && buffers.length && there(layer)) bytes.learn(layer, plane, stride, rows, come, buffers.length);
        await Promise.all(buffers.map((buffer, i) => kept.take(of, layer, plane, indices[i]!, fields, buffer, rows)));
        // An answer from other masks: theirs will be told, and asking again before that would not end.
        for (const name of names) if (!kept.has(name)) refused.add(name);
        if (scene?.key === of.key && indices.some((index) => isSeen(plane, index))) arrived(plane);
      })
      .catch((error: Error | null) => {
        // Not again before something has changed.
        for (const name of names) refused.add(name);
        if (error && scene?.key === of.key) failed(error);
      })
      .finally(() => {
        underWay -= job.bytes;
        for (const name of names) {
          asked.delete(name);
          urgent.delete(name);
        }
        pump();
      });
  };

  /** Keep slices that came without having been asked for. */
  const takeFirst = (of: Scene, first: Early[]): Promise<void>[] =>
    first.map(({ fields, buffer }) => {
      const [layer, plane, index] = [fields.layer, fields.plane, fields.index];
      const name = nameOf(layer === "image" ? of : { content: fields.content, key: of.key }, layer, plane, index);
      asked.add(name);
      return kept.take(of, layer, plane, index, fields, buffer, null).finally(() => asked.delete(name));
    });
  const readFirst = ({ content, buffers }: Reply): Early[] =>
    (content["slices"] as Early["fields"][]).map((fields, i) => ({ fields, buffer: buffers[i]! }));

  const takeEarly = (): void => {
    const of = scene;
    if (!of) return;
    const mine = early.filter(({ fields }) => fields.scene === of.key);
    early = early.filter((one) => !mine.includes(one));
    takeFirst(of, mine).forEach((taken, i) => {
      void taken.catch(failed).finally(() => {
        arrived(mine[i]!.fields.plane);
        pump();
      });
    });
  };

  kernel.hear("first", (message) => {
    early = [...early, ...readFirst(message)].slice(-3 * LAYERS.length);
    takeEarly();
  });

  const set = (layer: "labels" | "other", next: Labels | null): void => {
    tables[layer] = next;
    refused.clear();
    pump();
  };
  const at = (layer: Layer, plane: Plane, index: number): Values | Ids | undefined =>
    there(layer) ? kept.get(key(layer, plane, index))?.data : undefined;

  return {
    open(next) {
      const same = scene !== null && next?.key === scene.key;
      if (scene && !same) kept.keepMiddle(scene, [tables.labels, tables.other]);
      scene = next;
      if (same) return;
      tables.labels = tables.other = null;
      wishes = new Map();
      refused.clear();
      kept.forgetParts();
      takeEarly();
      if (scene && !line.isKnown()) probe(scene);
    },
    setLabels: (next) => set("labels", next),
    setOther: (next) => set("other", next),
    want(plane, index) {
      const before = wishes.get(plane) ?? { index: -1, step: 1, many: [] };
      if (before.index === index) return;
      if (before.index >= 0) last = plane;
      wishes.set(plane, { ...before, index, step: before.index < 0 || index > before.index ? 1 : -1 });
      wishedAt = performance.now();
      pump();
    },
    unwant(plane) {
      const before = wishes.get(plane);
      if (before?.many.length) wishes.set(plane, { ...before, index: -1 });
      else wishes.delete(plane);
    },
    wantMany(plane, indices) {
      const before = wishes.get(plane) ?? { index: -1, step: 1, many: [] };
      if (before.many.length === indices.length && before.many.every((index, i) => index === indices[i])) return;
      wishes.set(plane, { ...before, many: [...indices] });
      wishedAt = performance.now();
      pump();
    },
    async ahead(id) {
      const compress = line.packs();
      const stride = scene && compress ? Math.max(1, ...PLANES.map((plane) => bytes.strideFor("image", plane, line.allowance()))) : 1;
      const reply = await kernel.ask("ahead", { case: id, compress, stride });
      if (!("scene" in reply.content)) return null;
      const { scene: of, labels, other, facts } = reply.content as unknown as Page;
      const page = { scene: of, labels, other: "key" in (other ?? {}) ? other : null, facts };
      await Promise.all(takeFirst(of, readFirst(reply)));
      kept.keepMiddle(of, [page.labels, page.other]);
      return page;
    },
    shown,
    hasMiddle: (of) => shown().every((plane) => kept.hasMiddle(of, plane)),
    isFar: () => line.packs(),
    image: (plane, index) => at("image", plane, index) as Values | undefined,
    labels: (plane, index) => at("labels", plane, index) as Ids | undefined,
    other: (plane, index) => at("other", plane, index) as Ids | undefined,
    isCoarse: (plane, index, layer = "image") => there(layer) && kept.get(key(layer, plane, index))?.coarse === true,
  };
}
