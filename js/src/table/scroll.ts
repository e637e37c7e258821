// Which rows are seen. Browsers cap an element's height, so past the cap the rows are scaled.
export const ROW_PX = 24;
const HEAD_PX = 26;
const MAX_PX = 10_000_000;

export interface Scroller {
  resize(count: number): void;
  /** First row seen and the one after the last. */
  visible(count: number): [number, number];
  /** Pixel position of a row within the scrolled space. */
  top(index: number): number;
  show(index: number): void;
}

export function scroller(view: HTMLElement, space: HTMLElement): Scroller {
  let total = 0;
  let height = 0;
  const room = (): number => view.clientHeight - HEAD_PX;
  /** Rows above the first seen one; scaled when the space is capped. */
  const offset = (): number => {
    const most = Math.max(1, height - room());
    return height < total * ROW_PX
      ? (Math.min(1, view.scrollTop / most) * (total * ROW_PX - room())) / ROW_PX
      : view.scrollTop / ROW_PX;
  };
  return {
    resize(count) {
      total = count;
      height = Math.min(count * ROW_PX, MAX_PX);
      space.style.height = `${height}px`;
    },
    visible(count) {
      const first = Math.max(0, Math.floor(offset()));
      return [first, Math.min(count, first + Math.ceil(room() / ROW_PX) + 1)];
    },
    top: (index) => view.scrollTop + (index - offset()) * ROW_PX,
    show(index) {
      const from = offset();
      const fits = room() / ROW_PX;
      if (index >= from && index + 1 <= from + fits) return;
      const target = index < from ? index : index + 1 - fits;
      const most = Math.max(1, height - room());
      view.scrollTop = height < total * ROW_PX ? (target / (total - fits)) * most : target * ROW_PX;
    },
  };
}
