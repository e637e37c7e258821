// What the keys, the pointer, the bar, the list and 3D can do.
import type { AnyModel } from "@anywidget/types";
import { isOutdated, type Kernel } from "../shared/kernel";
import type { BarActions } from "./bar";
import { copyPicture, seen } from "./clipboard";
import { AXES, clampVoxel, rightwards, toWorld } from "./geometry";
import type { Commands, Toggle } from "./keys";
import type { Measures } from "./measure";
import type { PanelActions } from "./panel";
import { hasFills, hasSheet, isPresent, paintOf, paintsOf, PLANES, type Layout, type ModelState, type Options, type Plane, type Vec3 } from "./scene";
import type { Stage } from "./stage";
import { TITLES } from "./tile";
import { ownColors, ownOpacities, type View } from "./state";
import { sliceOf, whereabouts, type MaskLayer } from "./where";
import { windowing, type Windowing } from "./windowing";

const POINT_DELAY_MS = 80;
/** While the hand moves: each message costs JupyterLab a frame. */
const MOVING_POINT_MS = 400;
const SAVE_DELAY_MS = 150;
const PAN_PIXELS = 40;
const TOGGLE_WORDS: Record<Toggle, readonly [on: string, off: string]> = {
  overlay: ["Structures shown", "Structures off"],
  radiological: ["Radiological", "Neurological"],
  smooth: ["Linear interpolation", "Nearest voxel"],
  crosshair: ["Crosshair shown", "Crosshair off"],
  difference: ["Difference of the two sets", "Difference off"],
};
const LAYOUT_WORDS: Partial<Record<Layout, string>> = {
  grid: "Three planes and 3D", mosaic: "A plane beside a mosaic of its slices", sheet: "Mosaic of slices", "3d": "3D",
};
const NO_TOOL = "The tool is put away";

/** Layouts of more than one view. */
const SEVERAL: ReadonlySet<Layout> = new Set(["grid", "mosaic"]);

export interface Parts {
  model: AnyModel<ModelState>;
  kernel: Kernel;
  view: View;
  stage: Stage;
  measures: Measures;
  redraw(): void;
  /** What the crosshair is at has changed. */
  say(): void;
  /** Go to the next or the previous case. */
  step(by: 1 | -1): void;
  /** Rows of the structures at the crosshair. */
  rowsHere(): readonly number[];
  /** Whose rows are hovered, by whatever view of them. */
  hovered(rows: ReadonlySet<number>): void;
  /** Tell a screen reader what was done. */
  announce(text: string): void;
  showHelp(): void;
  /** Close what is open over the planes; false when nothing was. */
  close(): boolean;
}

export interface Actions extends Omit<Commands, "help" | "layout">, Omit<BarActions, "help" | "tool" | "copy">, PanelActions {
  /** Put the crosshair somewhere; a structure that is there is chosen by that: `surface`, where it was pointed at. */
  moveTo(voxel: Vec3, surface?: string): void;
  sliceBy(plane: Plane, by: number): void;
  sliceTo(plane: Plane, index: number): void;
  /** This alone, or again what it was beside. */
  maximise(layout: Layout): void;
  addPoint(plane: Plane, voxel: Vec3): void;
  /** Choose the plane of the mosaic. */
  sheet(plane: Plane): void;
  help(): void;
  /** The window that is shown, and the structure that the next one may be on. */
  readonly shade: Windowing;
  readonly target: string;
  /** The structure that was gone to last in this case, or "". */
  readonly chosen: string;
  /** The point that was told to the kernel last. */
  readonly sent: Vec3 | null;
  /** Whether the crosshair was moved since. */
  readonly hasMoved: boolean;
  /** Tell the kernel now where the crosshair is, where that was still to be told; returns it. */
  tellPoint(): Vec3 | null;
  /** The case is left: what belongs to it is over. */
  leave(): void;
  dispose(): void;
}

export function actions({ model, kernel, view, stage, measures, redraw, say, step, rowsHere, hovered, announce, showHelp, close }: Parts): Actions {
  const locate = whereabouts(kernel);
  let telling = 0;
  let toldAt = -Infinity;
  let movedAt = -Infinity;
  let saving = 0;
  let sent: Vec3 | null = null;
  let moved = false;
  let chosen = "";
  /** What was left for a single view. */
  let several: Layout = "grid";

  const save = <K extends keyof ModelState>(name: K, value: ModelState[K]): void => {
    model.set(name, value);
    model.save_changes();
  };
  /** What changes many times a second is there for the page at once, and for the kernel soon. */
  const saveSoon = <K extends keyof ModelState>(name: K, value: ModelState[K]): void => {
    model.set(name, value);
    clearTimeout(saving);
    saving = window.setTimeout(() => {
      saving = 0;
      model.save_changes();
    }, SAVE_DELAY_MS);
  };
  const fail = (error: Error): void => {
    if (!isOutdated(error)) stage.notice(error.message);
  };

  const tellPoint = (): void => {
    telling = 0;
    if (!view.scene) return;
    toldAt = performance.now();
    sent = toWorld(view.scene, view.voxel);
    save("point", sent);
  };
  const tellSoon = (): void => {
    telling = window.setTimeout(() => {
      const now = performance.now();
      const isDue = now - movedAt >= POINT_DELAY_MS || now - toldAt >= MOVING_POINT_MS;
      return isDue ? tellPoint() : tellSoon();
    }, POINT_DELAY_MS);
  };
  const moveTo = (next: Vec3): void => {
    if (!view.scene) return;
    view.voxel = clampVoxel(view.scene, next);
    moved = true;
    movedAt = performance.now();
    if (measures.tool) measures.preview(view.active, view.voxel);
    if (!telling) tellSoon();
    say();
    redraw();
  };
  const moveAlong = (axis: number, to: number): void => {
    const next = [...view.voxel] as Vec3;
    next[axis] = to;
    moveTo(next);
  };
  const sliceTo = (plane: Plane, index: number): void => moveAlong(AXES[plane][2], index);
  const sliceBy = (plane: Plane, by: number): void => sliceTo(plane, Math.round(view.voxel[AXES[plane][2]]!) + by);

  const options = (change: Partial<Options>): void => saveSoon("options", { ...view.options, ...change });
  const isComparing = (): boolean => Boolean(model.get("compare"));
  const nameAt = (row: number | undefined): string => view.labels?.structures[row ?? -1]?.name ?? "";
  /** Which of the two sets of masks tells of a structure. */
  const layerOf = (name: string): MaskLayer =>
    view.labels?.structures.find((row) => row.name === name)?.only === undefined ? "labels" : "other";
  const isThere = (name: string): boolean => view.labels?.structures.some((row) => row.name === name && isPresent(row)) ?? false;
  const shownHere = (): string[] => rowsHere().filter((row) => view.look.shown.has(row)).map(nameAt);
  /** The structure that was gone to, or else the one that the crosshair is in. */
  const target = (): string => (isThere(chosen) ? chosen : shownHere()[0] ?? "");
  const shade = windowing({ model, kernel, view, target, layerOf, redraw, failed: fail });
  const go: PanelActions["go"] = (name, goal) => {
    const { scene, active } = view;
    const layer = layerOf(name);
    const masks = view[layer];
    if (!scene || !masks) return;
    chosen = name;
    redraw();
    locate(layer, masks, name).then((where) => {
      if (view.scene?.key !== scene.key) return;
      if (goal === "centre") return moveTo(where.centre);
      const w = AXES[active][2];
      const index = sliceOf(where, goal, active, Math.round(view.voxel[w]!));
      const words = name.replaceAll("_", " ");
      if (index === null) return stage.notice(`No ${goal} ${active} slice has ${words}.`);
      const next = [...(goal === "largest" ? where.centre : view.voxel)] as Vec3;
      next[w] = index;
      return moveTo(next);
    }).catch(fail);
  };

  const addPoint = (plane: Plane, voxel: Vec3): void => {
    if (view.scene) measures.add(view.scene, plane, voxel);
    say();
    announce("Point set");
    redraw();
  };
  const layout = (name: Layout): void => {
    const before = model.get("layout_name");
    if (SEVERAL.has(before)) several = before;
    save("layout_name", name);
    announce(LAYOUT_WORDS[name] ?? `${TITLES[PLANES.find((plane) => plane === name) ?? view.active]} slices`);
  };
  const sheet = (plane: Plane): void => {
    view.active = plane;
    announce(`${TITLES[plane]} slices`);
    say();
    redraw();
  };

  return {
    moveTo(voxel, surface) {
      moveTo(voxel);
      const here = surface ? [surface] : shownHere();
      if (!here.includes(chosen)) chosen = here[0] ?? chosen;
    },
    sliceBy,
    sliceTo,
    slice: (by) => sliceBy(view.active, by),
    end: (last) => sliceBy(view.active, last ? 1e6 : -1e6),
    across(by) {
      const axis = AXES[view.active][0];
      moveAlong(axis, view.voxel[axis]! + by * rightwards(view.active, view.options.radiological));
    },
    step(by) {
      step(by);
      clearTimeout(telling);
      telling = 0;
    },
    structure(by) {
      const rows = view.labels?.structures.filter((row, i) => isPresent(row) && view.look.shown.has(i)) ?? [];
      if (!rows.length) return stage.notice("No structure is shown to go to.");
      const from = target();
      const place = rows.findIndex((row) => row.name === from);
      const next = place < 0 ? (by > 0 ? 0 : rows.length - 1) : (place + by + rows.length) % rows.length;
      go(rows[next]!.name, "centre");
    },
    go,
    follow(by) {
      const name = target();
      if (name) go(name, by > 0 ? "next" : "previous");
      else stage.notice("Go to a structure first: click it, or press .");
    },

    layout(name) {
      const isAgain = hasSheet(name) && model.get("layout_name") === name;
      if (isAgain) sheet(PLANES[(PLANES.indexOf(view.active) + 1) % PLANES.length]!);
      else layout(name);
    },
    sheet,
    maximise(name) {
      if (SEVERAL.has(model.get("layout_name"))) layout(name);
      else layout(name === "sheet" ? "mosaic" : several);
    },
    options,
    toggle(name) {
      announce(TOGGLE_WORDS[name][view.options[name] ? 1 : 0]);
      options({ [name]: !view.options[name] });
    },
    cyclePaint() {
      const paints = paintsOf(isComparing());
      const next = paints[(paints.indexOf(paintOf(view.options, isComparing())) + 1) % paints.length]!;
      announce(`Structures: ${next === "both" ? "fill and outline" : next}`);
      options({ paint: next });
    },
    fade(by) {
      if (!hasFills(view.options, isComparing())) stage.notice("Only outlines are drawn, and opacity is of fills: O adds them.");
      else {
        const opacity = Math.round(Math.min(1, Math.max(0, view.options.opacity + by)) * 100) / 100;
        announce(`Opacity ${Math.round(100 * opacity)} %`);
        options({ opacity });
      }
    },
    reset() {
      stage.resetZoom();
      shade.choose("1-99");
    },
    window: shade.type,
    preset: shade.choose,
    shade,
    masks(shown, compared) {
      const before = model.get("mask_set");
      model.set("mask_set", shown);
      // The compared set is chosen to be shown: the two change places.
      save("compare", compared === shown ? before : compared);
    },

    show: (names) => save("structures", names),
    hover(name) {
      const row = view.labels?.structures.findIndex((found) => found.name === name) ?? -1;
      hovered(new Set(row >= 0 ? [row] : []));
    },
    color(name, color) {
      const own = ownColors(model.get("colors"));
      if (color === null) own.delete(name);
      else own.set(name, color);
      saveSoon("colors", [...own]);
    },
    opacity(name, value) {
      const own = ownOpacities(model.get("opacities"));
      if (value >= 1) own.delete(name);
      else own.set(name, value);
      saveSoon("opacities", [...own]);
    },

    zoom(by) {
      const pad = stage.pad(view.active);
      pad?.zoomAt(view.voxel, by);
      if (pad) announce(`Zoom ${Math.round(100 * pad.zoom.factor)} %`);
      redraw();
    },
    pan(right, up) {
      const zoom = stage.pad(view.active)?.zoom;
      if (!zoom) return;
      zoom.panX += right * PAN_PIXELS;
      zoom.panY -= up * PAN_PIXELS;
      redraw();
    },

    tool(name) {
      measures.take(name);
      announce(measures.tool ? `Measure: set the first point of the ${measures.tool}` : NO_TOOL);
      redraw();
    },
    addPoint,
    mark() {
      const { active, voxel } = view;
      if (!measures.tool) return;
      if (!stage.seen(active)) return stage.notice("Points are set in a plane: press 1, 2, 3 or 4.");
      addPoint(active, voxel.map((x, axis) => (axis === AXES[active][2] ? Math.round(x) : x)) as Vec3);
    },
    removeMeasurement() {
      if (view.scene && measures.removeLast(view.scene)) say();
      redraw();
    },
    copy() {
      const { scene } = view;
      if (!scene) return;
      stage.notice("Drawing the picture …");
      copyPicture(kernel, seen(model, scene, view, stage, measures), stage.space.shot(), `${scene.case}.png`)
        .then(stage.notice)
        .catch((error: Error) => stage.notice(isOutdated(error) ? `${scene.case} is still being opened: copy it once it is.` : error.message));
    },
    help: showHelp,
    tell: stage.notice,
    escape() {
      if (!close() && measures.cancel()) announce(measures.tool ? "Given up" : NO_TOOL);
      redraw();
    },
    get target() {
      return target();
    },
    get chosen() {
      return isThere(chosen) ? chosen : "";
    },
    get sent() {
      return sent;
    },
    get hasMoved() {
      return moved;
    },
    tellPoint() {
      if (telling) {
        clearTimeout(telling);
        tellPoint();
      }
      return view.scene && toWorld(view.scene, view.voxel);
    },
    leave() {
      clearTimeout(telling);
      telling = 0;
      sent = null;
      moved = false;
      chosen = "";
    },
    dispose() {
      clearTimeout(telling);
      if (saving) model.save_changes();
      clearTimeout(saving);
    },
  };
}
