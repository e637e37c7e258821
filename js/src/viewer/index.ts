// The slice viewer. What is seen is decided here and drawn by the tiles; the kernel cuts slices.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./viewer.css";
import "./bar.css";
import "./overlays.css";
import "./space.css";
import { errorLine, h, root } from "../shared/dom";
import { connect, isOutdated } from "../shared/kernel";
import { actions } from "./actions";
import { bar } from "./bar";
import { clampVoxel, middle, toVoxel } from "./geometry";
import { bindKeys, helpCard } from "./keys";
import { measures } from "./measure";
import { panel } from "./panel";
import { bindMosaic, bindPointer, type Pointed } from "./pointer";
import { describe, inWords, lookUp, readout, type Found } from "./readout";
import { PLANES, readOptions, type Labels, type ModelState, type Plane, type Scene, type Vec3 } from "./scene";
import { slices } from "./slices";
import { spaceTile } from "./space";
import { stage } from "./stage";
import { freshView, indexOf, makeLook, NONE, ownColors, ownOpacities, setWindow, withOther } from "./state";
import { put } from "./tile";
import { trueValues } from "./values";
import { visits } from "./visits";

const GONE = ".xp-lost, .jupyter-widgets-disconnected";
const SILENT = "The kernel has not answered for a while: it is busy, or it has stopped. What was loaded can still be looked at.";

function render({ model, el }: { model: AnyModel<ModelState>; el: HTMLElement }): () => void {
  root(el, "viewer", "Viewer");
  const kernel = connect(model);
  const view = freshView();
  const drawn = measures();
  const exact = trueValues(kernel, () => say());
  const told = readout(() => {
    if (!view.scene) return;
    const words = describe(view, exact.of(view.scene, lookUp(view, cuts, view.voxel)));
    for (const t of planes.tiles.values()) t.describe(words);
  });
  /** What the pointer is at: a place in a picture, or a structure in 3D. */
  let under: { plane: Plane; voxel: Vec3; x: number; y: number } | null = null;
  let surface: { name: string; x: number; y: number } | null = null;
  let frame = 0;
  let stale = false;
  let closed = false;

  // ---- parts ---------------------------------------------------------------------------------
  /** Draw once all of a change is made: at once, but once a frame. */
  const redraw = (): void => {
    stale = true;
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (stale) redraw();
    });
    queueMicrotask(draw);
  };
  const fail = (error: Error): void => {
    // A kernel that is gone is told of below.
    if (!isOutdated(error) && !el.matches(GONE)) planes.notice(error.message);
  };
  const arrived = (): void => {
    redraw();
    say();
  };
  const cuts = slices(kernel, { arrived, failed: fail, idle: () => cases.fetch() });
  const space = spaceTile(kernel, {
    moveTo: (voxel, structure) => act.moveTo(voxel, structure),
    hover(name, x, y) {
      surface = name ? { name, x, y } : null;
      const row = rowOf(name);
      hovered(row < 0 ? NONE : new Set([row]));
      card();
    },
    maximise: () => act.maximise("3d"),
    focus: () => planes.el.focus({ preventScroll: true }),
    failed: (message) => planes.notice(message),
  });
  const planes = stage(view, cuts, drawn, space);
  const help = helpCard(() => planes.el);
  planes.el.append(told.card, help.el);
  // Where 3D is alone, the keys of the planes are its own.
  planes.el.addEventListener("keydown", (event) => {
    if (event.target === planes.el && model.get("layout_name") === "3d") space.press(event);
  });

  const draw = (): void => {
    stale = false;
    if (closed) return;
    planes.draw();
    controls.update({
      window: view.scene?.image ? view.window : null,
      preset: act.shade.name,
      structure: act.target,
      windowedOn: act.shade.on,
      layout: model.get("layout_name"),
      options: view.options,
      tool: drawn.tool,
      maskSets: model.get("mask_sets") ?? [],
      maskSet: model.get("mask_set") || "reference",
      compare: model.get("compare") ?? "",
    });
    side.setChosen(act.chosen);
    planes.el.classList.toggle("xp-measuring", drawn.tool !== null);
  };

  // ---- what is there -------------------------------------------------------------------------
  const hovered = (rows: ReadonlySet<number>): void => {
    if (rows.size === view.hovered.size && [...rows].every((row) => view.hovered.has(row))) return;
    view.hovered = rows;
    side.setHovered(rows);
    redraw();
  };
  /** What is measured in the slices that are seen. */
  const measured = (): string[] =>
    PLANES.flatMap((plane) => (planes.seen(plane) ? drawn.listed(view.scene!, plane, indexOf(view, plane)) : []));
  const rowOf = (name: string): number => view.labels?.structures.findIndex((row) => row.name === name) ?? -1;
  /** Show the card of what is under the pointer, or hide it. */
  const card = (spot: Found | null = null): void => {
    const row = surface ? rowOf(surface.name) : -1;
    if (surface && view.options.overlay && view.look.shown.has(row)) told.surface(view, row, surface.x, surface.y);
    else told.point(view, spot, model.get("compare") ?? "", under?.x ?? 0, under?.y ?? 0);
  };
  const say = (): void => {
    const compare = model.get("compare") ?? "";
    const spot = under && exact.of(view.scene, lookUp(view, cuts, under.voxel));
    if (under) hovered(new Set([...(spot?.rows ?? []), ...(spot?.otherRows ?? [])]));
    card(spot);
    const found = spot ?? exact.of(view.scene, lookUp(view, cuts, view.voxel));
    told.say(found ? inWords(view, found, spot ? under!.plane : view.active, compare, measured()) : "");
  };
  const hover: Pointed["hover"] = (plane, voxel, x, y) => {
    if (!voxel && under) hovered(NONE);
    under = voxel && { plane, voxel, x, y };
    surface = null;
    say();
  };

  // ---- model to view -------------------------------------------------------------------------
  const relook = (): void => {
    const [colors, opacities] = [ownColors(model.get("colors")), ownOpacities(model.get("opacities"))];
    view.look = makeLook(view, model.get("structures"), colors, opacities);
    side.setShown(view.look.shown, !model.get("structures"));
    side.setOverlay(view.options.overlay);
    if (surface) card();
    redraw();
  };
  const onStyle = (): void => {
    side.setStyle(ownColors(model.get("colors")), ownOpacities(model.get("opacities")));
    relook();
  };
  const open = (scene: Scene | null): void => {
    const before = view.scene;
    view.scene = scene;
    act.shade.renew(cases.isAhead());
    // The same case: its window is known by now.
    if (scene && scene.key === before?.key) return showWindow();
    under = surface = null;
    cuts.open(scene);
    planes.open(before);
    showWindow();
    act.leave();
    place();
    onLabels();
    onBusy();
    say();
  };
  const onScene = (): void => {
    const next = model.get("scene");
    const scene = "key" in next ? (next as Scene) : null;
    if (cases.opened(scene)) open(scene);
  };
  /** Put the crosshair where the model has it, and in a case which is yet to be opened where it was left. */
  const place = (): void => {
    if (!view.scene) return;
    const point = cases.isAhead() ? cases.place(view.scene.case) : model.get("point");
    view.voxel = clampVoxel(view.scene, point ? toVoxel(view.scene, point) : middle(view.scene));
    redraw();
    say();
  };
  const ofScene = (given: Labels | Record<string, never> | undefined): Labels | null =>
    view.scene && given && "key" in given && given.key === view.scene.key ? (given as Labels) : null;
  const onLabels = (): void => {
    const page = view.scene && cases.page(view.scene.key);
    const labels = ofScene(model.get("labels")) ?? page?.labels ?? null;
    view.other = labels && (ofScene(model.get("other")) ?? page?.other ?? null);
    view.labels = withOther(labels, view.other);
    if (view.scene && view.labels?.complete && !page) {
      cases.remember({ scene: view.scene, labels: view.labels, other: view.other, facts: model.get("facts") });
    }
    view.hovered = NONE;
    cuts.setLabels(view.labels);
    cuts.setOther(view.other);
    side.setLabels(view.labels, model.get("busy"));
    relook();
    planes.compared(model.get("mask_set") || "reference", model.get("compare") ?? "");
    say();
  };
  const onPoint = (): void => {
    if (!view.scene || cases.isAhead()) return;
    const point = model.get("point");
    if (point && act.sent && point.every((x, i) => Math.abs(x - act.sent![i]!) < 1e-6)) return;
    place();
  };
  const showWindow = (): void => {
    if (!view.scene) return;
    setWindow(view, ...(model.get("window") ?? view.scene.window));
    redraw();
  };
  const onWindow = (): void => {
    if (cases.isAhead()) return; // that of a case before
    act.shade.took();
    showWindow();
  };
  const onOptions = (): void => {
    view.options = readOptions(model.get("options"));
    relook();
    planes.compared(model.get("mask_set") || "reference", model.get("compare") ?? "");
  };
  const onLayout = (): void => {
    const layout = model.get("layout_name");
    const held = document.activeElement;
    planes.setLayout(layout);
    if (held && planes.el.contains(held) && !held.checkVisibility()) planes.el.focus({ preventScroll: true });
    view.active = PLANES.find((plane) => plane === layout) ?? view.active;
    hover(view.active, null, 0, 0);
    redraw();
  };
  const onBusy = (): void => {
    const [busy, cases] = [model.get("busy"), model.get("cases")];
    const none = cases ? "Choose a case, or press ] for the next one." : "No case to show.";
    const failed = model.get("error") ? "No picture: the reason is told below." : none;
    planes.note(view.scene || busy ? busy : failed, busy !== "");
    if (!view.labels) side.setLabels(null, busy);
  };
  const onFacts = (): void => side.setFacts(model.get("facts"));

  // ---- hands -----------------------------------------------------------------------------------
  const cases = visits({
    model, kernel, slices: cuts, failed: fail,
    current: () => view.scene?.case ?? "",
    leave: () => act.tellPoint(),
    window: (scene) => act.shade.of(scene),
    enter(page) {
      open(page.scene);
      side.setFacts(page.facts);
    },
    settle() {
      onScene();
      onFacts();
      if (!act.hasMoved) onPoint();
    },
  });
  const act = actions({
    model, kernel, view, stage: planes, measures: drawn, redraw, say, hovered, announce: told.announce,
    step: cases.step,
    rowsHere() {
      const found = lookUp(view, cuts, view.voxel);
      return found ? [...found.rows, ...found.otherRows] : [];
    },
    showHelp: help.toggle,
    close: () => help.close() || controls.close(),
  });
  const controls = bar(act);
  const side = panel(act, controls.sets);
  const pointed: Pointed = {
    focus: () => planes.el.focus({ preventScroll: true }),
    activate: (plane) => (view.active = plane),
    moveTo: act.moveTo,
    slice: act.sliceBy,
    sliceTo: act.sliceTo,
    maximise: act.maximise,
    window: () => view.window,
    setWindow: act.shade.drag,
    keepWindow: act.shade.keep,
    redraw,
    hover,
    measuring: () => drawn.tool !== null,
    addPoint: act.addPoint,
    previewPoint(plane, voxel) {
      drawn.preview(plane, voxel);
      redraw();
    },
  };
  for (const [plane, t] of planes.tiles) bindPointer(plane, t, pointed);
  bindMosaic(planes.mosaic, {
    ...pointed,
    sheet: act.sheet,
    shift(by) {
      planes.mosaic.shift(by);
      redraw();
    },
    at: (voxel, x, y) => hover(view.active, voxel, x, y),
  });

  // ---- life ----------------------------------------------------------------------------------
  const fold = h("button", { class: "xp-btn xp-panel-toggle", "aria-expanded": "false" }, "Structures");
  fold.addEventListener("click", () => fold.setAttribute("aria-expanded", String(el.classList.toggle("xp-panel-open"))));
  const left = h("div", { class: "xp-stage" }, planes.el, planes.legend, told.line, told.heard, controls.el);
  bindKeys(left, side.el, act);
  el.append(left, side.el, fold);
  const disposeError = errorLine(el, model);
  const silent = h("div", { class: "xp-silent", role: "alert" });
  el.append(silent);
  kernel.onSilence((is) => put(silent, is ? SILENT : ""));
  const observer = new ResizeObserver(redraw);
  observer.observe(planes.el);
  const handlers: [string, () => void][] = [
    ["scene", onScene], ["labels", onLabels], ["other", onLabels], ["point", onPoint], ["window", onWindow], ["layout_name", onLayout],
    ["structures", relook], ["colors", onStyle], ["opacities", onStyle], ["options", onOptions], ["facts", onFacts], ["busy", onBusy],
    ["cases", onBusy], ["error", onBusy], ["mask_sets", redraw], ["mask_set", onOptions], ["compare", onOptions],
  ];
  for (const [name, handler] of handlers) model.on(`change:${name}`, handler);
  onLayout();
  onFacts();
  view.options = readOptions(model.get("options"));
  onStyle();
  onScene();
  redraw();
  return () => {
    for (const [name, handler] of handlers) model.off(`change:${name}`, handler);
    observer.disconnect();
    cancelAnimationFrame(frame);
    closed = true;
    cuts.open(null);
    for (const part of [act, cases, planes, controls, help, space, exact, kernel]) part.dispose();
    disposeError();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
