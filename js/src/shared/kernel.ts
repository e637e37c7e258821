// Requests to the kernel, answered by id. The Python side is explorer/views/view.py.
import type { AnyModel } from "@anywidget/types";

export interface Reply {
  content: Record<string, unknown>;
  buffers: DataView[];
  /** Bytes and the kernel's milliseconds of the message that brought it; nothing where another answer tells of that message. */
  came: { bytes: number; kernelMs: number } | null;
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

/** Whether the kernel seems to run where the browser does. */
export const isNear = (): boolean => ["localhost", "127.0.0.1", "[::1]", ""].includes(location.hostname);

export interface Kernel {
  /** Ask and wait for the answer; rejects with the kernel's own words. */
  ask(kind: string, fields?: Record<string, unknown>, buffers?: Uint8Array[]): Promise<Reply>;
  /**
   * The same for what is answered fast: those of one moment go as one message, since each costs Jupyter and the page
   * far more than its bytes, and a near kernel answers them in one.
   */
  askTogether(kind: string, fields: Record<string, unknown>): Promise<Reply>;
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
  let asking: Record<string, unknown>[] = [];
  const flush = (): void => {
    const asks = asking;
    asking = [];
    if (asks.length === 1) model.send(asks[0]!);
    // On a slow link the first answer should not wait for the others.
    else if (asks.length) model.send({ kind: "many", asks, together: isNear() });
  };

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
    const msOf = (answer: Record<string, unknown>): number => Number(answer["ms"] ?? 0);
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    if (content["kind"] !== "many") return take(content, buffers, { bytes, kernelMs: msOf(content) });
    const answers = content["answers"] as Record<string, unknown>[];
    const kernelMs = answers.reduce((sum, answer) => sum + msOf(answer), 0);
    let from = 0;
    answers.forEach((answer, i) => {
      const to = from + Number(answer["count"]);
      take(answer, buffers.slice(from, to), i === 0 ? { bytes, kernelMs } : null);
      from = to;
    });
  };
  const take = (content: Record<string, unknown>, buffers: DataView[], came: Reply["came"]): void => {
    const id = content["id"];
    if (typeof id !== "string") {
      listeners.get(String(content["kind"]))?.({ content, buffers, came });
      return;
    }
    const request = waiting.get(id);
    if (!request) return;
    waiting.delete(id);
    if (content["ok"] === true) request.resolve({ content, buffers, came });
    else {
      const words = String(content["error"] ?? "The kernel gave no reason.");
      request.reject(content["outdated"] === true ? new Outdated(words) : new Error(words));
    }
  };
  model.on("msg:custom", receive);

  const wait = (send: (id: string) => void): Promise<Reply> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new Error("The view was closed."));
      const id = `${prefix}-${++last}`;
      waiting.set(id, { resolve, reject, since: performance.now() });
      listen();
      send(id);
    });

  return {
    ask: (kind, fields = {}, buffers = []) =>
      wait((id) => {
        flush(); // what was asked before is answered before
        model.send({ ...fields, kind, id }, undefined, buffers);
      }),
    askTogether: (kind, fields) =>
      wait((id) => {
        if (asking.push({ ...fields, kind, id }) === 1) queueMicrotask(flush);
      }),
    tell(kind, fields = {}) {
      flush();
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
      asking = [];
      clearInterval(watch);
      model.off("msg:custom", receive);
      for (const request of waiting.values()) request.reject(new Error("The view was closed."));
      waiting.clear();
    },
  };
}
