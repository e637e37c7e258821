// Slices that have been asked for and have not come yet, and those that will not come.

export interface Flight {
  /** Bytes under way. */
  bytes(): number;
  /** Whether a slice may be asked for. */
  isFree(name: string): boolean;
  /** Whether anything is waited for. */
  isAwaited(): boolean;
  /** Messages under way with something that is waited for, without the one that is being put together. */
  messages(): number;
  leave(names: readonly string[], bytes: number, isAwaited: boolean): void;
  land(names: readonly string[], bytes: number): void;
  /** Not again before something has changed. */
  refuse(name: string): void;
  forgive(): void;
}

export function flight(): Flight {
  const asked = new Set<string>();
  /** What is waited for, and in which message it was asked for. */
  const awaited = new Map<string, number>();
  const refused = new Set<string>();
  let underWay = 0;
  let message = 0;
  let isOpen = false;
  return {
    bytes: () => underWay,
    isFree: (name) => !asked.has(name) && !refused.has(name),
    isAwaited: () => awaited.size > 0,
    messages: () => new Set([...awaited.values()].filter((one) => one !== message)).size,
    leave(names, bytes, isAwaited) {
      underWay += Math.round(bytes); // so that nothing is left of fractions
      for (const name of names) {
        asked.add(name);
        if (isAwaited) awaited.set(name, message);
      }
      if (isOpen) return;
      isOpen = true;
      // As of `Kernel.askTogether`: what is asked at one moment goes as one message.
      queueMicrotask(() => {
        isOpen = false;
        message++;
      });
    },
    land(names, bytes) {
      underWay -= Math.round(bytes);
      for (const name of names) {
        asked.delete(name);
        awaited.delete(name);
      }
    },
    refuse: (name) => refused.add(name),
    forgive: () => refused.clear(),
  };
}
