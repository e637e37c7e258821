// The 3D tile: surfaces of what is shown, slice planes and crosshair. Its program comes when first needed.
import { h } from "../shared/dom";
import { isOutdated, type Kernel } from "../shared/kernel";
import type { Letter, Look, Slice, Space } from "../space/index";
import type { Rgb } from "./composite";
import { cube } from "./cube";
import { AXES, toVoxel, toWorld } from "./geometry";
import { meshes } from "./meshes";
import type { Print } from "./painter";
import { PLANES, type Labels, type Options, type Plane, type Scene, type Vec3 } from "./scene";
import { partsOf, placeOf } from "./parts";
import { hasWebGL, load } from "./program";
import { saveSurfaces, type Format } from "./saving";
import { shot, type Shot } from "./shot";
import { spaceMenu } from "./spacemenu";
import { put } from "./tile";
import { bindSpace } from "./turning";
import { bounded } from "./words";

export interface SpaceFrame {
  scene: Scene;
  labels: Labels | null;
  /** Of the compared mask set, whose rows are those of `labels`. */
  other: Labels | null;
  shown: ReadonlySet<number>;
  /** Per row of `labels.structures`. */
  colors: readonly Rgb[];
  opacities: readonly number[];
  hovered: number | null;
  voxel: Vec3;
  options: Options;
  /** Names whose masks these are, where a viewer can change them. */
  maskSet?: string;
  /**
   * Windowed slice through `voxel`, or the one that is shown until that is there; columns and rows as in AXES, row 0 the
   * low end. Where its `data-key` is set, it changes with the pixels, and they are sent to the graphics card only then.
   */
  picture(plane: Plane): (Print & { index: number }) | null;
}

export interface SpaceTile {
  el: HTMLElement;
  draw(frame: SpaceFrame): void;
  clear(): void;
  reset(): void;
  /** The picture as it is seen, or null where none is. */
  shot(): Shot | null;
  /** Turn, zoom or reset by a key that was pressed elsewhere. */
  press(event: KeyboardEvent): void;
  dispose(): void;
}

export interface SpaceActions {
  /** Go to a voxel of a structure, or of a slice: then "". */
  moveTo(voxel: Vec3, structure: string): void;
  /** The structure under the pointer, or "", and where that is on the page. */
  hover(structure: string, x: number, y: number): void;
  maximise(): void;
  focus(): void;
  failed(message: string): void;
}

const MAX_RATIO = 2;
const GREY: Rgb = [160, 160, 160];
/** A picture that takes longer is drawn after a rest; that of another case after its slices. */
const [QUICK_MS, REST_MS, AFTER_SLICES_MS] = [12, 160, 40];
const NO_WEBGL =
  "No 3D picture: this browser offers no WebGL 2. Slices, structures, measuring and the export of surfaces work without it. " +
  "To see surfaces here, turn on graphics acceleration in the browser's settings, or use another browser.";
const LOST = "The graphics driver has stopped the 3D picture. All else works on.";

export function spaceTile(kernel: Kernel, on: SpaceActions): SpaceTile {
  let canvas = h("canvas", { class: "xp-canvas xp-canvas-3d", tabindex: 0, role: "img", "aria-label": "3D" });
  const title = h("span", { class: "xp-tl xp-3d-title", role: "status" }, "3D");
  const words = h("p", {});
  const again = h("button", { class: "xp-btn" }, "Try again");
  const note = h("div", { class: "xp-3d-note", role: "status" }, words, again);
  const planes = h("button", { class: "xp-3d-btn", "aria-pressed": "false", title: "Show the slices in 3D" }, "Slices");
  const turned = cube((letter) => look(letter));
  const el = h("div", { class: "xp-tile xp-3d" });
  const { more, menu } = spaceMenu(el, {
    look: (letter) => look(letter),
    reset: () => reset(),
    save: (format) => void download(format),
  });
  el.append(canvas, title, turned.el, note, h("div", { class: "xp-3d-tools" }, planes, more), menu);
  note.hidden = true;

  let space: Space | null = null;
  let state: "idle" | "loading" | "ready" | "none" = "idle";
  let last: SpaceFrame | null = null;
  let place = "";
  /** By structure, whose mask its surface on the graphics card is of. */
  let onCard = new Map<string, string>();
  let touched = false;
  let frame = 0;
  let resting = 0;
  /** Milliseconds of a picture, and of how many surfaces it was. */
  let [cost, drawn] = [0, -1];
  let closed = false;
  let size = "";
  let lostBefore: Labels | null = null;

  const store = meshes(kernel, () => refresh(), (error) => on.failed(error.message));

  const invalidate = (): void => {
    if (!frame && !closed) frame = requestAnimationFrame(render);
  };
  /** Without a graphics card a picture takes long, and must not hold up the slices. */
  const rest = (work: () => void, ms = REST_MS): void => {
    clearTimeout(resting);
    resting = window.setTimeout(work, ms);
  };
  const whenIdle = (): void => (cost > QUICK_MS ? rest(invalidate) : invalidate());
  const render = (): void => {
    frame = 0;
    if (!space || !last || !el.offsetParent) return;
    const ratio = Math.min(window.devicePixelRatio || 1, MAX_RATIO);
    const now = `${el.clientWidth}x${el.clientHeight}@${ratio}`;
    if (now !== size && el.clientWidth && el.clientHeight) {
      size = now;
      space.resize(el.clientWidth, el.clientHeight, ratio);
    }
    turned.turn(space.axes());
    if (drawn !== onCard.size) cost = space.timed();
    else space.render();
    drawn = onCard.size;
    el.dataset["held"] = `${space.memory().geometries} ${space.memory().textures}`;
  };

  const say = (text: string, retry = false): void => {
    words.textContent = text;
    again.hidden = !retry;
    note.hidden = text === "";
    el.classList.toggle("xp-3d-without", text !== "");
  };

  const start = async (): Promise<void> => {
    state = "loading";
    if (!hasWebGL()) {
      state = "none";
      planes.disabled = true;
      return say(NO_WEBGL);
    }
    say("Loading 3D");
    try {
      const program = await load(kernel);
      if (closed) return;
      space = program.open(canvas);
      if (!space) {
        state = "none";
        return say(NO_WEBGL);
      }
    } catch (error) {
      state = "none";
      return closed ? undefined : say(`The 3D program could not be loaded: ${(error as Error).message}`, true);
    }
    state = "ready";
    size = "";
    say("");
    onCard = new Map();
    if (last) space.fit(box(last.scene)); // there may be no surface that would
    refresh();
  };

  again.addEventListener("click", () => {
    // A canvas that lost its context for good gives no other one.
    space?.dispose();
    space = null;
    const fresh = canvas.cloneNode() as HTMLCanvasElement;
    canvas.replaceWith(fresh);
    canvas = fresh;
    listen();
    void start();
  });

  const corners = (scene: Scene, plane: Plane, index: number): Vec3[] => {
    const [u, v, w] = AXES[plane];
    return [[0, 0], [1, 0], [1, 1], [0, 1]].map(([a, b]) => {
      const at: Vec3 = [0, 0, 0];
      at[u] = a ? scene.shape[u]! - 0.5 : -0.5;
      at[v] = b ? scene.shape[v]! - 0.5 : -0.5;
      at[w] = index;
      return toWorld(scene, at);
    });
  };
  const box = (scene: Scene): Vec3[] =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
      toWorld(scene, [0, 1, 2].map((axis) => (n & (1 << axis) ? scene.shape[axis]! - 0.5 : -0.5)) as Vec3),
    );

  const slices = (f: SpaceFrame): (Slice | null)[] =>
    PLANES.map((plane) => {
      const found = planes.ariaPressed === "true" ? f.picture(plane) : null;
      return found && { ...found, corners: corners(f.scene, plane, found.index), key: found.pixels.dataset["key"] ?? "" };
    });

  const cross = (f: SpaceFrame): Vec3[] | null =>
    f.options.crosshair
      ? [0, 1, 2].flatMap((axis) => [-0.5, f.scene.shape[axis]! - 0.5].map((end) => {
          const at = [...f.voxel] as Vec3;
          at[axis] = end;
          return toWorld(f.scene, at);
        }))
      : null;

  /** Bring the picture in line with the frame: ask for what is missing, draw what is there. */
  const refresh = (rested = false): void => {
    if (!last || state !== "ready" || !space) return;
    const f = last;
    const all = partsOf(f);
    store.want(f.scene.key, (["labels", "other"] as const).map((layer) => ({
      layer, place: placeOf(f, layer), content: f[layer]?.content, names: all.filter((part) => part.layer === layer).map((part) => part.name),
    })));
    const looks = new Map<string, Look>();
    let there = 0;
    let fresh = false;
    for (const { name, row, place } of all) {
      const data = store.get(place, name);
      if (data && onCard.get(name) !== place) {
        space.put(name, data);
        onCard.set(name, place);
        fresh = true;
      }
      if (onCard.get(name) !== place) continue;
      there += 1;
      looks.set(name, { color: f.colors[row] ?? GREY, opacity: f.opacities[row] ?? 1, bright: row === f.hovered });
    }
    space.show(looks);
    space.slices(slices(f));
    space.cross(cross(f));
    if (fresh && !touched) space.fit(box(f.scene));
    const failed = all.filter(({ name, place }) => store.failed(place, name)).length;
    const count = `${there} surface${there === 1 ? "" : "s"}`;
    const whose = f.other ? `${bounded(f.maskSet ?? "reference", 40)} · ` : "";
    put(title, `3D · ${whose}${there + failed < all.length ? `${there} of ${all.length} surfaces` : count}`);
    canvas.setAttribute("aria-label", `${title.textContent} of ${f.scene.case}. Arrows turn, plus and minus zoom, Home resets.`);
    el.dataset["surfaces"] = String(there);
    (fresh || rested ? invalidate : whenIdle)();
  };

  /** Whether at most the voxel is another one. */
  const same = (a: SpaceFrame, b: SpaceFrame): boolean => a.scene === b.scene && a.labels === b.labels && a.other === b.other &&
    a.hovered === b.hovered && a.maskSet === b.maskSet &&
    a.options.crosshair === b.options.crosshair && a.shown.size === b.shown.size && [...a.shown].every((row) => b.shown.has(row)) &&
    a.colors.length === b.colors.length && a.colors.every((c, i) => c.every((x, k) => x === b.colors[i]![k])) &&
    a.opacities.length === b.opacities.length && a.opacities.every((x, i) => x === b.opacities[i]);

  // ---- actions -------------------------------------------------------------------------------
  const touch = (change: (s: Space) => void): void => {
    if (!space) return;
    touched = true;
    change(space);
    invalidate();
  };
  const look = (letter: Letter): void => touch((s) => s.look(letter));
  const reset = (): void => {
    touched = false;
    if (!space || !last) return;
    space.look(null);
    space.fit(box(last.scene));
    invalidate();
  };

  const download = async (format: Format): Promise<void> => {
    if (!last?.labels) return;
    const f = last;
    const shown = partsOf(f).map(({ name, layer, row }) => ({ name, layer, color: f.colors[row] ?? GREY }));
    try {
      const leftOut = await saveSurfaces(kernel, f.scene, shown, format);
      if (leftOut.length) on.failed(`Saved without ${leftOut.join(", ")}: no surface can be made of ${leftOut.length === 1 ? "it" : "them"}.`);
    } catch (error) {
      if (!isOutdated(error)) on.failed((error as Error).message);
    }
  };

  planes.addEventListener("click", () => {
    planes.setAttribute("aria-pressed", String(planes.ariaPressed !== "true"));
    refresh();
  });

  let press: SpaceTile["press"];
  const listen = (): void => {
    press = bindSpace(canvas, {
      space: () => space,
      changed: () => touch(() => undefined),
      reset,
      maximise: on.maximise,
      hover: on.hover,
      pick(hit) {
        if (!last) return;
        // The surface lies between voxels: go in by a voxel, or to the middle of what is thinner.
        const inward = Math.min(hit.depth / 2, Math.hypot(...last.scene.spacing.map((mm, i) => mm * hit.into[i]!)));
        const voxel = toVoxel(last.scene, hit.at.map((x, i) => x + inward * hit.into[i]!) as Vec3);
        on.moveTo(voxel.map(Math.round) as Vec3, hit.name);
      },
    });
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      if (!closed) say(LOST, true);
    });
    canvas.addEventListener("webglcontextrestored", () => {
      say("");
      invalidate();
    });
  };
  listen();
  const observer = new ResizeObserver(invalidate);
  observer.observe(el);

  return {
    el,
    draw(next) {
      if (state === "idle") void start();
      const before = last;
      last = next;
      const where = placeOf(next, "labels");
      // Masks that are read anew under the same name are other masks.
      const anew = lostBefore?.key === next.labels?.key && (lostBefore?.revision ?? 0) > (next.labels?.revision ?? 0);
      if (next.labels) lostBefore = next.labels;
      if (where !== place || anew) {
        if (anew) store.forget(place);
        if (before?.scene.key !== next.scene.key) touched = false;
        place = where;
        onCard = new Map();
        space?.empty();
        if (!touched) space?.fit(box(next.scene));
        return rest(() => refresh(true), AFTER_SLICES_MS);
      } else if (before && same(before, next)) {
        if (planes.ariaPressed !== "true" && next.voxel.every((x, i) => x === before.voxel[i])) return;
        if (cost > QUICK_MS) return rest(() => refresh(true));
      }
      refresh();
    },
    clear() {
      last = null;
      place = "";
      onCard = new Map();
      space?.empty();
      space?.slices([]);
      space?.cross(null);
      space?.render();
      title.textContent = "3D";
    },
    reset,
    shot() {
      if (!space || !last || !note.hidden || !el.checkVisibility()) return null;
      clearTimeout(resting);
      refresh(true);
      cancelAnimationFrame(frame);
      render();
      const isEmpty = el.dataset["surfaces"] === "0" && planes.ariaPressed !== "true";
      if (isEmpty && partsOf(last).length) return null; // all of them are on their way
      return shot(canvas, turned, title.textContent ?? "");
    },
    press: (event) => press(event),
    dispose() {
      closed = true;
      cancelAnimationFrame(frame);
      clearTimeout(resting);
      observer.disconnect();
      store.dispose();
      space?.dispose();
      space = null;
    },
  };
}
