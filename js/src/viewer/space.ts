// The 3D tile: surfaces of what is shown, slice planes and crosshair. Its program comes when first needed.
import { h } from "../shared/dom";
import { isOutdated, type Kernel } from "../shared/kernel";
import type { Letter, Look, Slice, Space } from "../space/index";
import type { Rgb } from "./composite";
import { cube } from "./cube";
import { AXES, toVoxel, toWorld } from "./geometry";
import { meshes } from "./meshes";
import { hasWebGL, load } from "./program";
import { isPresent, PLANES, type Labels, type Options, type Plane, type Scene, type Vec3 } from "./scene";
import { saveSurfaces, type Format } from "./saving";
import { put } from "./tile";
import { bindSpace } from "./turning";

export interface SpaceFrame {
  scene: Scene;
  labels: Labels | null;
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
   * Windowed slice through `voxel`, one canvas pixel per voxel, columns and rows as in AXES, row 0 the low end.
   * Where its `data-key` is set, it changes with the pixels, and they are sent to the graphics card only then.
   */
  picture(plane: Plane): HTMLCanvasElement | null;
}

export interface SpaceTile {
  el: HTMLElement;
  draw(frame: SpaceFrame): void;
  clear(): void;
  reset(): void;
  /** Turn, zoom or reset by a key that was pressed elsewhere. */
  press(event: KeyboardEvent): void;
  dispose(): void;
}

export interface SpaceActions {
  moveTo(voxel: Vec3): void;
  hover(row: number | null): void;
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
  const more = h("button", { class: "xp-3d-btn", "aria-haspopup": "true", "aria-expanded": "false", title: "Views and export" }, "More");
  const menu = h("div", { class: "xp-3d-menu", role: "group", "aria-label": "Views and export" });
  const turned = cube((letter) => look(letter));
  const el = h("div", { class: "xp-tile xp-3d" }, canvas, title, turned.el, note,
    h("div", { class: "xp-3d-tools" }, planes, more), menu);
  note.hidden = menu.hidden = true;

  let space: Space | null = null;
  let state: "idle" | "loading" | "ready" | "none" = "idle";
  let last: SpaceFrame | null = null;
  let place = "";
  let onCard = new Set<string>();
  let touched = false;
  let frame = 0;
  let resting = 0;
  /** Milliseconds of a picture, and of how many surfaces it was. */
  let [cost, drawn] = [0, -1];
  let closed = false;
  let size = "";
  let lostBefore: Labels | null = null;

  const store = meshes(kernel, (where) => where === place && refresh(), (error) => on.failed(error.message));

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
    onCard = new Set();
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

  const corners = (scene: Scene, plane: Plane, voxel: Vec3): Vec3[] => {
    const [u, v, w] = AXES[plane];
    return [[0, 0], [1, 0], [1, 1], [0, 1]].map(([a, b]) => {
      const at: Vec3 = [0, 0, 0];
      at[u] = a ? scene.shape[u]! - 0.5 : -0.5;
      at[v] = b ? scene.shape[v]! - 0.5 : -0.5;
      at[w] = Math.round(voxel[w]!);
      return toWorld(scene, at);
    });
  };
  const box = (scene: Scene): Vec3[] =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
      toWorld(scene, [0, 1, 2].map((axis) => (n & (1 << axis) ? scene.shape[axis]! - 0.5 : -0.5)) as Vec3),
    );

  const slices = (f: SpaceFrame): (Slice | null)[] =>
    PLANES.map((plane) => {
      const pixels = planes.ariaPressed === "true" ? f.picture(plane) : null;
      return pixels && { corners: corners(f.scene, plane, f.voxel), pixels, key: pixels.dataset["key"] ?? "" };
    });

  const cross = (f: SpaceFrame): Vec3[] | null =>
    f.options.crosshair
      ? [0, 1, 2].flatMap((axis) => [-0.5, f.scene.shape[axis]! - 0.5].map((end) => {
          const at = [...f.voxel] as Vec3;
          at[axis] = end;
          return toWorld(f.scene, at);
        }))
      : null;

  /** Rows to draw; a mask that has not arrived has no set yet. */
  const rows = (f: SpaceFrame): number[] => {
    const labels = f.labels;
    if (!labels) return [];
    const arrived = new Set(labels.sets.flat());
    return [...f.shown].filter((row) => arrived.has(row) && isPresent(labels.structures[row]!));
  };

  /** Bring the picture in line with the frame: ask for what is missing, draw what is there. */
  const refresh = (rested = false): void => {
    if (!last || state !== "ready" || !space) return;
    const f = last;
    const names = new Map(rows(f).map((row) => [f.labels!.structures[row]!.name, row]));
    store.want(place, f.scene.key, f.labels?.content, [...names.keys()]);
    const looks = new Map<string, Look>();
    let there = 0;
    let fresh = false;
    for (const [name, row] of names) {
      const data = store.get(place, name);
      if (data && !onCard.has(name)) {
        space.put(name, data);
        onCard.add(name);
        fresh = true;
      }
      if (!onCard.has(name)) continue;
      there += 1;
      looks.set(name, { color: f.colors[row] ?? GREY, opacity: f.opacities[row] ?? 1, bright: row === f.hovered });
    }
    space.show(looks);
    space.slices(slices(f));
    space.cross(cross(f));
    if (fresh && !touched) space.fit(box(f.scene));
    const failed = [...names.keys()].filter((name) => store.failed(place, name)).length;
    const count = `${there} surface${there === 1 ? "" : "s"}`;
    put(title, `3D · ${there + failed < names.size ? `${there} of ${names.size} surfaces` : count}`);
    canvas.setAttribute("aria-label", `${title.textContent} of ${f.scene.case}. Arrows turn, plus and minus zoom, Home resets.`);
    el.dataset["surfaces"] = String(there);
    (fresh || rested ? invalidate : whenIdle)();
  };

  /** Whether at most the voxel is another one. */
  const same = (a: SpaceFrame, b: SpaceFrame): boolean => a.scene === b.scene && a.labels === b.labels &&
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
    const colors = rows(f).map((row): [string, Rgb] => [f.labels!.structures[row]!.name, f.colors[row] ?? GREY]);
    try {
      const leftOut = await saveSurfaces(kernel, f.scene, new Map(colors), format);
      if (leftOut.length) on.failed(`Saved without ${leftOut.join(", ")}: no surface can be made of ${leftOut.length === 1 ? "it" : "them"}.`);
    } catch (error) {
      if (!isOutdated(error)) on.failed((error as Error).message);
    }
  };

  const open = (yes: boolean): void => {
    menu.hidden = !yes;
    more.setAttribute("aria-expanded", String(yes));
    // Over the neighbours, and beside its button, where the tile is too low for it.
    const over = menu.offsetTop + menu.offsetHeight + 6 - el.clientHeight;
    menu.style.translate = yes && over > 0 ? `-${more.parentElement!.offsetWidth}px -${over}px` : "";
  };
  const item = (text: string, title_: string, act: () => void): HTMLElement => {
    const button = h("button", { class: "xp-3d-item", title: title_ }, text);
    button.addEventListener("click", () => {
      open(false);
      more.focus();
      act();
    });
    return button;
  };
  const views: [Letter, string][] = [["A", "Front"], ["P", "Back"], ["L", "Left"], ["R", "Right"], ["S", "Above"], ["I", "Below"]];
  menu.append(
    h("div", { class: "xp-3d-cap" }, "View"),
    ...views.map(([letter, name]) => item(name, `See it from this side (${letter})`, () => look(letter))),
    item("Reset", "From the front, all of it (Home)", reset),
    h("div", { class: "xp-3d-cap" }, "Save shown surfaces"),
    item("GLB", "glTF: one file, with colours and names", () => void download("glb")),
    item("STL", "A zip with one file for each", () => void download("stl")),
    item("PLY", "A zip with one file for each, with colours", () => void download("ply")),
  );
  more.addEventListener("click", () => open(menu.hidden !== false));
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    open(false);
    more.focus();
  });
  el.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget as Node | null) && event.relatedTarget !== more) open(false);
  });
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
      hover(name) {
        const row = name && last?.labels ? last.labels.structures.findIndex((s) => s.name === name) : -1;
        on.hover(row < 0 ? null : row);
      },
      pick(hit) {
        if (!last) return;
        // The surface lies between voxels: go in by a voxel, or to the middle of what is thinner.
        const inward = Math.min(hit.depth / 2, Math.hypot(...last.scene.spacing.map((mm, i) => mm * hit.into[i]!)));
        const voxel = toVoxel(last.scene, hit.at.map((x, i) => x + inward * hit.into[i]!) as Vec3);
        on.moveTo(voxel.map(Math.round) as Vec3);
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
      const where = next.labels?.content ?? `${next.scene.key}\n${next.maskSet ?? ""}`;
      // Masks that are read anew under the same name are other masks.
      const anew = lostBefore?.key === next.labels?.key && (lostBefore?.revision ?? 0) > (next.labels?.revision ?? 0);
      if (next.labels) lostBefore = next.labels;
      if (where !== place || anew) {
        if (anew) store.forget(place);
        if (before?.scene.key !== next.scene.key) touched = false;
        place = where;
        onCard = new Set();
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
      onCard = new Set();
      space?.empty();
      space?.slices([]);
      space?.cross(null);
      space?.render();
      title.textContent = "3D";
    },
    reset,
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
