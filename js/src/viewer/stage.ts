// The tiles of the viewer and what lies over them; draws those that are seen.
import { h } from "../shared/dom";
import { DIFFERENCES } from "./composite";
import type { Measures } from "./measure";
import { mosaic, type Mosaic } from "./mosaic";
import type { Layers } from "./painter";
import { hasSheet, PLANES, type Layout, type Plane, type Scene } from "./scene";
import type { Slices } from "./slices";
import type { SpaceTile } from "./space";
import { indexOf, NONE, type View } from "./state";
import { put, tile, type Frame, type Pad, type Tile } from "./tile";

export interface Stage {
  /** Takes the focus; holds all tiles. */
  el: HTMLElement;
  /** What the colours of a comparison mean. */
  legend: HTMLElement;
  tiles: ReadonlyMap<Plane, Tile>;
  mosaic: Mosaic;
  space: SpaceTile;
  setLayout(layout: Layout): void;
  /** The tile of a plane, if it is seen. */
  seen(plane: Plane): Tile | undefined;
  /** What zooms with a plane. */
  pad(plane: Plane): Pad | undefined;
  draw(): void;
  /** A new case: its geometry may be another one. */
  open(before: Scene | null): void;
  resetZoom(): void;
  /** Say in the middle of the planes what there is to see or to wait for. */
  note(text: string, busy: boolean): void;
  /** Tell of something that has happened, for a while. */
  notice(text: string): void;
  compared(maskSet: string, compare: string): void;
  dispose(): void;
}

const NOTICE_MS = 5000;
const READY_AHEAD = 48;
/** To make a slice ready mostly takes less; so much is kept of an idle moment. */
const READY_MS = 6;

const sameGrid = (a: Scene | null, b: Scene | null): boolean =>
  a !== null && b !== null && a.shape.join() === b.shape.join() && a.spacing.join() === b.spacing.join();

export function stage(view: View, slices: Slices, measures: Measures, space: SpaceTile): Stage {
  const tiles = new Map(PLANES.map((plane) => [plane, tile(plane)]));
  const lightbox = mosaic(slices);
  const note = h("div", { class: "xp-note" });
  const toast = h("div", { class: "xp-toast", role: "status", hidden: true });
  const legend = h("div", { class: "xp-legend", hidden: true });
  const el = h("div", { class: "xp-planes", tabindex: 0, role: "application", "aria-label": "Slices of the open case; press ? for the keys" },
    ...[...tiles.values()].map((t) => t.el), space.el, lightbox.el, note, toast);
  /** Sizes in CSS pixels as long as they hold: asking the page in every frame would have it laid out each time. */
  const sizes = new Map<Element, [number, number]>();
  const sizeOf = (part: HTMLElement): [number, number] => {
    const known = sizes.get(part) ?? [part.clientWidth, part.clientHeight];
    sizes.set(part, known);
    return known;
  };
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => sizes.delete(target)));
  for (const part of [el, ...[...tiles.values()].map((t) => t.el)]) observer.observe(part);
  let layout: Layout = "grid";
  let maskSet = "reference";
  let fading = 0;

  const frameOf = (plane: Plane): Frame => {
    const index = slices.nearest(plane, indexOf(view, plane));
    const { scene, voxel, grey, look, hovered, options } = view;
    return {
      scene: scene!, voxel, index, grey, look, hovered, options, measures,
      values: slices.image(plane, index), ids: slices.labels(plane, index), otherIds: slices.other(plane, index),
    };
  };
  /** Make ready the slices that a step or a drag would show, the nearest first, while the page has nothing else to do. */
  const ahead = (idle: IdleDeadline): void => {
    const { scene, look, active, options } = view;
    if (!scene) return;
    const seen = layout === "grid" ? [active, ...PLANES.filter((plane) => plane !== active)] : [active];
    for (let far = 1; far <= READY_AHEAD; far++) {
      for (const plane of seen) {
        for (const index of [indexOf(view, plane) + far, indexOf(view, plane) - far]) {
          const of = (layer: "labels" | "other"): Layers["ids"] => (options.overlay ? slices[layer](plane, index) : undefined);
          const layers = { values: slices.image(plane, index), ids: of("labels"), otherIds: of("other") };
          const isNew = tiles.get(plane)!.prepare(layers, look);
          if (isNew && idle.timeRemaining() < READY_MS) return requestIdle(ahead);
        }
      }
    }
  };
  let idle = 0;
  const requestIdle = (work: IdleRequestCallback): void => {
    cancelIdleCallback(idle);
    idle = requestIdleCallback(work);
  };
  /** The smallest of the hovered structures: it is the one that is hardest to see. */
  const smallest = (): number | null => {
    const volume = (row: number): number => view.labels?.structures[row]?.volume_ml ?? 0;
    return view.hovered.size ? [...view.hovered].reduce((a, b) => (volume(b) < volume(a) ? b : a)) : null;
  };

  return {
    el,
    legend,
    tiles,
    mosaic: lightbox,
    space,
    setLayout(next) {
      layout = next;
      el.dataset["layout"] = next;
      sizes.clear();
    },
    seen(plane) {
      const isSeen = layout === "grid" || layout === plane || (layout === "mosaic" && plane === view.active);
      return isSeen ? tiles.get(plane) : undefined;
    },
    pad(plane) {
      return this.seen(plane) ?? (layout === "sheet" ? lightbox : undefined);
    },
    draw() {
      const { scene, look } = view;
      if (!scene || !sizeOf(el)[0]) return;
      const inSpace = layout === "grid" || layout === "3d";
      if (el.dataset["plane"] !== view.active) {
        el.dataset["plane"] = view.active;
        sizes.clear();
      }
      for (const [plane, t] of tiles) {
        const isSeen = this.seen(plane) !== undefined;
        if (isSeen || inSpace || (layout === "sheet" && plane === view.active)) slices.want(plane, indexOf(view, plane));
        else slices.unwant(plane);
        if (isSeen) t.draw(frameOf(plane), ...sizeOf(t.el));
      }
      // A hand in haste passes most of them over.
      if (!slices.isHasty()) requestIdle(ahead);
      if (hasSheet(layout)) lightbox.draw({ ...view, scene, plane: view.active, beside: layout === "mosaic" });
      else lightbox.rest();
      if (inSpace) {
        space.draw({
          scene, labels: view.labels, other: view.other, shown: view.options.overlay ? look.shown : NONE,
          colors: look.colors, opacities: look.opacities,
          hovered: smallest(), voxel: view.voxel, options: view.options, maskSet,
          picture: (plane) => tiles.get(plane)!.picture(frameOf(plane)),
        });
      }
    },
    open(before) {
      if (!sameGrid(before, view.scene)) this.resetZoom();
      lightbox.clear();
      if (view.scene) return;
      for (const t of tiles.values()) t.clear();
      space.clear();
    },
    resetZoom() {
      for (const { zoom } of [...tiles.values(), lightbox]) Object.assign(zoom, { factor: 1, panX: 0, panY: 0 });
      space.reset();
    },
    note(text, busy) {
      put(note, text);
      note.hidden = text === "";
      el.classList.toggle("xp-busy", busy);
    },
    notice(text) {
      put(toast, text);
      toast.hidden = false;
      clearTimeout(fading);
      fading = window.setTimeout(() => (toast.hidden = true), NOTICE_MS);
    },
    compared(shown, compare) {
      maskSet = shown;
      legend.hidden = !view.other || !compare;
      if (legend.hidden) return;
      const key = (looks: string, text: string): HTMLElement => h("span", {}, h("span", { class: looks }), text);
      const { filled, paint } = view.look;
      const [under, over] = filled === "labels" ? [maskSet, compare] : [compare, maskSet];
      const words = { both: "in both", outlined: `only ${over}`, filled: `only ${under}`, differ: "different structures" };
      legend.replaceChildren(
        ...(view.options.difference
          ? DIFFERENCES.map(([name, color]) => h("span", {}, h("span", { class: "xp-dot", style: `background:${color}` }), words[name]))
          : [paint === "fill" ? key("xp-key-fill", `${under}: filled`) : key("xp-key-line xp-key-dashed", `${under}: dashed outline`),
            key("xp-key-line", `${over}: outline with a dark edge`)]),
      );
    },
    dispose() {
      observer.disconnect();
      cancelIdleCallback(idle);
      clearTimeout(fading);
    },
  };
}
