// Keys and mouse of the viewer, and the card that lists them.
import { h } from "../shared/dom";
import type { Tool } from "./measure";
import type { Layout } from "./scene";

export type Toggle = "overlay" | "radiological" | "smooth" | "crosshair" | "difference";

export interface Commands {
  /** Move the crosshair to the right (1) or left (-1) in the plane that was touched last. */
  across(by: number): void;
  /** Step that plane; `end` goes to its first or last slice. */
  slice(by: number): void;
  end(last: boolean): void;
  /** Zoom that plane about the crosshair. */
  zoom(by: number): void;
  /** Move its picture so many steps to the right and up. */
  pan(right: number, up: number): void;
  layout(name: Layout): void;
  toggle(option: Toggle): void;
  cyclePaint(): void;
  fade(by: number): void;
  reset(): void;
  structure(by: 1 | -1): void;
  /** Go to the next (1) or previous (-1) slice that has the structure, over gaps. */
  follow(by: 1 | -1): void;
  step(by: 1 | -1): void;
  tool(name: Tool): void;
  /** Set a point of a measurement at the crosshair. */
  mark(): void;
  removeMeasurement(): void;
  copy(): void;
  help(): void;
  escape(): void;
}

const HELP: [string, [string, string][]][] = [
  ["Mouse", [
    ["click, drag", "move the crosshair"],
    ["wheel", "previous or next slice"],
    ["Ctrl + wheel, pinch", "zoom about the cursor"],
    ["Shift or middle drag", "pan"],
    ["right drag", "window: width across, level up and down"],
    ["double click", "one tile or all"],
  ]],
  ["Slices", [
    ["↑ ↓ PgUp PgDn", "slice of the plane last touched; Shift: five"],
    ["← →", "crosshair left or right in that plane"],
    ["Home End", "first or last slice"],
    ["+ -", "zoom about the crosshair"],
    ["Ctrl or ⌘ + arrows", "move the picture"],
    ["[ ]", "previous or next case"],
    [", .", "previous or next structure"],
    ["< >", "previous or next slice that has it"],
  ]],
  ["3D", [
    ["drag", "turn; Shift, middle or right: move"],
    ["wheel, pinch", "zoom"],
    ["click", "go to what is there"],
    ["arrows", "turn by 10°; Shift: by 90°"],
    ["+ -", "zoom"],
    ["Home", "all of it, from the front"],
  ]],
  ["Layout", [
    ["1", "three planes and 3D"],
    ["2 3 4", "axial, coronal, sagittal"],
    ["5 7", "with a mosaic, mosaic alone (again: next plane)"],
    ["6", "3D"],
    ["R", "reset window and zoom"],
  ]],
  ["Display", [
    ["S", "structures on or off"],
    ["O", "fill, outline or both"],
    ["A D", "more or less transparent"],
    ["X", "radiological or neurological"],
    ["I", "interpolation on or off"],
    ["M", "crosshair on or off"],
  ]],
  ["List of structures", [
    ["↑ ↓ Home End", "row above or below, first or last"],
    ["← →", "buttons of a row; fold or unfold a group"],
    ["Space", "show or hide; with Alt: only this"],
    ["Enter", "go to its centre; a group: fold"],
  ]],
  ["Measure", [
    ["L N", "distance, angle: click the points"],
    ["Enter", "set a point at the crosshair"],
    ["Delete", "remove the last one"],
    ["Esc", "give up, put the tool away"],
    ["P", "copy the picture"],
    ["?", "this list"],
  ]],
];

/** Keys that a slider takes for itself. */
const SLIDER = /^(Arrow|Page|Home|End)/;

const ZOOM = 1.25;
/** Typed with Alt or AltGr on some keyboards. */
const PUNCTUATION = /^[[\],.<>?+=-]$/;

/** Keys over `el`, and of those in `panel` the ones that type a character: the rest are for its lists. */
export function bindKeys(el: HTMLElement, panel: HTMLElement, commands: Commands): void {
  const pans: Record<string, (far: number) => void> = {
    ArrowUp: (far) => commands.pan(0, far),
    ArrowDown: (far) => commands.pan(0, -far),
    ArrowLeft: (far) => commands.pan(-far, 0),
    ArrowRight: (far) => commands.pan(far, 0),
  };
  const actions: Record<string, (far: number) => void> = {
    ArrowUp: (far) => commands.slice(far),
    ArrowDown: (far) => commands.slice(-far),
    PageUp: (far) => commands.slice(far),
    PageDown: (far) => commands.slice(-far),
    ArrowLeft: (far) => commands.across(-far),
    ArrowRight: (far) => commands.across(far),
    Home: () => commands.end(false),
    End: () => commands.end(true),
    "1": () => commands.layout("grid"),
    "2": () => commands.layout("axial"),
    "3": () => commands.layout("coronal"),
    "4": () => commands.layout("sagittal"),
    "5": () => commands.layout("mosaic"),
    "6": () => commands.layout("3d"),
    "7": () => commands.layout("sheet"),
    s: () => commands.toggle("overlay"),
    o: () => commands.cyclePaint(),
    x: () => commands.toggle("radiological"),
    i: () => commands.toggle("smooth"),
    m: () => commands.toggle("crosshair"),
    a: () => commands.fade(-0.1),
    d: () => commands.fade(0.1),
    r: () => commands.reset(),
    ",": () => commands.structure(-1),
    ".": () => commands.structure(1),
    "<": () => commands.follow(-1),
    ">": () => commands.follow(1),
    "[": () => commands.step(-1),
    "]": () => commands.step(1),
    "+": () => commands.zoom(ZOOM),
    "=": () => commands.zoom(ZOOM),
    "-": () => commands.zoom(1 / ZOOM),
    l: () => commands.tool("distance"),
    n: () => commands.tool("angle"),
    Enter: () => commands.mark(),
    Delete: () => commands.removeMeasurement(),
    Backspace: () => commands.removeMeasurement(),
    p: () => commands.copy(),
    "?": () => commands.help(),
    Escape: () => commands.escape(),
  };
  const actionOf = (event: KeyboardEvent): ((far: number) => void) | undefined => {
    const { key, target, altKey, ctrlKey, metaKey } = event;
    const slides = target instanceof HTMLInputElement && target.type === "range";
    if (!slides && (target instanceof HTMLInputElement || target instanceof HTMLSelectElement)) return undefined;
    if (ctrlKey !== metaKey && !altKey) return pans[key];
    if ((ctrlKey || metaKey || altKey) && !(altKey && PUNCTUATION.test(key))) return undefined;
    if (slides && SLIDER.test(key)) return undefined;
    // A button answers Enter by itself, and with Shift it runs the cell.
    if (key === "Enter" && (event.shiftKey || target instanceof HTMLButtonElement)) return undefined;
    return actions[key.length === 1 ? key.toLowerCase() : key];
  };
  const onKey = (event: KeyboardEvent): void => {
    const action = event.defaultPrevented ? undefined : actionOf(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action(event.shiftKey ? 5 : 1);
  };
  el.addEventListener("keydown", onKey);
  panel.addEventListener("keydown", (event) => event.key.length === 1 && onKey(event));
}

export interface Card {
  el: HTMLElement;
  /** Open or close it. */
  toggle(): void;
  /** Close it; false when it was not open. */
  close(): boolean;
  dispose(): void;
}

/** Whoever opened the card gets the focus when it closes, or else `back`. */
export function helpCard(back: () => HTMLElement): Card {
  const sections = HELP.map(([title, rows]) =>
    h("section", {}, h("h3", {}, title), h("dl", {}, ...rows.flatMap(([keys, what]) => [h("dt", {}, keys), h("dd", {}, what)]))));
  const shut = h("button", { class: "xp-close", "aria-label": "Close", title: "Close (Esc)" }, "×");
  const el = h("div", { class: "xp-help", role: "dialog", "aria-label": "Keys and mouse", hidden: true, tabindex: -1 },
    h("div", { class: "xp-help-head" }, h("strong", {}, "Keys and mouse"), shut), h("div", { class: "xp-help-body" }, ...sections));
  let opener: HTMLElement | null = null;
  const close = (): boolean => {
    if (el.hidden) return false;
    el.hidden = true;
    (opener?.checkVisibility() ? opener : back()).focus({ preventScroll: true });
    return true;
  };
  const outside = (event: Event): void => {
    const path = event.composedPath();
    // The button that opened it closes it by itself.
    if (!path.includes(el) && !path.some((at) => at instanceof Element && at.matches(".xp-help-button"))) el.hidden = true;
  };
  shut.addEventListener("click", close);
  document.addEventListener("pointerdown", outside, true);
  return {
    el,
    toggle() {
      if (close()) return;
      const held = document.activeElement;
      opener = held instanceof HTMLElement && held !== document.body ? held : null;
      el.hidden = false;
      el.focus({ preventScroll: true });
    },
    close,
    dispose: () => document.removeEventListener("pointerdown", outside, true),
  };
}
