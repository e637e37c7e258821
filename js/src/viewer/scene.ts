// What the kernel tells of the open case, and what the viewer keeps by itself.

export type Vec3 = [number, number, number];
export type Plane = "axial" | "coronal" | "sagittal";
/** `mosaic` is a plane beside a sheet of its slices, `sheet` that alone. */
export type Layout = "grid" | Plane | "mosaic" | "sheet" | "3d";
export const hasSheet = (layout: Layout): boolean => layout === "mosaic" || layout === "sheet";
export const PLANES: readonly Plane[] = ["axial", "coronal", "sagittal"];

export interface Scene {
  /** Of this reading of the case. */
  key: string;
  /** The same whenever the same files are opened, or "". */
  content?: string;
  case: string;
  shape: Vec3;
  spacing: Vec3;
  /** Voxel to RAS+ mm: three rows of four. */
  affine: number[];
  /** For i, j, k of the file: which of x, y, z it is, and -1 where it runs the other way. */
  stored: [axis: number, sign: number][];
  /** Letters at the low and the high end of x, y, z. */
  letters: [string, string][];
  /** Whether there is an image; otherwise only masks are shown, on black. */
  image: boolean;
  dtype: "u1" | "u2" | "i2";
  scale: number;
  offset: number;
  exact: boolean;
  window: [number, number];
  tilt: number;
  orthogonal: boolean;
}

export interface StructureRow {
  name: string;
  label: string;
  side: string;
  group: string;
  color: string;
  snomed: string;
  volume_ml: number | null;
  status: string;
  /** Name of the compared mask set, where that alone has it; then the volume is of that set. */
  only?: string;
}

/** Where a structure of the open case lies. */
export interface Where {
  /** A voxel inside it, near its centroid. */
  centre: Vec3;
  /** The slice with its largest area. */
  best: Record<Plane, number>;
  /** Runs of slices on which it appears: first, and one past the last. */
  has: Record<Plane, [number, number][]>;
}

export interface Labels {
  /** Of the scene. */
  key: string;
  /** Of this reading of the masks. */
  content?: string;
  mask_set?: string;
  /** Grows as masks are added; ids that were cut before are out of date. */
  revision: number;
  /** Whether all masks are in. */
  complete: boolean;
  bytes: 1 | 2;
  /** For each id, the structures (rows of `structures`) that share the voxel. */
  sets: number[][];
  structures: StructureRow[];
}

export interface ModelState {
  scene: Scene | Record<string, never>;
  labels: Labels | Record<string, never>;
  /** The compared mask set; its rows are those of `labels`. */
  other: Labels | Record<string, never>;
  mask_sets: string[];
  mask_set: string;
  /** Name of the compared mask set, or "". */
  compare: string;
  options: Partial<Options>;
  /** The user's own colours and opacities, by structure. */
  colors: [string, string][];
  opacities: [string, number][];
  facts: [string, string, string][];
  busy: string;
  cases: number;
  /** Names the selection, for views beside this one. */
  shared: string;
  /** Where the crosshair was left in other cases, RAS+ mm. */
  places: [string, Vec3][];
  /** Cases before and after the open one, and itself. */
  around: string[];
  /** A case that the kernel has read ahead, or "". */
  ahead: string;
  layout_name: Layout;
  window: [number, number] | null;
  point: Vec3 | null;
  structures: string[] | null;
  error: string;
}

export type Paint = "fill" | "outline" | "both";
export const PAINTS: readonly Paint[] = ["fill", "outline", "both"];

/** How things are drawn; the browser's to choose, and told to Python. */
export interface Options {
  radiological: boolean;
  paint: Paint;
  /** Of outlines, in CSS pixels. */
  width: number;
  overlay: boolean;
  opacity: number;
  smooth: boolean;
  crosshair: boolean;
  difference: boolean;
}

const DEFAULTS: Options = {
  radiological: true, paint: "both", width: 1.5, overlay: true, opacity: 0.45, smooth: true, crosshair: true, difference: false,
};
const RANGES: Partial<Record<keyof Options, [number, number]>> = { width: [0.5, 5], opacity: [0, 1] };

/** Options of the model; what is missing or out of range is the default. */
export function readOptions(given: Partial<Options> | undefined): Options {
  const found: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, standard] of Object.entries(DEFAULTS)) {
    const value = given?.[name as keyof Options];
    if (typeof value !== typeof standard) continue;
    if (name === "paint" && !PAINTS.includes(value as Paint)) continue;
    const range = RANGES[name as keyof Options];
    found[name] = range ? Math.min(range[1], Math.max(range[0], value as number)) : value;
  }
  return found as unknown as Options;
}

/** How structures may be drawn: over the fills of one set, the outlines are those of the other. */
export const paintsOf = (comparing: boolean): readonly Paint[] => (comparing ? ["fill", "outline"] : PAINTS);
export const paintOf = (options: Options, comparing: boolean): Paint =>
  comparing && options.paint === "both" ? "fill" : options.paint;
/** Whether anything is drawn that opacity is of. */
export const hasFills = (options: Options, comparing: boolean): boolean =>
  (comparing && options.difference) || options.paint !== "outline";

export const isPresent = (row: StructureRow): boolean =>
  row.only !== undefined || row.status === "complete" || row.status === "cut_off" || (row.status === "" && (row.volume_ml ?? 0) > 0);

/** Which rows are shown: null in the model stands for all that are present. */
export function shownRows(labels: Labels, chosen: string[] | null): Set<number> {
  const shown = new Set<number>();
  const wanted = chosen && new Set(chosen);
  labels.structures.forEach((row, i) => {
    if (isPresent(row) && (!wanted || wanted.has(row.name))) shown.add(i);
  });
  return shown;
}
