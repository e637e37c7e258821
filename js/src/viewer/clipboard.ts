// A picture for a slide: made by the kernel, so that it is the one a script makes.
import type { Kernel } from "../shared/kernel";

async function picture(kernel: Kernel, fields: Record<string, unknown>): Promise<Blob> {
  const { buffers } = await kernel.ask("snapshot", fields);
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

/** Put a picture into the clipboard, or where the page may not, into a file; returns what happened. */
export async function copyPicture(kernel: Kernel, fields: Record<string, unknown>, name: string): Promise<string> {
  const blob = picture(kernel, fields);
  try {
    // The promise itself is handed over: a browser forgets the user's click while one waits.
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    return "The picture is in the clipboard.";
  } catch {
    download(await blob, name);
    return `The clipboard is closed to this page: the picture was saved as ${name}.`;
  }
}
