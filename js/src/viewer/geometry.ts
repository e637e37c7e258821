// Voxels, millimetres and pixels. Voxel axes x, y, z are those nearest to RAS+.
import type { Plane, Scene, Vec3 } from "./scene";

/** Column, row and slice axis of each plane. */
export const AXES: Record<Plane, [number, number, number]> = {
  axial: [0, 1, 2],
  coronal: [0, 2, 1],
  sagittal: [1, 2, 0],
};

export function toWorld(scene: Scene, voxel: Vec3): Vec3 {
  const m = scene.affine;
  return [0, 1, 2].map(
    (r) => m[4 * r]! * voxel[0] + m[4 * r + 1]! * voxel[1] + m[4 * r + 2]! * voxel[2] + m[4 * r + 3]!,
  ) as Vec3;
}

export function toVoxel(scene: Scene, world: Vec3): Vec3 {
  const [a, b, c, tx, d, e, f, ty, g, h, i, tz] = scene.affine as [
    number, number, number, number, number, number, number, number, number, number, number, number,
  ];
  const [x, y, z] = [world[0] - tx, world[1] - ty, world[2] - tz];
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    ((e * i - f * h) * x + (c * h - b * i) * y + (b * f - c * e) * z) / det,
    ((f * g - d * i) * x + (a * i - c * g) * y + (c * d - a * f) * z) / det,
    ((d * h - e * g) * x + (b * g - a * h) * y + (a * e - b * d) * z) / det,
  ];
}

/** The indices that the file has for a voxel, as nibabel, ITK and the tables count. */
export const toStored = (scene: Scene, voxel: Vec3): Vec3 =>
  scene.stored.map(([axis, sign]) => (sign < 0 ? scene.shape[axis]! - 1 - voxel[axis]! : voxel[axis]!)) as Vec3;

/** Millimetres with one digit, and no minus before zero. */
export const millimetres = (x: number): string => (Math.abs(x) < 0.05 ? 0 : x).toFixed(1);

export const clampVoxel = (scene: Scene, voxel: Vec3): Vec3 =>
  voxel.map((v, axis) => Math.min(Math.max(v, 0), scene.shape[axis]! - 1)) as Vec3;

export const middle = (scene: Scene): Vec3 => scene.shape.map((n) => Math.floor((n - 1) / 2)) as Vec3;

/** Where a plane's picture lies in a tile, in CSS pixels. */
export interface Placement {
  /** Pixels per voxel along columns and rows; negative where the axis runs to the left or up. */
  stepX: number;
  stepY: number;
  /** Pixel of the centre of voxel (0, 0). */
  originX: number;
  originY: number;
  pixelsPerMm: number;
}

export interface Zoom {
  factor: number;
  panX: number;
  panY: number;
}

/** Fit a plane into a tile. Columns run right to left where the patient's right is to be on the left. */
export function place(
  scene: Scene,
  plane: Plane,
  width: number,
  height: number,
  radiological: boolean,
  zoom: Zoom,
  margin = 10,
): Placement {
  const [u, v] = AXES[plane];
  const mmX = scene.shape[u]! * scene.spacing[u]!;
  const mmY = scene.shape[v]! * scene.spacing[v]!;
  const fit = Math.min(Math.max(width - 2 * margin, 1) / mmX, Math.max(height - 2 * margin, 1) / mmY);
  const pixelsPerMm = fit * zoom.factor;
  // Sagittal: the front on the left, whatever the convention.
  const flipX = plane === "sagittal" ? true : radiological;
  const stepX = scene.spacing[u]! * pixelsPerMm * (flipX ? -1 : 1);
  const stepY = -scene.spacing[v]! * pixelsPerMm;
  return {
    stepX,
    stepY,
    originX: width / 2 + zoom.panX - (stepX * (scene.shape[u]! - 1)) / 2,
    originY: height / 2 + zoom.panY - (stepY * (scene.shape[v]! - 1)) / 2,
    pixelsPerMm,
  };
}

/** Letters at the left, right, top and bottom of a plane. */
export function edgeLetters(scene: Scene, plane: Plane, p: Placement): [string, string, string, string] {
  const [u, v] = AXES[plane];
  const [lowU, highU] = scene.letters[u]!;
  const [lowV, highV] = scene.letters[v]!;
  const [left, right] = p.stepX < 0 ? [highU, lowU] : [lowU, highU];
  return [left, right, highV, lowV];
}

/** A round length of a scale bar that takes about a sixth of the width. */
export function scaleBar(width: number, pixelsPerMm: number): { mm: number; label: string } {
  const wanted = width / 6 / pixelsPerMm;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const mm = [5, 2, 1].map((n) => n * power).find((n) => n <= wanted) ?? power;
  return { mm, label: mm >= 10 ? `${mm / 10} cm` : `${mm} mm` };
}

/** Zoom so that what is under a point of the tile stays there. */
export function zoomAbout(zoom: Zoom, x: number, y: number, width: number, height: number, by: number): void {
  const factor = Math.min(40, Math.max(0.25, zoom.factor * by));
  const grown = factor / zoom.factor;
  zoom.panX = (x - width / 2) * (1 - grown) + zoom.panX * grown;
  zoom.panY = (y - height / 2) * (1 - grown) + zoom.panY * grown;
  zoom.factor = factor;
}

/** Zoom so that a voxel of the plane stays where it is, or the middle where that is out of sight. */
export function zoomAboutVoxel(zoom: Zoom, p: Placement | null, plane: Plane, voxel: Vec3, width: number, height: number, by: number): void {
  const [u, v] = AXES[plane];
  const x = p ? p.originX + p.stepX * voxel[u]! : -1;
  const y = p ? p.originY + p.stepY * voxel[v]! : -1;
  const isInside = x >= 0 && x <= width && y >= 0 && y <= height;
  zoomAbout(zoom, isInside ? x : width / 2, isInside ? y : height / 2, width, height, by);
}

/** Sign of the crosshair's way along the column axis when it moves to the right on the screen. */
export const rightwards = (plane: Plane, radiological: boolean): 1 | -1 =>
  plane === "sagittal" || radiological ? -1 : 1;

/** What needs said of a case without an image, and of an unusual grid: its picture is not quite the anatomical plane. */
export function sceneNote(scene: Scene): string {
  const tilted = scene.tilt >= 0.5 ? `tilted ${scene.tilt.toFixed(0)}°, closest axes shown` : "";
  const without = scene.image ? "" : "no image: only masks are shown";
  return [without, tilted, scene.orthogonal ? "" : "axes not at right angles"].filter(Boolean).join(" · ");
}
