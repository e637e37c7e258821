// Where a structure lies, asked once per case and state of its masks.
import type { Kernel } from "../shared/kernel";
import type { Labels, Plane, Vec3, Where } from "./scene";

export type Goal = "centre" | "largest" | "next" | "previous";

/** The nearest slice after (1) or before (-1) an index that one of the runs covers; gaps are skipped. */
function nextWith(runs: readonly [number, number][], index: number, by: 1 | -1): number | null {
  if (by > 0) {
    const run = runs.find(([, stop]) => index + 1 < stop);
    return run ? Math.max(run[0], index + 1) : null;
  }
  const run = runs.findLast(([start]) => index - 1 >= start);
  return run ? Math.min(run[1] - 1, index - 1) : null;
}

/** The slice that a goal means, or null where there is none. */
export function sliceOf(where: Where, goal: Goal, plane: Plane, index: number): number | null {
  if (goal === "largest") return where.best[plane];
  return nextWith(where.has[plane], index, goal === "next" ? 1 : -1);
}

const isVec3 = (x: unknown): x is Vec3 => Array.isArray(x) && x.length === 3 && x.every((n) => typeof n === "number");

export type MaskLayer = "labels" | "other";

/** Ask where a structure of the masks of a layer lies. */
export function whereabouts(kernel: Kernel): (layer: MaskLayer, masks: Labels, structure: string) => Promise<Where> {
  const known = new Map<string, Promise<Where>>();
  const of = { labels: "", other: "" };
  return (layer, masks, structure) => {
    const state = `${masks.content ?? masks.key}/${masks.revision}`;
    if (state !== of[layer]) for (const key of [...known.keys()]) if (key.startsWith(`${layer} `)) known.delete(key);
    of[layer] = state;
    const key = `${layer} ${structure}`;
    let found = known.get(key);
    if (!found) {
      found = kernel.ask("where", { scene: masks.key, content: masks.content, layer, structure }).then(({ content }) => {
        const { centre, best, has } = content as Partial<Where>;
        if (!isVec3(centre) || !best || !has) throw new Error(`The kernel does not know where ${structure} is.`);
        return { centre, best, has };
      });
      known.set(key, found);
      found.catch(() => known.delete(key));
    }
    return found;
  };
}
