// A row of buttons as one stop of the Tab key; the arrow keys go along it.

export interface Roving {
  /** To be called when the buttons were replaced. */
  refresh(): void;
  focus(index: number): void;
}

export function roving(el: HTMLElement, selector: string, chosen?: (button: HTMLElement) => void): Roving {
  const buttons = (): HTMLElement[] => [...el.querySelectorAll<HTMLElement>(selector)].filter((b) => !b.hidden && !b.matches(":disabled"));
  const stop = (at: HTMLElement): void => {
    for (const button of el.querySelectorAll<HTMLElement>(selector)) button.tabIndex = button === at ? 0 : -1;
  };
  const focus = (index: number): void => {
    const all = buttons();
    const button = all[(index + all.length) % all.length];
    if (!button) return;
    stop(button);
    button.focus();
    chosen?.(button);
  };
  const refresh = (): void => {
    const all = buttons();
    const at = all.find((b) => b.matches(":focus")) ?? all.find((b) => b.getAttribute("aria-pressed") === "true" || b.ariaSelected === "true") ?? all[0];
    if (at) stop(at);
  };
  el.addEventListener("focusin", (event) => {
    const button = (event.target as HTMLElement).closest<HTMLElement>(selector);
    if (button) stop(button);
  });
  el.addEventListener("keydown", (event) => {
    const all = buttons();
    const here = all.findIndex((b) => b.matches(":focus"));
    if (here < 0) return;
    const place = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (place === undefined) return;
    event.preventDefault();
    focus(place);
  });
  return { refresh, focus };
}
