// The slice viewer. What is seen is decided here and drawn by the tiles; the kernel cuts slices.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./viewer.css";
import "./space.css";
import { errorLine, h, root } from "../shared/dom";
import { connect } from "../shared/kernel";
import { bar } from "./bar";
import { paintImage, parseColor, setColors, windowTable, type Rgb } from "./composite";
import { facts } from "./facts";
import { AXES, clampVoxel, middle, millimetres, toVoxel, toWorld } from "./geometry";
import { bindKeys, helpCard } from "./keys";
import { panel } from "./panel";
import { bindPointer, type Pointed } from "./pointer";
import { isPresent, PLANES, shownRows, type Labels, type Layout, type ModelState, type Options, type Plane, type Scene, type Vec3 } from "./scene";
import { slices } from "./slices";
import { spaceTile } from "./space";
import { tile } from "./tile";

const POINT_DELAY_MS = 80;

function render({ model, el }: { model: AnyModel<ModelState>; el: HTMLElement }): () => void {
  root(el, "viewer", "Viewer");
  const kernel = connect(model);
  const options: Options = { radiological: true, outline: false, overlay: true, opacity: 0.45, smooth: true, crosshair: true };
  let scene: Scene | null = null;
  let labels: Labels | null = null;
  let voxel: Vec3 = [0, 0, 0];
  let window_: [number, number] = [0, 1];
  let shown: ReadonlySet<number> = new Set();
  let colors: readonly (Rgb | null)[] = [];
  let table: Uint8ClampedArray = new Uint8ClampedArray(0);
  let hovered: string | null = null;
  let under: Vec3 | null = null;
  let active: Plane = "axial";
  let frame = 0;
  let sending = 0;
  let sent: Vec3 | null = null;
  let revision = 0;

  const tiles = new Map(PLANES.map((plane) => [plane, tile(plane)]));
  const info = facts();
  const help = helpCard();
  const empty = h("div", { class: "xp-note" });
  const planes = h("div", { class: "xp-planes", tabindex: 0, role: "application", "aria-label": "Slices of the open case; press ? for the keys" },
    ...[...tiles.values()].map((t) => t.el), info.el, empty, help);
  const solid = spaceTile(kernel, {
    moveTo: (at) => moveTo(at),
    hover: (row) => {
      hover(row === null ? null : (labels?.structures[row]?.name ?? null));
      side.setHovered(new Set(row === null ? [] : [row]));
    },
    maximise: () => setLayout(model.get("layout_name") === "3d" ? "grid" : "3d"),
    focus: () => planes.focus({ preventScroll: true }),
    failed: (message) => controls.say(message),
  });
  info.el.replaceWith(solid.el);

  const save = <K extends keyof ModelState>(name: K, value: ModelState[K]): void => {
    model.set(name, value);
    model.save_changes();
  };

  // ---- drawing -------------------------------------------------------------------------------
  const invalidate = (): void => {
    if (!frame) frame = requestAnimationFrame(draw);
  };
  const indexOf = (plane: Plane): number => Math.round(voxel[AXES[plane][2]]!);

  const draw = (): void => {
    frame = 0;
    if (!scene) return;
    for (const [plane, t] of tiles) {
      if (!t.el.offsetParent) continue;
      slice_.want(plane, indexOf(plane));
      t.draw({
        scene, voxel, table, colors, options,
        tableKey: window_.join("/"),
        colorsKey: String(revision),
        values: slice_.image(plane, indexOf(plane)),
        ids: slice_.labels(plane, indexOf(plane)),
      });
    }
    if (solid.el.offsetParent) {
      const hoveredRow = labels?.structures.findIndex((row) => row.name === hovered) ?? -1;
      solid.draw({
        scene, labels, shown, voxel, options,
        colors: labels?.structures.map((row) => parseColor(row.color)) ?? [],
        opacities: labels?.structures.map(() => 1) ?? [],
        hovered: hoveredRow < 0 ? null : hoveredRow,
        picture,
      });
    }
    controls.update(window_, model.get("layout_name"), options);
  };
  const pictures = new Map<Plane, HTMLCanvasElement>();
  const picture = (plane: Plane): HTMLCanvasElement | null => {
    const values = slice_.image(plane, indexOf(plane));
    if (!values || !scene) return null;
    const canvas = pictures.get(plane) ?? document.createElement("canvas");
    pictures.set(plane, canvas);
    const key = `${scene.key}/${indexOf(plane)}/${window_.join("/")}`;
    if (canvas.dataset["key"] === key) return canvas;
    canvas.dataset["key"] = key;
    canvas.width = scene.shape[AXES[plane][0]]!;
    canvas.height = scene.shape[AXES[plane][1]]!;
    const data = new ImageData(canvas.width, canvas.height);
    paintImage(values, table, data);
    canvas.getContext("2d")!.putImageData(data, 0, 0);
    return canvas;
  };

  const recolor = (): void => {
    revision += 1;
    if (labels) {
      shown = shownRows(labels, model.get("structures"));
      const rgb = labels.structures.map((row) => parseColor(row.color));
      const bright = labels.structures.findIndex((row) => row.name === hovered);
      if (bright >= 0 && shown.has(bright)) rgb[bright] = rgb[bright]!.map((c) => Math.round(c + (255 - c) * 0.55)) as Rgb;
      colors = setColors(labels, shown, rgb);
      side.setShown(shown);
    } else colors = [];
    invalidate();
  };

  const slice_ = slices(
    kernel,
    () => {
      invalidate();
      say(under ?? voxel);
    },
    (error) => controls.say(error.message),
  );

  // ---- where and how -------------------------------------------------------------------------
  const tellPoint = (): void => {
    sending = 0;
    if (!scene) return;
    sent = toWorld(scene, voxel);
    save("point", sent);
  };
  const moveTo = (next: Vec3): void => {
    if (!scene) return;
    voxel = clampVoxel(scene, next);
    if (!sending) sending = window.setTimeout(tellPoint, POINT_DELAY_MS);
    say(voxel);
    invalidate();
  };
  const setWindow = (low: number, high: number): void => {
    window_ = [low, Math.max(high, low + Number.EPSILON * Math.abs(low) + 1e-6)];
    if (scene) table = windowTable(scene, window_);
    invalidate();
  };

  const namesAt = (at: Vec3): number[] => {
    if (!scene || !labels) return [];
    const plane = PLANES.find((p) => slice_.labels(p, Math.round(at[AXES[p][2]]!)));
    if (!plane) return [];
    const [u, v, w] = AXES[plane];
    const ids = slice_.labels(plane, Math.round(at[w]!))!;
    return labels.sets[ids[Math.round(at[v]!) * scene.shape[u]! + Math.round(at[u]!)]!] ?? [];
  };
  const valueAt = (at: Vec3): number | null => {
    if (!scene) return null;
    for (const plane of PLANES) {
      const [u, v, w] = AXES[plane];
      const values = slice_.image(plane, Math.round(at[w]!));
      if (values) return values[Math.round(at[v]!) * scene.shape[u]! + Math.round(at[u]!)]! * scene.scale + scene.offset;
    }
    return null;
  };
  const say = (at: Vec3): void => {
    if (!scene) return;
    const mm = toWorld(scene, at.map(Math.round) as Vec3).map(millimetres);
    const value = valueAt(at);
    const names = namesAt(at).map((i) => labels!.structures[i]!.name.replaceAll("_", " "));
    const parts = [`x ${mm[0]}  y ${mm[1]}  z ${mm[2]} mm`];
    if (value !== null) parts.push(`value ${scene.exact ? Number(value.toPrecision(6)) : value.toPrecision(4)}`);
    controls.say([...parts, ...names].join(" · "));
  };

  // ---- model to view -------------------------------------------------------------------------
  const onScene = (): void => {
    const next = model.get("scene");
    scene = "key" in next ? (next as Scene) : null;
    labels = null;
    colors = [];
    revision += 1;
    slice_.open(scene);
    if (scene) {
      onWindow();
      sent = null;
      onPoint();
    } else {
      for (const t of tiles.values()) t.clear();
      solid.clear();
      controls.say("");
    }
    onLabels();
    onBusy();
  };
  const onLabels = (): void => {
    const next = model.get("labels");
    labels = scene && "key" in next && next.key === scene.key ? (next as Labels) : null;
    slice_.setLabels(labels);
    side.setLabels(labels, model.get("busy"));
    recolor();
  };
  const onPoint = (): void => {
    if (!scene) return;
    const point = model.get("point");
    if (point && sent && point.every((x, i) => Math.abs(x - sent![i]!) < 1e-6)) return;
    voxel = clampVoxel(scene, point ? toVoxel(scene, point) : middle(scene));
    invalidate();
    say(voxel);
  };
  const onWindow = (): void => {
    if (!scene) return;
    setWindow(...(model.get("window") ?? scene.window));
  };
  const onLayout = (): void => {
    const layout = model.get("layout_name");
    planes.dataset["layout"] = layout;
    active = PLANES.find((plane) => plane === layout) ?? active;
    invalidate();
  };
  const onBusy = (): void => {
    const busy = model.get("busy");
    planes.classList.toggle("xp-busy", busy !== "");
    empty.textContent = scene || busy || model.get("error") ? busy : model.get("cases") ? "Choose a case, or press ] for the next one." : "No case to show.";
    empty.hidden = scene !== null && busy === "";
    if (!labels) side.setLabels(null, busy);
  };
  const onFacts = (): void => info.show(model.get("facts"));

  // ---- actions -------------------------------------------------------------------------------
  const setLayout = (layout: Layout): void => save("layout_name", layout);
  const show = (names: string[] | null): void => {
    save("structures", names);
    recolor();
  };
  const toggle = (option: "overlay" | "outline" | "radiological" | "smooth" | "crosshair"): void => {
    options[option] = !options[option];
    invalidate();
  };
  const setOpacity = (value: number): void => {
    options.opacity = Math.min(1, Math.max(0, value));
    invalidate();
  };
  const hover = (name: string | null): void => {
    if (hovered === name) return;
    hovered = name;
    recolor();
  };
  const showHelp = (): void => {
    help.hidden = !help.hidden;
  };
  const autoWindow = (): void => {
    save("window", null);
    onWindow();
  };
  const controls = bar({
    window: (low, high) => save("window", [low, high]),
    autoWindow,
    layout: setLayout,
    toggle,
    opacity: setOpacity,
    help: showHelp,
  });
  const side = panel({ show, hover, locate: (name) => kernel.tell("locate", { structure: name }) });

  const step = (by: number): void => kernel.tell("step", { by });
  const nextStructure = (by: number): void => {
    if (!labels) return;
    const rows = labels.structures.filter((row, i) => isPresent(row) && shown.has(i));
    if (!rows.length) return;
    const here = new Set(namesAt(voxel).map((i) => labels!.structures[i]!.name));
    const place = rows.findIndex((row) => here.has(row.name));
    const next = place < 0 ? (by > 0 ? 0 : rows.length - 1) : (place + by + rows.length) % rows.length;
    kernel.tell("locate", { structure: rows[next]!.name });
  };
  const sliceBy = (plane: Plane, by: number): void => {
    const next = [...voxel] as Vec3;
    next[AXES[plane][2]] = Math.round(next[AXES[plane][2]]!) + by;
    moveTo(next);
  };
  bindKeys(planes, {
    move: (axis, by) => {
      const next = [...voxel] as Vec3;
      // Arrows go where they point in the picture.
      next[axis] = next[axis]! + (options.radiological ? -by : by);
      moveTo(next);
    },
    slice: (by) => sliceBy(active, by),
    end: (last) => sliceBy(active, last ? 1e6 : -1e6),
    layout: setLayout,
    toggle,
    opacity: (by) => setOpacity(options.opacity + by),
    reset: () => {
      for (const t of tiles.values()) Object.assign(t.zoom, { factor: 1, panX: 0, panY: 0 });
      autoWindow();
    },
    structure: nextStructure,
    step,
    help: showHelp,
  });
  const pointed: Pointed = {
    focus: () => planes.focus({ preventScroll: true }),
    activate: (plane) => (active = plane),
    moveTo,
    slice: sliceBy,
    maximise: (plane) => setLayout(model.get("layout_name") === "grid" ? plane : "grid"),
    window: () => window_,
    setWindow,
    keepWindow: () => save("window", window_),
    redraw: invalidate,
    hover: (at) => {
      if (!scene) return;
      const inside = at && at.every((x, i) => x > -0.5 && x < scene!.shape[i]! - 0.5) ? at : null;
      under = inside;
      side.setHovered(new Set(inside ? namesAt(inside) : []));
      say(inside ?? voxel);
    },
  };
  for (const [plane, t] of tiles) bindPointer(plane, t, pointed);

  // ---- life ----------------------------------------------------------------------------------
  const fold = h("button", { class: "xp-btn xp-panel-toggle", "aria-expanded": "false" }, "Structures");
  fold.addEventListener("click", () => fold.setAttribute("aria-expanded", String(el.classList.toggle("xp-panel-open"))));
  el.append(h("div", { class: "xp-stage" }, planes, controls.said, controls.el), side.el, fold);
  const disposeError = errorLine(el, model);
  const observer = new ResizeObserver(invalidate);
  observer.observe(planes);
  const handlers: [string, () => void][] = [
    ["scene", onScene], ["labels", onLabels], ["point", onPoint], ["window", onWindow], ["layout_name", onLayout],
    ["structures", recolor], ["facts", onFacts], ["busy", onBusy], ["cases", onBusy], ["error", onBusy],
  ];
  for (const [name, handler] of handlers) model.on(`change:${name}`, handler);
  onLayout();
  onFacts();
  onScene();
  controls.update(null, model.get("layout_name"), options);
  return () => {
    for (const [name, handler] of handlers) model.off(`change:${name}`, handler);
    observer.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(sending);
    disposeError();
    solid.dispose();
    kernel.dispose();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
