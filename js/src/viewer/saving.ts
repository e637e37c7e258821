// Surfaces as files: made by the kernel, saved by the browser.
import { h } from "../shared/dom";
import type { Kernel } from "../shared/kernel";
import type { Rgb } from "./composite";
import type { Scene } from "./scene";
import type { MaskLayer } from "./where";

export type Format = "glb" | "stl" | "ply";

const KEPT_MS = 10_000;
const hex = (color: Rgb): string => `#${color.map((c) => Math.round(c).toString(16).padStart(2, "0")).join("")}`;

export interface Saved {
  name: string;
  layer: MaskLayer;
  color: Rgb;
}

/** Save surfaces of structures, each in its colour; returns the names of those that could not be made. */
export async function saveSurfaces(kernel: Kernel, scene: Scene, shown: readonly Saved[], format: Format): Promise<string[]> {
  const colors = Object.fromEntries(shown.map(({ name, color }) => [name, hex(color)]));
  const names = (layer: MaskLayer): string[] => shown.filter((one) => one.layer === layer).map((one) => one.name);
  const { content, buffers } = await kernel.ask("export", { scene: scene.key, structures: names("labels"), compared: names("other"), format, colors });
  const data = buffers[0]!;
  const url = URL.createObjectURL(new Blob([new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)]));
  h("a", { href: url, download: `${scene.case}-surfaces.${String(content["suffix"])}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
  return content["left_out"] as string[];
}
