// Requests to the kernel, answered by id. The Python side is explorer/views/view.py.
import type { AnyModel } from "@anywidget/types";

export interface Reply {
  content: Record<string, unknown>;
  buffers: DataView[];
}

interface Waiting {
  resolve: (reply: Reply) => void;
  reject: (error: Error) => void;
  since: number;
}

/** What was asked about is no longer shown: there is nothing to tell the user. */
class Outdated extends Error {}
export const isOutdated = (error: unknown): boolean => error instanceof Outdated;

/** After this without an answer the user is told. */
const SILENCE_MS = 8_000;

export interface Kernel {
  /** Ask and wait for the answer; rejects with the kernel's own words. */
  ask(kind: string, fields?: Record<string, unknown>, buffers?: Uint8Array[]): Promise<Reply>;
  /** Tell without waiting; what goes wrong shows in the model's `error` trait. */
  tell(kind: string, fields?: Record<string, unknown>): void;
  /** Hear what the kernel says without having been asked. */
  hear(kind: string, listener: (message: Reply) => void): void;
  /** Be told when a kernel has not answered for long, and when it does again. */
  onSilence(tell: (is: boolean) => void): void;
  dispose(): void;
}

// eslint-disable-next-line -- every view has a model of its own shape
export function connect(model: AnyModel<any>): Kernel {
  // Two views of one model hear the same messages, so ids are unique in the page.
  const prefix = crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36);
  const waiting = new Map<string, Waiting>();
  const listeners = new Map<string, (message: Reply) => void>();
  let last = 0;
  let closed = false;
  let tellSilence: ((is: boolean) => void) | null = null;
  let watch = 0;

  /** Jupyter says nothing of a kernel that has died, and a busy one is as silent. */
  const listen = (): void => {
    if (watch || !tellSilence) return;
    watch = window.setInterval(() => {
      const oldest = Math.min(...[...waiting.values()].map((request) => request.since));
      tellSilence?.(performance.now() - oldest > SILENCE_MS);
      if (waiting.size) return;
      clearInterval(watch);
      watch = 0;
    }, 1000);
  };

  const receive = (content: Record<string, unknown>, buffers: DataView[]): void => {
    const id = content["id"];
    if (typeof id !== "string") {
      listeners.get(String(content["kind"]))?.({ content, buffers });
      return;
    }
    const request = waiting.get(id);
    if (!request) return;
    waiting.delete(id);
    if (content["ok"] === true) request.resolve({ content, buffers });
    else {
      const words = String(content["error"] ?? "The kernel gave no reason.");
      request.reject(content["outdated"] === true ? new Outdated(words) : new Error(words));
    }
  };
  model.on("msg:custom", receive);

  return {
    ask(kind, fields = {}, buffers = []) {
      const id = `${prefix}-${++last}`;
      return new Promise((resolve, reject) => {
        if (closed) return reject(new Error("The view was closed."));
        waiting.set(id, { resolve, reject, since: performance.now() });
        listen();
        model.send({ ...fields, kind, id }, undefined, buffers);
      });
    },
    tell(kind, fields = {}) {
      model.send({ ...fields, kind });
    },
    hear(kind, listener) {
      listeners.set(kind, listener);
    },
    onSilence(tell) {
      tellSilence = tell;
    },
    dispose() {
      closed = true;
      clearInterval(watch);
      model.off("msg:custom", receive);
      for (const request of waiting.values()) request.reject(new Error("The view was closed."));
      waiting.clear();
    },
  };
}
