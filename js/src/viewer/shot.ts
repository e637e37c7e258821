// The 3D tile as an image, to be copied with the slices.
import type { Cube } from "./cube";

/** A message of more than 10 MB would end the connection to the kernel, which takes so much of it. */
const MOST_BYTES = 8e6;

export interface Shot {
  title: string;
  png: Uint8Array;
}

/**
 * What has just been rendered, with the cube over it: one pixel for each of CSS, as of the slices. To be called in
 * the same task as the rendering: later the browser may have thrown the pixels away. Null where it is too large.
 */
export function shot(canvas: HTMLCanvasElement, turned: Cube, title: string): Shot | null {
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.clientWidth, canvas.clientHeight];
  const context = copy.getContext("2d", { alpha: false, willReadFrequently: true })!;
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, copy.width, copy.height);
  turned.paint(context);
  // `toBlob` would wait until the page is idle.
  const [, text] = copy.toDataURL("image/png").split(",");
  const png = Uint8Array.from(atob(text ?? ""), (c) => c.charCodeAt(0));
  return png.length && png.length <= MOST_BYTES ? { title, png } : null;
}
