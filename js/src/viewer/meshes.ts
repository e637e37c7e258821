// Surfaces from the kernel: only those that are shown, a few at a time, kept within a budget.
import { isOutdated, type Kernel, type Reply } from "../shared/kernel";
import type { SurfaceData } from "../space/index";
import type { Vec3 } from "./scene";
import { copied } from "./unpack";

const AT_ONCE = 3;
const BUDGET_BYTES = 48e6;
/** The kernel has another case or other masks by now, of which this page will soon hear. */
const OUTDATED_MS = 500;

export interface Meshes {
  /** Ask for what is not there yet; `place` names the case and whose masks they are, `content` does for the kernel. */
  want(place: string, scene: string, content: string | undefined, names: readonly string[]): void;
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

export function meshes(kernel: Kernel, arrived: (place: string, name: string) => void, failed: (error: Error) => void): Meshes {
  // In the order of their last use, places as well as the surfaces of one.
  const places = new Map<string, Map<string, SurfaceData | null>>();
  const asking = new Set<string>();
  let wanted: { place: string; scene: string; content: string | undefined; names: readonly string[] } =
    { place: "", scene: "", content: undefined, names: [] };
  let closed = false;

  const trim = (): void => {
    let held = 0;
    for (const kept of places.values()) for (const data of kept.values()) held += data ? size(data) : 0;
    for (const [place, kept] of places) {
      if (held <= BUDGET_BYTES || place === wanted.place) break;
      for (const data of kept.values()) held -= data ? size(data) : 0;
      places.delete(place);
    }
  };

  const pump = (): void => {
    const { place, scene, content, names } = wanted;
    for (const name of names) {
      if (asking.size >= AT_ONCE || closed) return;
      const id = `${place}\n${name}`;
      if (asking.has(id) || places.get(place)?.has(name)) continue;
      asking.add(id);
      let pause = 0;
      kernel
        .ask("surface", { scene, content, structure: name })
        .then((reply) => {
          places.get(place)?.set(name, surfaceOf(reply));
          trim();
        })
        .catch((error: Error) => {
          if (wanted.place !== place) return; // another case or mask set was chosen meanwhile
          if (isOutdated(error)) {
            pause = OUTDATED_MS;
            return;
          }
          places.get(place)?.set(name, null);
          failed(error);
        })
        .finally(() => {
          asking.delete(id);
          if (closed) return;
          if (wanted.place === place) arrived(place, name);
          if (pause) setTimeout(pump, pause);
          else pump();
        });
    }
  };

  return {
    want(place, scene, content, names) {
      wanted = { place, scene, content, names };
      const kept = places.get(place) ?? new Map<string, SurfaceData | null>();
      places.delete(place);
      places.set(place, kept);
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
