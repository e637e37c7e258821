// A picture for a slide: made by the kernel, so that it is the one a script makes.
import type { AnyModel } from "@anywidget/types";
import type { Kernel } from "../shared/kernel";
import { AXES } from "./geometry";
import type { Measures } from "./measure";
import { hasSheet, PLANES, type Layout, type ModelState, type Scene } from "./scene";
import type { Shot } from "./shot";
import type { Stage } from "./stage";
import { indexOf, type View } from "./state";

/** What the picture has in the place of 3D, where that is not drawn. */
const INSTEAD: Partial<Record<Layout, string>> = {
  "3d": "3D cannot be copied: the three planes were copied instead.",
  grid: "In place of 3D it has the list of structures.",
};

/**
 * All that is seen. What the model has is not enough: it is on its way for a while, and waits for
 * a busy kernel, which a message does not.
 */
export function seen(model: AnyModel<ModelState>, scene: Scene, view: View, stage: Stage, measures: Measures): Record<string, unknown> {
  const layout = model.get("layout_name");
  return structuredClone({
    scene: scene.key,
    layout,
    plane: view.active,
    width: stage.el.clientWidth,
    height: stage.el.clientHeight,
    voxel: view.voxel,
    window: view.window,
    options: view.options,
    structures: model.get("structures"),
    colors: model.get("colors"),
    opacities: model.get("opacities"),
    zooms: { ...Object.fromEntries([...stage.tiles].map(([plane, { zoom }]) => [plane, zoom])), sheet: stage.mosaic.zoom },
    measurements: PLANES.flatMap((plane) => measures.on(scene, plane, indexOf(view, plane))),
    first: hasSheet(layout) ? stage.mosaic.voxelAt(0, 0)?.[AXES[view.active][2]] : null,
  });
}

async function picture(kernel: Kernel, fields: Record<string, unknown>, space: Shot | null): Promise<Blob> {
  const { buffers } = await (space ? kernel.ask("snapshot", { ...fields, space: space.title }, [space.png]) : kernel.ask("snapshot", fields));
  const png = buffers[0];
  if (!png) throw new Error("The kernel sent no picture.");
  return new Blob([new Uint8Array(png.buffer as ArrayBuffer, png.byteOffset, png.byteLength)], { type: "image/png" });
}

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Put a picture into the clipboard, or where the page may not, into a file; returns what happened. Only a browser
 * draws 3D, so `space` goes to the kernel, which puts it beside the slices and the legend.
 */
export async function copyPicture(
  kernel: Kernel, fields: Record<string, unknown>, space: Shot | null, name: string,
): Promise<string> {
  const done = await put(picture(kernel, fields, space), name);
  return space ? done : `${done} ${INSTEAD[fields["layout"] as Layout] ?? ""}`.trim();
}

async function put(blob: Promise<Blob>, name: string): Promise<string> {
  try {
    // The promise itself is handed over: a browser forgets the user's click while one waits.
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    return "The picture is in the clipboard.";
  } catch {
    download(await blob, name);
    return `The clipboard is closed to this page: the picture was saved as ${name}.`;
  }
}
