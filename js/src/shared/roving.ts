// Many buttons as one stop of the Tab key; the arrow keys go from one to the next.

export interface Roving {
  /** To be called when the buttons were replaced. */
  refresh(): void;
  focus(index: number): void;
  /** Focus the one that the Tab key stops at. */
  enter(): void;
}

export interface Way {
  /** Up and down instead of left and right. */
  vertical?: boolean;
  /** Called with the button that the keys went to. */
  chosen?(button: HTMLElement): void;
}

export function roving(el: HTMLElement, selector: string, { vertical = false, chosen }: Way = {}): Roving {
  const [back, forth] = vertical ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
  const every = (): HTMLElement[] => [...el.querySelectorAll<HTMLElement>(selector)];
  const buttons = (): HTMLElement[] => every().filter((b) => !b.closest("[hidden]") && !b.matches(":disabled"));
  const stop = (at: HTMLElement): void => {
    for (const button of every()) button.tabIndex = button === at ? 0 : -1;
  };
  const go = (button: HTMLElement | undefined): void => {
    if (!button) return;
    stop(button);
    button.focus();
    chosen?.(button);
  };
  const focus = (index: number): void => {
    const all = buttons();
    go(all[(index + all.length) % all.length]);
  };
  const current = (): HTMLElement | undefined => {
    const all = buttons();
    // A list is entered where it was left, a row of choices at the chosen one.
    const isDue = vertical
      ? (b: HTMLElement): boolean => b.tabIndex === 0
      : (b: HTMLElement): boolean => b.getAttribute("aria-pressed") === "true" || b.ariaSelected === "true";
    return all.find((b) => b.matches(":focus")) ?? all.find(isDue) ?? all[0];
  };
  const refresh = (): void => {
    const at = current();
    if (at) stop(at);
  };
  el.addEventListener("focusin", (event) => {
    const button = (event.target as HTMLElement).closest<HTMLElement>(selector);
    if (button) stop(button);
  });
  el.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = buttons();
    const here = all.findIndex((b) => b.matches(":focus"));
    const target = event.target as HTMLElement;
    const isBehind = (b: HTMLElement): boolean => (target.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
    // From a search field down to what it has found.
    const next = here < 0 && vertical && target.matches("input") && event.key === forth ? all.find(isBehind) : undefined;
    const place = here < 0 ? undefined : { [forth!]: here + 1, [back!]: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (place === undefined && !next) return;
    event.preventDefault();
    event.stopPropagation();
    if (next) go(next);
    else focus(place!);
  });
  return { refresh, focus, enter: () => go(current()) };
}

/**
 * Put others into the place of what a list has. The focus stays at what has the same name in its
 * data, or else goes to what is in its place; false where it was in the list and found none.
 */
export function replaceKeeping(list: HTMLElement, name: string, items: readonly HTMLElement[]): boolean {
  const held = list.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
  const place = [...list.children].findIndex((child) => child.contains(held));
  const known = held && (list.children[place] as HTMLElement).dataset[name];
  list.replaceChildren(...items);
  if (!held) return true;
  const item = items.find((other) => other.dataset[name] === known) ?? items[Math.min(place, items.length - 1)];
  const heir = item?.matches("button") ? item : item?.querySelector("button");
  heir?.focus({ preventScroll: true });
  return heir?.matches(":focus") === true;
}
