// Rows by page from the kernel; what is seen now is asked for first, and stale answers are dropped.
import type { Kernel } from "../shared/kernel";

const PAGE = 100;
const KEPT = 60;

export interface Order {
  sort: string;
  descending: boolean;
}

export interface Pages {
  row(index: number): string[] | undefined;
  /** Make rows [first, last) come, if they are not there. */
  want(first: number, last: number, order: Order): void;
  clear(): void;
}

export function pages(kernel: Kernel, arrived: () => void): Pages {
  const kept = new Map<number, string[][]>();
  let generation = 0;
  let asking = false;
  let wish: { first: number; last: number; order: Order } | null = null;

  const pump = (): void => {
    if (asking || !wish) return;
    const { first, last, order } = wish;
    let missing = -1;
    for (let page = Math.floor(first / PAGE); page * PAGE < last; page++) {
      if (!kept.has(page)) {
        missing = page;
        break;
      }
    }
    if (missing < 0) return;
    const mine = generation;
    asking = true;
    kernel
      .ask("rows", { offset: missing * PAGE, limit: PAGE, ...order })
      .then(({ content }) => {
        if (mine !== generation) return;
        kept.set(missing, content["rows"] as string[][]);
        for (const oldest of kept.keys()) {
          if (kept.size <= KEPT) break;
          kept.delete(oldest);
        }
        arrived();
      })
      .catch(() => {
        // The line under the table says why; asking again at once would only repeat it.
        if (mine === generation) wish = null;
      })
      .finally(() => {
        asking = false;
        pump();
      });
  };

  return {
    row: (index) => kept.get(Math.floor(index / PAGE))?.[index % PAGE],
    want(first, last, order) {
      wish = { first, last, order };
      pump();
    },
    clear() {
      generation += 1;
      kept.clear();
    },
  };
}
