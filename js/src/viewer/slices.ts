// Slices from the kernel: what is seen first, then what a scroll would show, as much as the link carries.
import { isNear, type Kernel, type Reply } from "../shared/kernel";
import { flight } from "./flight";
import { AXES } from "./geometry";
import { BUDGET_BYTES, intake, LAYERS, nameOf, type Layer } from "./intake";
import { link } from "./link";
import type { Ids, Raster, Values } from "./raster";
import { PLANES, type Labels, type Plane, type Scene } from "./scene";
import { sizes } from "./sizes";
import type { Packed } from "./unpack";
import type { Page } from "./visits";
import { wishes } from "./wishes";

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
  /** The slice to show: itself where it is there, else one that a hand passes on its way to it, or what was seen last. */
  nearest(plane: Plane, index: number): number;
  image(plane: Plane, index: number): Raster<Values> | undefined;
  labels(plane: Plane, index: number): Raster<Ids> | undefined;
  other(plane: Plane, index: number): Raster<Ids> | undefined;
  /** Whether a slice was made of fewer pixels: fine to look at until the sharp one comes, not to read values off. */
  isCoarse(plane: Plane, index: number, layer?: Layer): boolean;
  /** Have a case that may come next, if the kernel has all of it. */
  ahead(id: string): Promise<Page | null>;
  /** The planes that are seen, or all while none is known to be. */
  shown(): readonly Plane[];
  /** Whether there is a picture of a case that is not open, in the planes that are seen. */
  hasMiddle(scene: Scene): boolean;
  isFar(): boolean;
  /** Whether a hand passes over many slices at a time. */
  isHasty(): boolean;
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
  const wished = wishes();
  /** By plane, what was seen last, or came last of what was waited for. */
  const latest = new Map<Plane, number>();
  let resting = 0;
  const out = flight();
  /** Slices that came along with a scene which has not come itself yet. */
  let early: Early[] = [];

  const key = (layer: Layer, plane: Plane, index: number): string => {
    const of = layer === "image" ? scene : tables[layer];
    return nameOf(of!, layer, plane, index);
  };
  const there = (layer: Layer): boolean => (layer === "image" ? scene !== null : tables[layer] !== null);
  const wanted = (layer: Layer): number => (layer === "image" ? 0 : tables[layer]!.revision ?? 0);

  const free = (layer: Layer, plane: Plane, index: number): boolean => out.isFree(key(layer, plane, index));
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

  /** Of a near kernel masks are as coarse as the image: to draw them takes longer than to fetch them. */
  const strideFor = (layer: Layer, plane: Plane, room: number): number =>
    Math.max(bytes.strideFor(layer, plane, room), line.packs() ? 0 : bytes.strideFor("image", plane, room));
  const roomAhead = (): number => Math.min(MOST_AHEAD_BYTES, line.allowance() * AHEAD_SHARE);
  const whole = (layer: Layer, plane: Plane, indices: number[], isUrgent: boolean, room = line.stepAllowance()): Job[] => {
    const stride = strideFor(layer, plane, room);
    const each = stride ? bytes.coarse(layer, plane, stride) : bytes.sharp(layer, plane);
    // As many as may be under way together, at least one.
    const count = Math.max(1, Math.min(indices.length, BATCH, Math.floor(roomAhead() / each)));
    return [{ layer, plane, indices: indices.slice(0, count), stride, rows: null, urgent: isUrgent, bytes: each * count }];
  };
  const sharp = (layer: Layer, plane: Plane, index: number): Job[] => {
    const all = bytes.sharp(layer, plane);
    const room = line.allowance() * ROWS_SHARE;
    const height = bytes.of(plane)[1];
    if (all <= line.allowance()) return [{ layer, plane, indices: [index], stride: 0, rows: null, urgent: false, bytes: all }];
    const from = kept.rowsOf(key(layer, plane, index));
    const count = Math.max(1, Math.floor((height * room) / all));
    const to = Math.min(height, from + count);
    return [{ layer, plane, indices: [index], stride: 0, rows: [from, to], urgent: false, bytes: (all * (to - from)) / height }];
  };

  const shown = (): readonly Plane[] => {
    const seen = PLANES.filter(wished.has);
    return seen.length ? seen : PLANES;
  };
  const count = (plane: Plane): number => scene!.shape[AXES[plane][2]]!;

  /** How many slices to have on each side of what is seen: from a near kernel as many as a drag may cross, and there is room for. */
  const ahead = (plane: Plane, room: number): number => {
    const each = (of: number): number =>
      LAYERS.filter(there).reduce((sum, layer) => sum + bytes.kept(layer, plane) / Math.max(1, strideFor(layer, plane, of)) ** 2, 0);
    // Where steps need coarse slices, those and sharp ones share what there is.
    const share = each(line.stepAllowance()) < each(line.allowance()) ? 0.5 : 1;
    const most = Math.max(LEAST_AHEAD, Math.floor((share * AHEAD_BYTES) / PLANES.length / 2 / each(room)));
    return line.packs() ? Math.min(AHEAD, most) : most;
  };
  const isWhole = (plane: Plane, index: number): boolean => LAYERS.every((layer) => !there(layer) || kept.has(key(layer, plane, index)));
  /** Slices beside each other that stand for one another while a hand in haste passes them. */
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
    return LAYERS.filter(there).map((layer) => {
      const indices = open.filter((index) => lacks(layer, plane, index));
      const stride = strideFor(layer, plane, room);
      return { layer, plane, indices, stride, rows: null, urgent: true, bytes: indices.length * bytes.coarse(layer, plane, stride || 1) };
    });
  };

  /** What to ask for next. */
  const next = (): Job[] => {
    const layers = LAYERS.filter(there);
    const seen = wished.planes().filter((plane) => wished.index(plane) >= 0);
    const hasty = seen.filter(wished.pace);
    const isFull = out.messages() >= line.depth();
    if (!isFull) {
      const room = Math.min(line.stepAllowance() / hasty.length, MET_BYTES);
      const jobs = hasty.flatMap((plane) => meet(plane, room)).filter((job) => job.indices.length);
      if (jobs.length) return jobs;
      for (const layer of layers) {
        for (const plane of seen) {
          const index = wished.index(plane);
          if (hasty.includes(plane) || !lacks(layer, plane, index)) continue;
          const jobs = whole(layer, plane, [index], true, Math.min(line.stepAllowance(), wished.isLeap(plane) ? LEAP_BYTES : Infinity));
          return !out.isAwaited() || out.bytes() + jobs[0]!.bytes <= line.allowance() ? jobs : [];
        }
      }
    }
    if (out.isAwaited() || hasty.length) return []; // nothing may come before what is waited for
    for (const layer of layers) {
      for (const plane of wished.planes()) {
        const missing = wished.many(plane).filter((index) => lacks(layer, plane, index));
        // All of them together should not take longer than one that is looked at.
        if (missing.length) return whole(layer, plane, missing, false, line.allowance() / Math.min(missing.length, BATCH));
      }
    }
    // On a slow link the next steps come before this one is sharp, so that they need not be waited for.
    const last = wished.last();
    for (const layer of layers) {
      const missing = wished.onward(last, STEPS, count(last)).filter((index) => lacks(layer, last, index));
      if (missing.length) return whole(layer, last, missing, false);
    }
    const rests = wished.rests();
    for (const layer of layers) {
      for (const plane of seen) {
        // New masks are told at once where that is cheap.
        const cheap = layer !== "image" && bytes.sharp(layer, plane) <= line.stepAllowance() * AHEAD_SHARE;
        if (blunt(layer, plane, wished.index(plane)) && (rests || cheap)) return sharp(layer, plane, wished.index(plane));
      }
    }
    // A near kernel has time for sharp ones while nobody scrolls.
    const hasTime = rests && !line.packs();
    for (const room of hasTime ? [line.allowance(), line.stepAllowance()] : [line.stepAllowance()]) {
      for (const plane of wished.planes()) {
        const most = ahead(plane, room);
        for (const layer of layers) {
          const isSharp = hasTime && strideFor(layer, plane, room) === 0;
          const around = wished.around(plane, most, count(plane));
          const missing = around.filter((index) => lacks(layer, plane, index) || (isSharp && coarse(layer, plane, index)));
          // Those at the far end wait for others, so that a drag does not ask for each of them by itself.
          const isFar = missing.length < BATCH && Math.abs(missing[0]! - wished.index(plane)) > most / 2;
          if (missing.length && (rests || !isFar)) return whole(layer, plane, missing, false, room);
        }
      }
    }
    if (!rests) return [];
    for (const layer of layers) {
      for (const plane of wished.planes()) {
        const index = wished.many(plane).find((i) => blunt(layer, plane, i));
        if (index !== undefined) return sharp(layer, plane, index);
      }
    }
    return [];
  };

  /** A single row, to learn the round trip. */
  const probe = (of: Scene): void => {
    const askedAt = performance.now();
    kernel
      .ask("slices", { scene: of.key, plane: wished.last(), indices: [0], layer: "image", compress: false, rows: [0, 1] })
      .then(({ came }) => came && line.came(askedAt, performance.now(), came.bytes, came.kernelMs))
      .catch(() => undefined); // what is asked for next tells
  };

  const pump = (): void => {
    while (scene) {
      const jobs = next();
      const [job] = jobs;
      if (!job) break;
      if (!job.urgent && out.bytes() > 0 && out.bytes() + job.bytes > roomAhead()) break;
      jobs.forEach(send);
    }
    if (scene && !out.bytes() && !next().length) idle();
    const left = wished.untilRest();
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
    out.leave(names, job.bytes, job.urgent);
    kernel
      .askTogether("slices", {
        scene: of.key, plane, indices, layer, compress, ...(stride ? { coarse: true, stride } : {}), ...(rows ? { rows } : {}),
      })
      .then(async ({ content, buffers, came }) => {
        const fields = content as unknown as Packed;
        const come = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
        if (came) line.came(askedAt, performance.now(), came.bytes, came.kernelMs);
        if (content["closed"] === true) throw null;
        if (compress && buffers.length && there(layer)) bytes.learn(layer, plane, stride, rows, come, buffers.length);
        await Promise.all(buffers.map((buffer, i) => kept.take(of, layer, plane, indices[i]!, fields, buffer, rows)));
        // An answer from other masks: theirs will be told, and asking again before that would not end.
        for (const name of names) if (!kept.has(name)) out.refuse(name);
        if (scene?.key !== of.key) return;
        const far = (index: number): number => Math.abs(index - wished.index(plane));
        const [nearest] = job.urgent ? indices.filter((index) => isWhole(plane, index)).sort((a, b) => far(a) - far(b)) : [];
        if (nearest !== undefined) latest.set(plane, nearest);
        if (nearest !== undefined || indices.some((index) => wished.isSeen(plane, index))) arrived(plane);
      })
      .catch((error: Error | null) => {
        names.forEach(out.refuse);
        if (error && scene?.key === of.key) failed(error);
      })
      .finally(() => {
        out.land(names, job.bytes);
        pump();
      });
  };

  /** Keep slices that came without having been asked for. */
  const takeFirst = (of: Scene, first: Early[]): Promise<void>[] =>
    first.map(({ fields, buffer }) => {
      const [layer, plane, index] = [fields.layer, fields.plane, fields.index];
      const name = nameOf(layer === "image" ? of : { content: fields.content, key: of.key }, layer, plane, index);
      out.leave([name], 0, false);
      return kept.take(of, layer, plane, index, fields, buffer, null).finally(() => out.land([name], 0));
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
    out.forgive();
    pump();
  };
  const at = (layer: Layer, plane: Plane, index: number): Raster | undefined =>
    there(layer) ? kept.get(key(layer, plane, index))?.raster : undefined;

  return {
    open(next) {
      const same = scene !== null && next?.key === scene.key;
      if (scene && !same) kept.keepMiddle(scene, [tables.labels, tables.other]);
      scene = next;
      if (same) return;
      tables.labels = tables.other = null;
      wished.clear();
      out.forgive();
      latest.clear();
      kept.forgetParts();
      takeEarly();
      if (scene && !line.isKnown()) probe(scene);
    },
    setLabels: (next) => set("labels", next),
    setOther: (next) => set("other", next),
    want(plane, index) {
      if (wished.want(plane, index)) pump();
    },
    unwant: wished.unwant,
    wantMany(plane, indices) {
      if (wished.wantMany(plane, indices)) pump();
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
    isHasty: () => wished.planes().some((plane) => wished.pace(plane) !== 0),
    nearest(plane, index) {
      if (!scene) return index;
      if (at("image", plane, index)) {
        latest.set(plane, index); // what is seen stays until something nearer has come
        return index;
      }
      return beside(plane, index).find((one) => isWhole(plane, one)) ?? latest.get(plane) ?? index;
    },
    image: (plane, index) => at("image", plane, index) as Raster<Values> | undefined,
    labels: (plane, index) => at("labels", plane, index) as Raster<Ids> | undefined,
    other: (plane, index) => at("other", plane, index) as Raster<Ids> | undefined,
    isCoarse: (plane, index, layer = "image") => there(layer) && kept.get(key(layer, plane, index))?.coarse === true,
  };
}
