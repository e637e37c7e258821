// All of a case in the page, so that no slice of it has to be waited for: as it is, or one voxel for so many along each axis.
import { AXES } from "./geometry";
import type { Layer } from "./intake";
import type { Ids, Raster, Values } from "./raster";
import type { Plane, Scene, Vec3 } from "./scene";
import { asValues, unpack, type Packed } from "./unpack";

/** Of a layer. */
const MOST_BYTES = 24e6;

/** Some axial slices of it, from one up to another. */
export interface Part {
  layer: Layer;
  /** What they are cut from; of masks `content/revision`. */
  source: string;
  stride: number;
  slices: [from: number, to: number];
  bytes: number;
}

interface Block {
  source: string;
  /** Null until the first part has come. */
  data: Values | Ids | null;
  asked: number;
  come: number;
  /** A part did not come, or was of something else. */
  isGivenUp: boolean;
}

export interface Volume {
  /** Another case; null for none. */
  open(scene: Scene | null): void;
  /** What to ask for next of a layer, about so many bytes of it. */
  next(layer: Layer, source: string, room: number): Part | null;
  /** A part is asked for. */
  leave(part: Part): void;
  take(part: Part, fields: Packed, buffer: DataView): Promise<void>;
  giveUp(part: Part): void;
  /** What was given up may be asked for again. */
  forgive(): void;
  /** Whether all of a layer is there. */
  has(layer: Layer, source: string): boolean;
  /** Whether that is all of its voxels. */
  isExact(): boolean;
  /** A slice of a layer that is there; of fewer voxels neighbours are the same one. */
  cut(layer: Layer, plane: Plane, index: number): Raster;
}

const thinned = (shape: Vec3, stride: number): Vec3 => shape.map((count) => Math.ceil(count / stride)) as Vec3;
const product = (shape: Vec3): number => shape[0] * shape[1] * shape[2];

export function volume(): Volume {
  const blocks = new Map<Layer, Block>();
  const cuts = new Map<string, { data: Values | Ids; at: number; raster: Raster }>();
  let scene: Scene | null = null;
  let stride = 1;
  let shape: Vec3 = [0, 0, 0];

  const find = (layer: Layer, source: string): Block | undefined => {
    const found = blocks.get(layer);
    return found?.source === source ? found : undefined;
  };
  const start = (layer: Layer, source: string): Block => {
    const block = { source, data: null, asked: 0, come: 0, isGivenUp: false };
    blocks.set(layer, block);
    return block;
  };
  const pixelsOf = (data: Values | Ids, plane: Plane, at: number): Values | Ids => {
    const [nx, ny, nz] = shape;
    if (plane === "axial") return data.slice(at * nx * ny, (at + 1) * nx * ny);
    const Of = data.constructor as new (count: number) => Values | Ids;
    if (plane === "coronal") {
      const out = new Of(nx * nz);
      for (let z = 0, from = at * nx; z < nz; z++, from += nx * ny) out.set(data.subarray(from, from + nx), z * nx);
      return out;
    }
    const out = new Of(ny * nz);
    for (let to = 0, from = at; to < out.length; to++, from += nx) out[to] = data[from]!;
    return out;
  };

  return {
    open(next) {
      scene = next;
      blocks.clear();
      cuts.clear();
      if (!scene) return;
      const voxelBytes = scene.dtype === "u1" ? 1 : 2;
      stride = 1;
      while (product(thinned(scene.shape, stride)) * voxelBytes > MOST_BYTES) stride++;
      shape = thinned(scene.shape, stride);
    },
    next(layer, source, room) {
      const block = find(layer, source) ?? start(layer, source);
      if (block.isGivenUp || block.asked === shape[2]) return null;
      const each = shape[0] * shape[1] * (layer === "image" && scene?.dtype !== "u1" ? 2 : 1);
      const from = block.asked;
      const to = Math.min(shape[2], from + Math.max(1, Math.floor(room / each)));
      return { layer, source, stride, slices: [from, to], bytes: (to - from) * each };
    },
    leave({ layer, source, slices: [, to] }) {
      const block = find(layer, source);
      if (block) block.asked = to;
    },
    async take({ layer, source, slices: [from, to] }, fields, buffer) {
      const pixels = await unpack(fields, buffer, shape[0]);
      const block = find(layer, source);
      // Parts come in order; one that was asked for before the case was opened anew may come twice.
      if (!block || !scene || block.come !== from) return;
      const each = shape[0] * shape[1];
      const data = layer === "image" ? asValues(scene, pixels) : pixels;
      block.data ??= new (data.constructor as new (count: number) => Values | Ids)(each * shape[2]);
      const isOther = layer !== "image" && source !== `${fields.content}/${fields.revision}`;
      if (isOther || data.length !== (to - from) * each || data.BYTES_PER_ELEMENT !== block.data.BYTES_PER_ELEMENT) {
        block.isGivenUp = true;
        return;
      }
      block.data.set(data, from * each);
      block.come += to - from;
    },
    giveUp({ layer, source }) {
      const block = find(layer, source);
      if (block) block.isGivenUp = true;
    },
    forgive() {
      for (const block of blocks.values()) {
        if (block.isGivenUp) block.asked = block.come;
        block.isGivenUp = false;
      }
    },
    has: (layer, source) => find(layer, source)?.come === shape[2],
    isExact: () => stride === 1,
    cut(layer, plane, index) {
      const [u, v, w] = AXES[plane];
      const data = blocks.get(layer)!.data!;
      const at = Math.min(Math.floor(index / stride), shape[w]! - 1);
      const name = `${layer}/${plane}`;
      const before = cuts.get(name);
      if (before?.data === data && before.at === at) return before.raster;
      const raster = { data: pixelsOf(data, plane, at), width: shape[u]!, height: shape[v]!, stride };
      cuts.set(name, { data, at, raster });
      return raster;
    },
  };
}
