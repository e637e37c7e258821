// Outlines as pixels: to fill a path of thousands of rectangles takes a browser several times as long as to set what they cover.
import type { Rgb } from "./composite";
import type { Rects } from "./edges";

/** A part of a canvas in its pixels; what is right of it or below it no longer belongs to it. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Strokes {
  /** Forget what was laid; what will be laid is cut off at a box of a canvas. */
  begin(width: number, height: number, box: Box): void;
  /** Lay rectangles of whole pixels in one colour over what lies there. Where they meet each other they count once. */
  lay(color: Rgb, opacity: number, trace: (onto: Rects) => void): void;
  /** Draw all of it where it belongs. */
  drawOnto(context: CanvasRenderingContext2D): void;
}

/** What a colour makes of a pixel that is not clear throughout, neither of them multiplied by its alpha. */
function over([r, g, b]: Rgb, alpha: number, pixel: number): number {
  const under = (pixel >>> 24) / 255 * (1 - alpha);
  const sum = alpha + under;
  const mix = (one: number, shift: number): number => Math.round((one * alpha + ((pixel >>> shift) & 255) * under) / sum);
  return ((Math.round(sum * 255) << 24) | (mix(b, 16) << 16) | (mix(g, 8) << 8) | mix(r, 0)) >>> 0;
}

export function strokes(): Strokes {
  const canvas = document.createElement("canvas");
  let data = new ImageData(1, 1);
  let pixels = new Uint32Array(data.data.buffer);
  /** By pixel, which of the lays that let something through was the last there. */
  let latest = new Uint32Array(0);
  let lays = 0;
  let box: Box = { left: 0, top: 0, right: 0, bottom: 0 };
  /** What has pixels that are not clear; nothing where its left is not left of its right. */
  const used: Box = { left: 0, top: 0, right: 0, bottom: 0 };
  const forget = (): void => void Object.assign(used, { left: Infinity, top: Infinity, right: 0, bottom: 0 });
  let color: Rgb = [0, 0, 0];
  let alpha = 1;
  let solid = 0;

  const rects: Rects = {
    rect(x, y, width, height) {
      const left = Math.max(x, box.left);
      const top = Math.max(y, box.top);
      const right = Math.min(x + width, box.right);
      const bottom = Math.min(y + height, box.bottom);
      if (left >= right || top >= bottom) return;
      if (left < used.left) used.left = left;
      if (top < used.top) used.top = top;
      if (right > used.right) used.right = right;
      if (bottom > used.bottom) used.bottom = bottom;
      for (let row = top, line = top * data.width; row < bottom; row++, line += data.width) {
        for (let i = line + left; i < line + right; i++) {
          if (alpha === 1) pixels[i] = solid;
          else if (latest[i] !== lays) {
            latest[i] = lays;
            pixels[i] = pixels[i] ? over(color, alpha, pixels[i]!) : solid;
          }
        }
      }
    },
  };

  return {
    begin(width, height, within) {
      for (let row = used.top; row < used.bottom; row++) pixels.fill(0, row * data.width + used.left, row * data.width + used.right);
      forget();
      box = { left: Math.max(0, within.left), top: Math.max(0, within.top), right: Math.min(width, within.right), bottom: Math.min(height, within.bottom) };
      if (width <= data.width && height <= data.height) return;
      // For the largest canvas of all, so that those that are drawn in turn do not each make it anew.
      data = new ImageData(Math.max(width, data.width), Math.max(height, data.height));
      pixels = new Uint32Array(data.data.buffer);
      [canvas.width, canvas.height] = [data.width, data.height];
    },
    lay(of, opacity, trace) {
      [color, alpha, solid] = [of, opacity, over(of, opacity, 0)];
      if (alpha < 1) {
        lays++;
        if (latest.length !== pixels.length) latest = new Uint32Array(pixels.length);
      }
      trace(rects);
    },
    drawOnto(context) {
      const { left, top, right, bottom } = used;
      if (left >= right) return;
      const own = canvas.getContext("2d")!;
      own.clearRect(left, top, right - left, bottom - top);
      own.putImageData(data, 0, 0, left, top, right - left, bottom - top);
      context.drawImage(canvas, left, top, right - left, bottom - top, left, top, right - left, bottom - top);
    },
  };
}
