// The program that draws 3D is large, and comes when 3D is first shown.
import type { Kernel } from "../shared/kernel";
import { inflate } from "./unpack";

type Program = typeof import("../space/index");

/** Fetch it from the kernel. */
export async function load(kernel: Kernel): Promise<Program> {
  const { buffers } = await kernel.ask("module", { name: "space" });
  const text = (await inflate(buffers[0]!)) as BlobPart;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return (await import(url)) as Program;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Whether it could draw here. */
export const hasWebGL = (): boolean => {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return context !== null;
};
