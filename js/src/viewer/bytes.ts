// Slices on the wire: raw where the kernel is on this machine, deflated over a network.

export const compressing = (): boolean => !["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

export async function decode(view: DataView, compressed: boolean): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  if (!compressed) return bytes.slice().buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}
