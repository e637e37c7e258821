// What one viewer shows: all that drawing needs, kept in one place.
import { fillTable, greyTable, parseColor, type Look, type Rgb } from "./composite";
import { AXES } from "./geometry";
import { isPresent, paintOf, readOptions, shownRows, type Labels, type ModelState, type Options, type Plane, type Scene, type Vec3 } from "./scene";

export interface View {
  scene: Scene | null;
  labels: Labels | null;
  other: Labels | null;
  voxel: Vec3;
  window: [number, number];
  grey: Uint32Array;
  options: Options;
  look: Look;
  /** Rows of the structures that the pointer is at, in a picture, in the list or in 3D. */
  hovered: ReadonlySet<number>;
  /** The plane that was touched last. */
  active: Plane;
}

export const NONE: ReadonlySet<number> = new Set();

const emptyLook = (): Look => ({
  labels: null, other: null, filled: "labels", paint: "both", shown: NONE, colors: [], opacities: [], opacity: 0, fill: new Uint32Array(0),
});

export const freshView = (): View => ({
  scene: null, labels: null, other: null, voxel: [0, 0, 0], window: [0, 1], grey: new Uint32Array(0),
  options: readOptions(undefined), look: emptyLook(), hovered: NONE, active: "axial",
});

export const indexOf = (view: View, plane: Plane): number => Math.round(view.voxel[AXES[plane][2]]!);

/** Values may be as small as a diffusion coefficient in m²/s: what is too narrow is so beside them. */
export function setWindow(view: View, low: number, high: number): void {
  const least = 1e-9 * Math.max(Math.abs(low), Math.abs(high)) || 1e-6;
  view.window = [low, Math.max(high, low + least)];
  if (view.scene) view.grey = greyTable(view.scene, view.window);
}

/** Masks whose list has what the compared set alone has, too: such a structure is wholly false, or wholly missed. */
export function withOther(labels: Labels | null, other: Labels | null): Labels | null {
  if (!labels || !other) return labels;
  const structures = labels.structures.map((row, i) => {
    const also = other.structures[i];
    const isUnread = !labels.complete && row.status === "" && row.volume_ml === null;
    if (also?.name !== row.name || isUnread || isPresent(row) || !isPresent(also)) return row;
    return { ...row, volume_ml: also.volume_ml, only: other.mask_set ?? "" };
  });
  return { ...labels, structures };
}

/** The user's own colours that are colours; whatever else came is left out. */
export const ownColors = (pairs: ModelState["colors"] | undefined): Map<string, string> =>
  new Map((pairs ?? []).filter(([, color]) => /^#[0-9a-f]{6}$/i.test(color)));
export const ownOpacities = (pairs: ModelState["opacities"] | undefined): Map<string, number> =>
  new Map((pairs ?? []).map(([name, value]) => [name, Math.min(1, Math.max(0, value))]));

/** Colours, opacities and what is shown, from the model's own words. */
export function makeLook(
  view: View, chosen: string[] | null, colors: ReadonlyMap<string, string>, opacities: ReadonlyMap<string, number>,
): Look {
  const { labels, other, options } = view;
  if (!labels) return emptyLook();
  const parts = {
    labels,
    other,
    // The reference is what the other set is held against: its outlines lie over the fills.
    filled: other && (labels.mask_set ?? "reference") === "reference" ? ("other" as const) : ("labels" as const),
    paint: paintOf(options, other !== null),
    shown: new Set([...shownRows(labels, chosen), ...(other ? shownRows(other, chosen) : [])]),
    colors: labels.structures.map((row): Rgb => parseColor(colors.get(row.name) ?? row.color)),
    opacities: labels.structures.map((row) => opacities.get(row.name) ?? 1),
    opacity: options.opacity,
  };
  return { ...parts, fill: fillTable(parts) };
}
