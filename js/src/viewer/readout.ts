// What is under the cursor: a card beside it, a line under the picture, and words for a screen reader.
import { h } from "../shared/dom";
import type { Look, Rgb } from "./composite";
import { AXES, millimetres, toStored, toWorld } from "./geometry";
import type { Raster } from "./raster";
import { PLANES, type Labels, type Plane, type Scene, type Vec3 } from "./scene";
import type { Layer } from "./intake";
import type { Slices } from "./slices";
import type { View } from "./state";
import { put, TITLES } from "./tile";
import { measured } from "./words";

export interface Found {
  voxel: Vec3;
  mm: [string, string, string];
  value: string;
  /** Rows of all structures there. */
  rows: number[];
  otherRows: number[];
}

const HEARD_AFTER_MS = 500;
const MOST_NAMES = 8;

const isInside = (scene: Scene, at: Vec3): boolean => at.every((x, i) => x > -0.5 && x < scene.shape[i]! - 0.5);

/** Read a slice that goes through a voxel, whichever plane's is here. */
function read(scene: Scene, at: Vec3, slice: (plane: Plane, index: number) => Raster | undefined): number | undefined {
  for (const plane of PLANES) {
    const [u, v, w] = AXES[plane];
    const found = slice(plane, at[w]!);
    if (found) return found.data[at[v]! * scene.shape[u]! + at[u]!];
  }
  return undefined;
}

/** Rows of the structures at a voxel; those of an id from before the last masks may be unknown. */
const rowsAt = (scene: Scene, labels: Labels | null, at: Vec3, slice: (plane: Plane, index: number) => Raster | undefined): number[] =>
  (labels && labels.sets[read(scene, at, slice) ?? -1]) ?? [];

export function lookUp(view: View, slices: Slices, at: Vec3): Found | null {
  const { scene, labels, other } = view;
  if (!scene || !isInside(scene, at)) return null;
  const voxel = at.map(Math.round) as Vec3;
  // What was made of fewer pixels is for looking at only.
  const sharp = <T>(layer: Layer, slice: (plane: Plane, index: number) => T | undefined) => (plane: Plane, index: number): T | undefined =>
    slices.isCoarse(plane, index, layer) ? undefined : slice(plane, index);
  const sent = read(scene, voxel, sharp("image", slices.image));
  const value = sent === undefined || !scene.image ? null : sent * scene.scale + scene.offset;
  return {
    voxel,
    mm: toWorld(scene, voxel).map(millimetres) as Found["mm"],
    value: value === null ? "" : scene.exact ? String(Number(value.toPrecision(6))) : `≈ ${value.toPrecision(4)}`,
    rows: rowsAt(scene, labels, voxel, sharp("labels", slices.labels)),
    otherRows: rowsAt(scene, other, voxel, sharp("other", slices.other)),
  };
}

const nameOf = (labels: Labels, row: number): string => labels.structures[row]!.name.replaceAll("_", " ");
const css = ([r, g, b]: Rgb): string => `rgb(${r} ${g} ${b})`;

/** What is at the crosshair, for who does not see the picture. */
export function describe(view: View, found: Found | null): string {
  const names = (rows: number[] = []): string => rows.map((row) => nameOf(view.labels!, row)).join(", ");
  const others = names(found?.otherRows) && `; ${view.other?.mask_set ?? "the compared masks"}: ${names(found?.otherRows)}`;
  return ` of ${view.scene!.case}. At the crosshair: ${names(found?.rows) || "no structure"}${others}${found?.value ? `, value ${found.value}` : ""}`;
}

/** All of it in one line; `plane` is the one that was touched last. */
export function inWords(view: View, found: Found, plane: Plane, compare: string, measurements: readonly string[]): string {
  const scene = view.scene!;
  const [x, y, z] = found.mm;
  const names = (rows: number[]): string[] => rows.map((row) => nameOf(view.labels!, row));
  const others = view.other ? [`${compare}: ${names(found.otherRows).join(", ") || "nothing"}`] : [];
  return [
    scene.case,
    `${TITLES[plane]} ${found.voxel[AXES[plane][2]]! + 1} of ${scene.shape[AXES[plane][2]]}`,
    `x ${x}  y ${y}  z ${z} mm`,
    `voxel ${toStored(scene, found.voxel).join(" ")}`,
    ...(found.value ? [`value ${found.value}`] : []),
    ...names(found.rows),
    ...others,
    ...measurements,
  ].join(" · ");
}

export interface Readout {
  /** The card beside the cursor. */
  card: HTMLElement;
  /** The line that is seen, and the one that is heard. */
  line: HTMLElement;
  heard: HTMLElement;
  say(text: string): void;
  /** Tell a screen reader what a key has done. */
  announce(text: string): void;
  /** Show the card at a point of the page, or hide it. */
  point(view: View, found: Found | null, compare: string, x: number, y: number): void;
  /** The same of a structure that is pointed at in 3D. */
  surface(view: View, row: number, x: number, y: number): void;
}

/** `rested` is called when a screen reader is told, once the hand rests. */
export function readout(rested: () => void): Readout {
  const card = h("div", { class: "xp-card", hidden: true, "aria-hidden": "true" });
  const line = h("div", { class: "xp-said xp-n", "aria-hidden": "true" });
  const heard = h("div", { class: "xp-heard", role: "status", "aria-live": "polite" });
  let later = 0;
  let carded = "";
  let looked: Look | null = null;

  /** Show the card beside a point of the page; `lines` are made only where they are other ones. */
  const show = (view: View, key: string, x: number, y: number, lines: () => HTMLElement[]): void => {
    card.hidden = false;
    if (key !== carded || view.look !== looked) card.replaceChildren(...lines());
    [carded, looked] = [key, view.look];
    const box = card.parentElement!.getBoundingClientRect();
    const [left, top] = [x - box.left, y - box.top];
    const [width, height] = [card.offsetWidth, card.offsetHeight];
    const [right, down] = [left + 16 + width < box.width - 4, top + 18 + height < box.height - 4];
    card.style.transform = `translate(${Math.round(right ? left + 16 : Math.max(4, left - 12 - width))}px, ${Math.round(down ? top + 18 : Math.max(4, top - 12 - height))}px)`;
  };
  const chips = (view: View, rows: number[], prefix: string): HTMLElement[] => {
    const more = rows.length - MOST_NAMES;
    const items = rows.slice(0, MOST_NAMES).map((row) =>
      h("div", { class: view.look.shown.has(row) ? "xp-card-name" : "xp-card-name xp-unseen" },
        h("span", { class: "xp-dot", style: `background:${css(view.look.colors[row]!)}` }), `${prefix}${nameOf(view.labels!, row)}`));
    return more > 0 ? [...items, h("div", {}, `and ${more} more`)] : items;
  };
  const linesOf = (view: View, found: Found, compare: string): HTMLElement[] => {
    const [x, y, z] = found.mm;
    return [
      ...chips(view, found.rows, ""),
      ...(view.other ? chips(view, found.otherRows, `${compare}: `) : []),
      h("div", {}, `x ${x}  y ${y}  z ${z} mm`),
      h("div", {}, `voxel ${toStored(view.scene!, found.voxel).join(" ")}`),
      h("div", {}, found.value ? `value ${found.value}` : ""),
    ];
  };
  return {
    card,
    line,
    heard,
    announce(text) {
      // The same words again are another change.
      put(heard, heard.textContent === text ? `${text}\u00a0` : text);
    },
    say(text) {
      if (line.textContent === text) return;
      put(line, text);
      line.title = text;
      clearTimeout(later);
      later = window.setTimeout(() => {
        put(heard, text);
        rested();
      }, HEARD_AFTER_MS);
    },
    point(view, found, compare, x, y) {
      card.hidden = found === null;
      if (!found) return;
      const key = JSON.stringify([found, view.scene!.key, view.labels?.content, compare]);
      show(view, key, x, y, () => linesOf(view, found, compare));
    },
    surface(view, row, x, y) {
      const structure = view.labels!.structures[row]!;
      const text = measured(structure);
      show(view, JSON.stringify([structure.name, text, view.scene!.key]), x, y, () => [...chips(view, [row], ""), h("div", {}, text)]);
    },
  };
}
