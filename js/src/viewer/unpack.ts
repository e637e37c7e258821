// Answers of the kernel to pixels. The other end is explorer/views/slices.py.
import type { Values } from "./raster";
import type { Scene } from "./scene";

type Pixels = Uint8Array | Uint16Array;

/** What the kernel says of the slices it sends. */
export interface Packed {
  packed: "raw" | "runs" | "deflate" | "delta";
  /** Of a pixel. */
  bytes: 1 | 2;
  /** One pixel for so many, along rows and columns. */
  stride: number;
  /** Turn 8 bits into what is sent otherwise; only of coarse slices of the image. */
  scale?: number;
  offset?: number;
  /** Of which reading of the masks the ids are, and after how many masks. */
  content?: string;
  revision?: number;
  ms?: number;
}

/** Without a Blob: its bytes would go to the browser's own process and back. */
export async function inflate(view: DataView): Promise<Uint8Array> {
  const { writable, readable } = new DecompressionStream("deflate");
  const writer = writable.getWriter();
  const bytes = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  // What is wrong with the bytes is told by the reader.
  writer.write(bytes as BufferSource).catch(() => undefined);
  writer.close().catch(() => undefined);
  const parts: Uint8Array[] = [];
  const reader = readable.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
  if (parts.length === 1 && parts[0]!.byteLength === parts[0]!.buffer.byteLength) return parts[0]!;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  parts.reduce((at, part) => (out.set(part, at), at + part.byteLength), 0);
  return out;
}

export const copied = (view: DataView): ArrayBuffer =>
  (view.buffer as ArrayBuffer).slice(view.byteOffset, view.byteOffset + view.byteLength);

/** Sums of zigzag coded differences along rows; of two bytes all low ones come first. */
function undelta(bytes: Uint8Array, width: 1 | 2, columns: number): Pixels {
  const count = bytes.length / width;
  const out = width === 1 ? new Uint8Array(count) : new Uint16Array(count);
  for (let i = 0, column = 0, sum = 0; i < count; i++) {
    const zigzag = width === 1 ? bytes[i]! : bytes[i]! | (bytes[count + i]! << 8);
    sum += (zigzag >>> 1) ^ -(zigzag & 1);
    out[i] = sum; // modulo the width, as it was made
    if (++column === columns) column = sum = 0;
  }
  return out;
}

/** Pixels of which so many are equal each time. */
function unrun(buffer: ArrayBuffer, width: 1 | 2): Pixels {
  const count = buffer.byteLength / (4 + width);
  const lengths = new Uint32Array(buffer, 0, count);
  const Of = width === 1 ? Uint8Array : Uint16Array;
  const values = new Of(buffer, 4 * count, count);
  const out = new Of(lengths.reduce((sum, length) => sum + length, 0));
  for (let run = 0, at = 0; run < count; run++) out.fill(values[run]!, at, (at += lengths[run]!));
  return out;
}

/** Pixels of a slice or a part of it, with `columns` in a row. */
export async function unpack(fields: Packed, view: DataView, columns: number): Promise<Pixels> {
  if (fields.packed === "delta") return undelta(await inflate(view), fields.bytes, columns);
  if (fields.packed === "deflate") {
    const bytes = await inflate(view);
    return fields.bytes === 1 ? bytes : new Uint16Array(bytes.buffer);
  }
  const copy = copied(view);
  if (fields.packed === "runs") return unrun(copy, fields.bytes);
  return fields.bytes === 1 ? new Uint8Array(copy) : new Uint16Array(copy);
}

/** Values of the type that the scene is sent in. */
export function asValues(scene: Scene, pixels: Pixels): Values {
  if (scene.dtype === "i2") return new Int16Array(pixels.buffer as ArrayBuffer, pixels.byteOffset, pixels.length);
  return pixels;
}

export function emptyValues(scene: Scene, count: number): Values {
  if (scene.dtype === "u1") return new Uint8Array(count);
  return scene.dtype === "u2" ? new Uint16Array(count) : new Int16Array(count);
}

/** Of the 8 bits of a coarse image, where the values that they stand for are in a table of greys. */
export function levels(scene: Scene, { scale = 1, offset = 0 }: Packed): Int32Array {
  const [low, high] = scene.dtype === "i2" ? [-32768, 32767] : [0, scene.dtype === "u1" ? 255 : 65535];
  return Int32Array.from({ length: 256 }, (_, pixel) => Math.min(high, Math.max(low, Math.round(pixel * scale + offset))) - low);
}
