// The tile of the grid for surfaces of structures.
import { h } from "../shared/dom";
import type { Kernel } from "../shared/kernel";
import type { Rgb } from "./composite";
import type { Labels, Options, Plane, Scene, Vec3 } from "./scene";

export interface SpaceFrame {
  scene: Scene;
  labels: Labels | null;
  shown: ReadonlySet<number>;
  /** Of each row of `labels.structures`. */
  colors: readonly Rgb[];
  opacities: readonly number[];
  hovered: number | null;
  voxel: Vec3;
  options: Options;
  /** Whose masks they are. */
  maskSet?: string;
  /** Windowed slice, a canvas pixel per voxel; row 0 is the low end. Its `data-key` changes with its pixels. */
  picture(plane: Plane): HTMLCanvasElement | null;
}

export interface SpaceTile {
  el: HTMLElement;
  draw(frame: SpaceFrame): void;
  clear(): void;
  reset(): void;
  dispose(): void;
}

export interface SpaceActions {
  moveTo(voxel: Vec3): void;
  hover(row: number | null): void;
  maximise(): void;
  focus(): void;
  failed(message: string): void;
}

export function spaceTile(_kernel: Kernel, on: SpaceActions): SpaceTile {
  const el = h("div", { class: "xp-tile xp-3d" });
  el.addEventListener("dblclick", on.maximise);
  return { el, draw() {}, clear() {}, reset() {}, dispose() {} };
}
