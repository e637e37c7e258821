// Whether the kernel behind a view is still there, as far as Jupyter knows.

/** "away": the link is lost and may come back. "gone": what the page shows has no counterpart any more. */
export type Life = "here" | "away" | "gone";

interface Signal {
  connect(slot: () => void): unknown;
  disconnect(slot: () => void): unknown;
}

/** What JupyterLab and Voila tell of the connection to a kernel. */
interface Connection {
  status: string;
  connectionStatus: string;
  isDisposed: boolean;
  statusChanged: Signal;
  connectionStatusChanged: Signal;
  disposed: Signal;
  requestKernelInfo(): Promise<unknown>;
}

interface Model {
  on(event: "msg:custom", f: (content: Record<string, unknown>) => void): void;
  off(event: "msg:custom", f: (content: Record<string, unknown>) => void): void;
  send(content: unknown): void;
}

const ENDED: ReadonlySet<string> = new Set(["restarting", "autorestarting", "terminating", "dead"]);
/** A link that is back by then was hardly away. */
const AWAY_MS = 500;
/** So long after a kernel has answered a later question, it has none for the earlier one. */
const ANSWER_MS = 3_000;

/** A page of another kind than JupyterLab's or Voila's has no such connection. */
function connectionOf(model: Model): Connection | null {
  const kernel = (model as { widget_manager?: { kernel?: Partial<Connection> | null } }).widget_manager?.kernel;
  const tells = [kernel?.statusChanged, kernel?.connectionStatusChanged, kernel?.disposed].every((signal) => typeof signal?.connect === "function");
  return tells && typeof kernel?.requestKernelInfo === "function" ? (kernel as Connection) : null;
}

/** Tell whenever the kernel goes or comes back; returns what stops it. */
export function watchLife(model: Model, tell: (life: Life) => void): () => void {
  const kernel = connectionOf(model);
  if (!kernel) return () => undefined;
  const id = `life-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;
  let life: Life = "here";
  let timer = 0;
  /** Whether this connection was asked over, and how many were. */
  let asked = false;
  let asks = 0;

  const become = (next: Life): void => {
    clearTimeout(timer);
    timer = 0;
    asked = false;
    if (life === next) return;
    life = next;
    tell(life);
  };
  // It may be another kernel under the same name: only the same one knows this view. However long a
  // kernel is busy, it answers its messages in order.
  const ask = (): void => {
    const mine = ++asks;
    model.send({ kind: "here", id });
    kernel.requestKernelInfo().then(
      () => {
        if (mine === asks && asked) timer = window.setTimeout(become, ANSWER_MS, "gone");
      },
      () => undefined,
    );
  };
  const look = (): void => {
    if (life === "gone") return;
    if (kernel.isDisposed || ENDED.has(kernel.status)) return become("gone");
    const connected = kernel.connectionStatus === "connected";
    if (life === "away") {
      if (!connected) clearTimeout(timer);
      const isNew = connected && !asked;
      asked = connected;
      if (isNew) ask();
    } else if (connected) become("here");
    else if (!timer) timer = window.setTimeout(become, AWAY_MS, "away");
  };
  const hear = (content: Record<string, unknown>): void => {
    if (content["id"] === id) become("here");
  };
  const signals = [kernel.statusChanged, kernel.connectionStatusChanged, kernel.disposed];
  for (const signal of signals) signal.connect(look);
  model.on("msg:custom", hear);
  look();
  return () => {
    clearTimeout(timer);
    for (const signal of signals) signal.disconnect(look);
    model.off("msg:custom", hear);
  };
}
