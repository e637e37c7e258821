// How many bytes a slice takes on the link: as it is, and of fewer pixels.
import { AXES } from "./geometry";
import type { Layer } from "./intake";
import type { Link } from "./link";
import type { Labels, Plane, Scene } from "./scene";

/** Of the room that there is, what a coarse slice may take. */
const COARSE_SHARE = 0.55;
const MAX_STRIDE = 16;
/** Of what is learnt, the share of the latest answer. */
const LATEST = 0.3;

export interface Sizes {
  /** Columns and rows of a plane's slices. */
  of(plane: Plane): [number, number];
  /** Bytes of a slice that is kept. */
  kept(layer: Layer, plane: Plane): number;
  sharp(layer: Layer, plane: Plane): number;
  coarse(layer: Layer, plane: Plane, stride: number): number;
  /** Stride that makes a slice fit into so many bytes; 0 where it can come as it is. */
  strideFor(layer: Layer, plane: Plane, room: number): number;
  /** So many bytes have come, packed, of some slices, or of some rows of them. */
  learn(layer: Layer, plane: Plane, stride: number, rows: [number, number] | null, bytes: number, count: number): void;
}

export function sizes(line: Link, scene: () => Scene, masks: (layer: "labels" | "other") => Labels): Sizes {
  /** How much smaller packing makes slices, by layer, and coarse ones of the image. */
  const ratios: Record<Layer | "coarse", number> = { image: 0.45, labels: 0.05, other: 0.05, coarse: 0.8 };

  const of = (plane: Plane): [number, number] => [scene().shape[AXES[plane][0]]!, scene().shape[AXES[plane][1]]!];
  const pixelBytes = (layer: Layer): number => (layer === "image" ? (scene().dtype === "u1" ? 1 : 2) : masks(layer).bytes);
  const kept = (layer: Layer, plane: Plane): number => {
    const [width, height] = of(plane);
    return width * height * pixelBytes(layer);
  };
  /** Bytes on the link of a pixel of a coarse slice: 8 bits of an image. */
  const perPixel = (layer: Layer): number =>
    layer === "image" ? (line.packs() ? ratios.coarse : 1) : pixelBytes(layer) * (line.packs() ? ratios[layer] : 1);
  const sharp = (layer: Layer, plane: Plane): number => kept(layer, plane) * (line.packs() ? ratios[layer] : 1);

  return {
    of,
    kept,
    sharp,
    coarse(layer, plane, stride) {
      const [width, height] = of(plane);
      return Math.ceil(width / stride) * Math.ceil(height / stride) * perPixel(layer);
    },
    strideFor(layer, plane, room) {
      if (sharp(layer, plane) <= room) return 0;
      const [width, height] = of(plane);
      const wish = Math.sqrt((width * height * perPixel(layer)) / (room * COARSE_SHARE));
      return Math.min(MAX_STRIDE, Math.max(2, Math.ceil(wish)));
    },
    learn(layer, plane, stride, rows, bytes, count) {
      const [width, height] = of(plane);
      const isEighth = stride > 0 && layer === "image";
      const lines = rows ? rows[1] - rows[0] : Math.ceil(height / (stride || 1));
      const raw = Math.ceil(width / (stride || 1)) * lines * (isEighth ? 1 : pixelBytes(layer)) * count;
      const name = isEighth ? "coarse" : layer;
      ratios[name] = (1 - LATEST) * ratios[name] + LATEST * Math.min(1, bytes / raw);
    },
  };
}
