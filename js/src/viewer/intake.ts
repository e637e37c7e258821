// Slices that have come: unpacked, put together from parts, and kept.
import { AXES, middle } from "./geometry";
import { shelf, type Kept } from "./kept";
import type { Ids, Values } from "./raster";
import { PLANES, type Labels, type Plane, type Scene } from "./scene";
import { asValues, emptyValues, levels, unpack, type Packed } from "./unpack";

export type Layer = "image" | "labels" | "other";
export const LAYERS: readonly Layer[] = ["image", "labels", "other"];

export const BUDGET_BYTES = 96e6;
/** For the middles of cases that may be shown again. */
const MIDDLES_BYTES = 32e6;
const MOST_PARTS = 6;

export interface Intake {
  get(name: string): Kept | undefined;
  has(name: string): boolean;
  put(name: string, found: Kept): void;
  /** Keep a slice that has come, under the name of what it was cut from. */
  take(of: Scene, layer: Layer, plane: Plane, index: number, fields: Packed, buffer: DataView, rows: [number, number] | null): Promise<void>;
  /** How many rows have come of a slice that comes in parts. */
  rowsOf(name: string): number;
  /** No parts are awaited any more. */
  forgetParts(): void;
  /** Keep the middle slices of a case for as long as there is room for such. */
  keepMiddle(of: Scene, tables: readonly (Labels | null)[]): void;
  /** Whether the middle slice of the image is there. */
  hasMiddle(of: Scene, plane: Plane): boolean;
}

/** The same for the same files and masks, whatever it is called now. */
export const nameOf = (of: { content?: string | undefined; key: string }, layer: Layer, plane: Plane, index: number): string =>
  `${of.content || of.key}/${layer}/${plane}/${index}`;
export const middleOf = (scene: Scene, plane: Plane): number => Math.round(middle(scene)[AXES[plane][2]]!);

export function intake(): Intake {
  const kept = shelf(BUDGET_BYTES);
  const middles = shelf(MIDDLES_BYTES);
  /** Sharp slices of which only some rows have come. */
  const parts = new Map<string, { data: Values | Ids; rows: number; revision: number }>();

  const get = (name: string): Kept | undefined => kept.get(name) ?? middles.get(name);

  return {
    get,
    has: (name) => kept.has(name) || middles.has(name),
    put: kept.put,
    rowsOf: (name) => parts.get(name)?.rows ?? 0,
    forgetParts: () => parts.clear(),
    keepMiddle(of, tables) {
      for (const plane of PLANES) {
        [of, ...tables].forEach((source, i) => {
          const name = source && nameOf(source, LAYERS[i]!, plane, middleOf(of, plane));
          const found = name && get(name);
          if (found) middles.put(name, found);
        });
      }
    },
    hasMiddle: (of, plane) => get(nameOf(of, "image", plane, middleOf(of, plane))) !== undefined,
    async take(of, layer, plane, index, fields, buffer, rows) {
      const [width, height] = [of.shape[AXES[plane][0]]!, of.shape[AXES[plane][1]]!];
      const columns = Math.ceil(width / fields.stride);
      const pixels = await unpack(fields, buffer, columns);
      const revision = fields.revision ?? 0;
      const name = nameOf(layer === "image" ? of : { content: fields.content, key: of.key }, layer, plane, index);
      const make = (count: number): Values | Ids =>
        layer === "image" ? emptyValues(of, count) : fields.bytes === 1 ? new Uint8Array(count) : new Uint16Array(count);
      if (fields.stride > 1 || fields.scale !== undefined) {
        if (get(name)?.coarse !== false) {
          const { stride } = fields;
          const raster = { data: pixels, width: columns, height: Math.ceil(height / stride), stride };
          kept.put(name, { raster: layer === "image" ? { ...raster, levels: levels(of, fields) } : raster, coarse: true, revision });
        }
        return;
      }
      const data = layer === "image" ? asValues(of, pixels) : pixels;
      const put = (whole: Values | Ids): void => kept.put(name, { raster: { data: whole, width, height, stride: 1 }, coarse: false, revision });
      if (!rows) {
        put(data);
        return;
      }
      const before = parts.get(name);
      const fits = before && before.rows === rows[0] && before.revision === revision && before.data.BYTES_PER_ELEMENT === data.BYTES_PER_ELEMENT;
      if (!fits && rows[0] > 0) {
        parts.delete(name); // more masks have come meanwhile: from the start
        return;
      }
      const part = fits ? before : { data: make(width * height), rows: 0, revision };
      part.data.set(data, rows[0] * width);
      part.rows = rows[1];
      parts.delete(name);
      if (part.rows === height) put(part.data);
      else parts.set(name, part);
      for (const oldest of parts.keys()) {
        if (parts.size <= MOST_PARTS) break;
        parts.delete(oldest);
      }
    },
  };
}
