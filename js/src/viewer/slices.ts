// Slices from the kernel, as planned in plan.ts: asked for, taken in, given to who draws.
import { isNear, type Kernel, type Reply } from "../shared/kernel";
import { flight } from "./flight";
import { intake, LAYERS, nameOf, type Layer } from "./intake";
import { link } from "./link";
import { plan, type Job } from "./plan";
import type { Ids, Raster, Values } from "./raster";
import { PLANES, type Labels, type Plane, type Scene } from "./scene";
import { sizes } from "./sizes";
import { stock } from "./stock";
import type { Packed } from "./unpack";
import type { Page } from "./visits";
import { volume, type Part } from "./volume";
import { wishes } from "./wishes";

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
  const out = flight();
  const parts = volume();
  const all = stock(kept, out, parts);
  const bytes = sizes(line, () => all.scene!, (layer) => all.tables[layer]!);
  const wished = wishes();
  const { next, roomAhead, beside } = plan(all, wished, line, bytes, out, kept);
  /** By plane, what was seen last, or came last of what was waited for. */
  const latest = new Map<Plane, number>();
  let resting = 0;
  /** Slices that came along with a scene which has not come itself yet. */
  let early: Early[] = [];

  const shown = (): readonly Plane[] => {
    const seen = PLANES.filter(wished.has);
    return seen.length ? seen : PLANES;
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
    while (all.scene) {
      const jobs = next();
      const [job] = jobs;
      if (!job) break;
      if (!job.urgent && out.bytes() > 0 && out.bytes() + job.bytes > roomAhead()) break;
      for (const one of jobs) one.part ? sendPart(one.part) : send(one);
    }
    if (all.scene && !out.bytes() && !next().length) idle();
    const left = wished.untilRest();
    if (left > 0 && !resting) {
      resting = window.setTimeout(() => {
        resting = 0;
        pump();
      }, left + 1);
    }
  };
  /** Let what is seen be of the volume, where that is there and nothing better is. */
  const fill = (): void => {
    for (const plane of wished.planes()) if (wished.index(plane) >= 0) all.fill(plane, wished.index(plane));
  };

  const send = (job: Job): void => {
    const { layer, plane, indices, stride, rows } = job;
    const of = all.scene!;
    const names = indices.map((index) => all.key(layer, plane, index));
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
        if (compress && buffers.length && all.has(layer)) bytes.learn(layer, plane, stride, rows, come, buffers.length);
        await Promise.all(buffers.map((buffer, i) => kept.take(of, layer, plane, indices[i]!, fields, buffer, rows)));
        // An answer from other masks: theirs will be told, and asking again before that would not end.
        for (const name of names) if (!kept.has(name)) out.refuse(name);
        if (all.scene?.key !== of.key) return;
        const far = (index: number): number => Math.abs(index - wished.index(plane));
        const [nearest] = job.urgent ? indices.filter((index) => all.isWhole(plane, index)).sort((a, b) => far(a) - far(b)) : [];
        if (nearest !== undefined) latest.set(plane, nearest);
        if (nearest !== undefined || indices.some((index) => wished.isSeen(plane, index))) arrived(plane);
      })
      .catch((error: Error | null) => {
        names.forEach(out.refuse);
        if (error && all.scene?.key === of.key) failed(error);
      })
      .finally(() => {
        out.land(names, job.bytes);
        pump();
      });
  };
  const sendPart = (part: Part): void => {
    const { layer, stride, slices, bytes: size } = part;
    const of = all.scene!;
    const askedAt = performance.now();
    parts.leave(part);
    out.leave([], size, false);
    kernel
      .askTogether("volume", { scene: of.key, layer, stride, slices })
      .then(async ({ content, buffers: [buffer], came }) => {
        if (came) line.came(askedAt, performance.now(), came.bytes, came.kernelMs);
        if (!buffer) return parts.giveUp(part);
        await parts.take(part, content as unknown as Packed, buffer);
        if (!all.isComplete()) return;
        fill();
        shown().forEach(arrived);
      })
      // Nobody waits for it: without it slices come one by one, and if those cannot, that is told.
      .catch(() => parts.giveUp(part))
      .finally(() => {
        out.land([], size);
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
    const of = all.scene;
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
    all.tables[layer] = next;
    out.forgive();
    parts.forgive();
    fill();
    pump();
  };
  const at = (layer: Layer, plane: Plane, index: number): Raster | undefined => all.find(layer, plane, index)?.raster;

  return {
    open(next) {
      const same = all.scene !== null && next?.key === all.scene.key;
      all.open(next);
      if (same) return;
      wished.clear();
      out.forgive();
      latest.clear();
      kept.forgetParts();
      takeEarly();
      if (next && !line.isKnown()) probe(next);
    },
    setLabels: (next) => set("labels", next),
    setOther: (next) => set("other", next),
    want(plane, index) {
      if (!wished.want(plane, index)) return;
      all.fill(plane, index);
      pump();
    },
    unwant: wished.unwant,
    wantMany(plane, indices) {
      if (wished.wantMany(plane, indices)) pump();
    },
    async ahead(id) {
      const compress = line.packs();
      const stride = all.scene && compress ? Math.max(1, ...PLANES.map((plane) => bytes.strideFor("image", plane, line.allowance()))) : 1;
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
      if (!all.scene) return index;
      if (at("image", plane, index)) {
        latest.set(plane, index); // what is seen stays until something nearer has come
        return index;
      }
      return beside(plane, index).find((one) => all.isWhole(plane, one)) ?? latest.get(plane) ?? index;
    },
    image: (plane, index) => at("image", plane, index) as Raster<Values> | undefined,
    labels: (plane, index) => at("labels", plane, index) as Raster<Ids> | undefined,
    other: (plane, index) => at("other", plane, index) as Raster<Ids> | undefined,
    isCoarse: (plane, index, layer = "image") => all.isCoarse(layer, plane, index),
  };
}
