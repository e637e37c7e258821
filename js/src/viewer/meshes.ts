// Surfaces from the kernel: only those that are shown, a few at a time, kept within a budget.
import { isOutdated, type Kernel, type Reply } from "../shared/kernel";
import type { SurfaceData } from "../space/index";
import type { Vec3 } from "./scene";
import { copied } from "./unpack";
import type { MaskLayer } from "./where";

const AT_ONCE = 3;
const BUDGET_BYTES = 48e6;
/** The kernel has another case or other masks by now, of which this page will soon hear. */
const OUTDATED_MS = 500;

/** Structures of one set of masks. */
export interface Wanted {
  /** Names the case and whose masks they are; `layer` and `content` do for the kernel. */
  place: string;
  layer: MaskLayer;
  content: string | undefined;
  names: readonly string[];
}

export interface Meshes {
  /** Ask for what is not there yet. */
  want(scene: string, wanted: readonly Wanted[]): void;
  get(place: string, name: string): SurfaceData | undefined;
  /** Why a surface cannot be had, if so. */
  failed(place: string, name: string): boolean;
  /** Forget a place: its masks have changed. */
  forget(place: string): void;
  dispose(): void;
}

const size = (data: SurfaceData): number => data.codes.byteLength + data.triangles.byteLength;

function surfaceOf({ content, buffers }: Reply): SurfaceData {
  const [codes, rows] = buffers;
  if (!codes || !rows) throw new Error("A surface came without its data.");
  return {
    codes: new Uint16Array(copied(codes)),
    triangles: content["bytes"] === 4 ? new Uint32Array(copied(rows)) : new Uint16Array(copied(rows)),
    origin: content["origin"] as Vec3,
    step: content["step"] as Vec3,
  };
}

export function meshes(kernel: Kernel, arrived: () => void, failed: (error: Error) => void): Meshes {
  // In the order of their last use, places as well as the surfaces of one.
  const places = new Map<string, Map<string, SurfaceData | null>>();
  const asking = new Set<string>();
  const resting = new Set<string>();
  let scene = "";
  let wanted: readonly Wanted[] = [];
  let closed = false;
  const isWanted = (place: string): boolean => wanted.some((one) => one.place === place);

  const trim = (): void => {
    let held = 0;
    for (const kept of places.values()) for (const data of kept.values()) held += data ? size(data) : 0;
    for (const [place, kept] of places) {
      if (held <= BUDGET_BYTES || isWanted(place)) break;
      for (const data of kept.values()) held -= data ? size(data) : 0;
      places.delete(place);
    }
  };

  const rest = (id: string): void => {
    resting.add(id);
    setTimeout(() => {
      resting.delete(id);
      pump();
    }, OUTDATED_MS);
  };
  const ask = ({ place, layer, content }: Wanted, name: string): void => {
    const id = `${place}\n${name}`;
    if (asking.has(id) || resting.has(id) || places.get(place)?.has(name)) return;
    asking.add(id);
    kernel
      .ask("surface", { scene, layer, content, structure: name })
      .then((reply) => {
        places.get(place)?.set(name, surfaceOf(reply));
        trim();
      })
      .catch((error: Error) => {
        if (!isWanted(place)) return; // another case or mask set was chosen meanwhile
        if (isOutdated(error)) return rest(id);
        places.get(place)?.set(name, null);
        failed(error);
      })
      .finally(() => {
        asking.delete(id);
        if (closed) return;
        if (isWanted(place)) arrived();
        pump();
      });
  };
  const pump = (): void => {
    for (const set of wanted) {
      for (const name of set.names) {
        if (asking.size >= AT_ONCE || closed) return;
        ask(set, name);
      }
    }
  };

  return {
    want(scene_, wanted_) {
      scene = scene_;
      wanted = wanted_;
      for (const { place } of wanted) {
        const kept = places.get(place) ?? new Map<string, SurfaceData | null>();
        places.delete(place);
        places.set(place, kept);
      }
      pump();
    },
    get: (place, name) => places.get(place)?.get(name) ?? undefined,
    failed: (place, name) => places.get(place)?.get(name) === null,
    forget: (place) => void places.delete(place),
    dispose() {
      closed = true;
      places.clear();
    },
  };
}
