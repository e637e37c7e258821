// How a view asks those beside it to show a case, before the kernel hears of it.

export const OPEN_EVENT = "explorer-open";

export interface OpenWish {
  /** Names the selection that both views share. */
  shared: string;
  case: string;
}

/** Ask for a case; true where a view shows it already, and tells the kernel by itself. */
export const isShownBeside = (wish: OpenWish): boolean =>
  !window.dispatchEvent(new CustomEvent<OpenWish>(OPEN_EVENT, { cancelable: true, detail: wish }));
