// True values of voxels, where those that are sent with slices are rounded.
import type { Kernel } from "../shared/kernel";
import type { Found } from "./readout";
import type { Scene, Vec3 } from "./scene";

/** The hand rests when it has not moved for so long. */
const REST_MS = 120;
const MOST_KNOWN = 256;

export interface TrueValues {
  /** What was found, with its true value once that is known; until then it is asked for, the newest wish first. */
  of<T extends Found | null>(scene: Scene | null, found: T): T;
  dispose(): void;
}

interface Wish {
  name: string;
  scene: string;
  voxel: Vec3;
}

function inFigures(value: unknown): string {
  if (typeof value !== "number") return `none (${String(value)})`;
  return String(Number.isSafeInteger(value) ? value : Number(value.toPrecision(7)));
}

export function trueValues(kernel: Kernel, arrived: () => void): TrueValues {
  const known = new Map<string, string>();
  let wish: Wish | null = null;
  let asked: Wish | null = null;
  let timer = 0;

  const ask = (): void => {
    timer = 0;
    if (!wish || asked) return;
    const mine = (asked = wish);
    wish = null;
    kernel
      .ask("value", { scene: mine.scene, voxel: mine.voxel })
      .then(({ content }) => {
        known.set(mine.name, inFigures(content["value"]));
        if (known.size > MOST_KNOWN) known.delete(known.keys().next().value!);
      })
      .catch(() => undefined) // the case is not open: it stays approximate
      .finally(() => {
        asked = null;
        if (known.has(mine.name)) arrived();
        if (!timer) ask();
      });
  };

  return {
    of(scene, found) {
      if (!scene || scene.exact || !found) return found;
      const name = `${scene.key} ${found.voxel.join(" ")}`;
      const value = known.get(name);
      if (value !== undefined) return { ...found, value };
      if (wish?.name === name || asked?.name === name) return found;
      wish = { name, scene: scene.key, voxel: found.voxel };
      clearTimeout(timer);
      timer = window.setTimeout(ask, REST_MS);
      return found;
    },
    dispose() {
      clearTimeout(timer);
      wish = null;
    },
  };
}
