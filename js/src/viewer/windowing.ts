// Which window a case is shown with, and what that is called. A preset goes along to other cases; what was made by hand does not.
import type { AnyModel } from "@anywidget/types";
import type { Kernel } from "../shared/kernel";
import type { Preset } from "./bar";
import type { ModelState, Scene } from "./scene";
import { setWindow, type View } from "./state";
import type { MaskLayer } from "./where";

type Ends = [number, number];

interface Made {
  name: Preset;
  ends: Ends;
  /** That it is on, or "". */
  structure: string;
}

/** Presets that the kernel is asked for, and that mean each case's own values. */
const ASKED: ReadonlySet<Preset> = new Set(["2-98", "0.5-99.5", "full"]);

export interface Parts {
  model: AnyModel<ModelState>;
  kernel: Kernel;
  view: View;
  /** The structure that "on structure" means, or "". */
  target(): string;
  layerOf(structure: string): MaskLayer;
  redraw(): void;
  failed(error: Error): void;
}

export interface Windowing {
  readonly name: Preset;
  /** The structure that it is on, or "". */
  readonly on: string;
  choose(name: Preset): void;
  type(low: number, high: number): void;
  drag(low: number, high: number): void;
  /** The drag has ended. */
  keep(): void;
  /** The model has another one. */
  took(): void;
  /** What a case is shown with when it is opened, or null for its own. */
  of(scene: Scene): Ends | null;
  /** Show that of the case that is seen by now; the kernel is told where that has the case open. */
  renew(isAhead: boolean): void;
}

export function windowing({ model, kernel, view, target, layerOf, redraw, failed }: Parts): Windowing {
  /** By case: windows that were made by hand, and what presets mean. */
  const made = new Map<string, Made>();
  const meant = new Map<string, Ends>();
  let chosen: Preset = "1-99";
  let name: Preset = chosen;
  let on = "";
  let seen = "";
  let wanted = "";
  let isPutting = false;

  const files = (scene: Scene): string => scene.content || scene.key;
  const keyOf = (scene: Scene, preset: Preset, structure = ""): string => `${files(scene)} ${preset} ${structure}`;
  const put = (ends: Ends | null, tell = true): void => {
    isPutting = true;
    model.set("window", ends);
    isPutting = false;
    if (tell) model.save_changes();
    if (view.scene) setWindow(view, ...(ends ?? view.scene.window));
    redraw();
  };
  const take = (preset: Preset, ends: Ends | null, structure = ""): void => {
    wanted = "";
    [name, on] = [preset, structure];
    if (ends && !ASKED.has(preset)) made.set(seen, { name, ends, structure });
    else {
      made.delete(seen);
      chosen = preset;
    }
    put(ends);
  };
  const of = (scene: Scene): Ends | null => made.get(files(scene))?.ends ?? meant.get(keyOf(scene, chosen)) ?? null;

  const choose = (preset: Preset): void => {
    wanted = "";
    const { scene } = view;
    if (!scene || preset === "custom") return;
    if (preset === "1-99") return take(preset, null);
    const structure = preset === "structure" ? target() : "";
    const key = keyOf(scene, preset, structure);
    wanted = key;
    kernel.ask("window", { scene: scene.key, preset, ...(structure && { structure, layer: layerOf(structure) }) }).then(({ content: { low, high } }) => {
      if (typeof low !== "number" || typeof high !== "number") throw new Error("The kernel knows no such window.");
      if (ASKED.has(preset)) meant.set(key, [low, high]);
      if (view.scene?.key === scene.key && wanted === key) take(preset, [low, high], structure);
    }).catch((error: Error) => {
      if (view.scene?.key === scene.key) failed(error);
    }).finally(() => {
      if (wanted === key) wanted = "";
      redraw();
    });
  };
  return {
    get name() {
      return name;
    },
    get on() {
      return on;
    },
    choose,
    type: (low, high) => take("custom", [low, high]),
    drag(low, high) {
      [name, on, wanted] = ["custom", "", ""];
      setWindow(view, low, high);
      redraw();
    },
    keep() {
      if (name === "custom") take("custom", view.window);
    },
    took() {
      const given = model.get("window");
      const next = given ?? view.scene?.window;
      if (isPutting || next?.every((x, i) => x === view.window[i])) return;
      [name, on, wanted] = [given ? "custom" : "1-99", "", ""];
    },
    of,
    renew(isAhead) {
      const { scene } = view;
      const before = seen;
      seen = scene ? files(scene) : "";
      if (!scene) return;
      if (seen !== before) {
        const mine = made.get(seen);
        // The kernel leaves a window with its case: one that is there was set together with this.
        const isItsOwn = !isAhead && model.get("window") !== null;
        wanted = "";
        [name, on] = isItsOwn ? ["custom", ""] : [mine?.name ?? chosen, mine?.structure ?? ""];
        // A case that is yet to be opened is opened with its window.
        if (!isItsOwn && (of(scene) || model.get("window"))) put(of(scene), !isAhead);
      }
      if (!isAhead && ASKED.has(name) && !model.get("window") && wanted !== keyOf(scene, name)) choose(name);
    },
  };
}
