// The slim bar under the planes: layout, window, how structures are drawn, tools.
import { h } from "../shared/dom";
import { roving } from "../shared/roving";
import { icon } from "./icons";
import type { Toggle } from "./keys";
import type { Tool } from "./measure";
import { hasFills, paintOf, paintsOf, type Layout, type Options, type Paint } from "./scene";
import { typedNumber } from "./typed";

export type Preset = "1-99" | "2-98" | "0.5-99.5" | "full" | "structure" | "custom";

export interface BarActions {
  window(low: number, high: number): void;
  preset(name: Preset): void;
  layout(name: Layout): void;
  toggle(option: Toggle): void;
  options(change: Partial<Options>): void;
  tool(name: Tool): void;
  masks(shown: string, compared: string): void;
  copy(): void;
  help(): void;
  /** Say what went wrong. */
  tell(words: string): void;
}

export interface BarState {
  window: [number, number] | null;
  preset: Preset;
  /** The structure that "on structure" means, or "". */
  structure: string;
  /** The structure that the window is on, or "". */
  windowedOn: string;
  layout: Layout;
  options: Options;
  tool: Tool | null;
  maskSets: readonly string[];
  maskSet: string;
  compare: string;
}

export interface Bar {
  el: HTMLElement;
  /** Which sets of masks are shown, for the head of their list. */
  sets: HTMLElement;
  update(state: BarState): void;
  /** Close what is open; false when nothing was. */
  close(): boolean;
  dispose(): void;
}

/** Name, and how much of it is shown where there is little room. */
const LAYOUTS: [Layout, string, number, string][] = [
  ["grid", "All", 3, "Three planes and 3D (1)"], ["axial", "Axial", 2, "Axial (2)"], ["coronal", "Coronal", 3, "Coronal (3)"],
  ["sagittal", "Sagittal", 3, "Sagittal (4)"], ["mosaic", "Mosaic", 3, "A plane beside its slices (5), these alone (7)"], ["3d", "3D", 2, "3D (6)"],
];
const PRESETS: [Preset, string][] = [
  ["1-99", "1–99 %"], ["2-98", "2–98 %"], ["0.5-99.5", "0.5–99.5 %"], ["full", "Full range"], ["structure", "On structure"], ["custom", "Custom"],
];
/** A window on a structure that another choice of "on structure" would no longer mean. */
const HELD = "held";
const OPACITY = "Opacity of structures";
const PAINT_NAMES: Record<Paint, string> = { fill: "Fill", outline: "Outline", both: "Both" };

type Choice = readonly [value: string, text: string];

/** A select whose entries may change; the browser's own one, so that keys and touch work. */
function choose(label: string, choices: readonly Choice[], chosen: (value: string) => void): HTMLSelectElement {
  const el = h("select", { class: "xp-input xp-select", "aria-label": label, title: label });
  fillChoices(el, choices);
  el.addEventListener("change", () => chosen(el.value));
  return el;
}
function fillChoices(el: HTMLSelectElement, choices: readonly Choice[]): void {
  const key = JSON.stringify(choices);
  if (el.dataset["key"] === key) return;
  el.dataset["key"] = key;
  el.replaceChildren(...choices.map(([value, text]) => h("option", { value }, text)));
}
/** Rounded to what a small field has room for. */
function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(2).split("e").map(Number).join("e");
  return String(size >= 1000 ? Math.round(value) : Number(value.toPrecision(4)));
}
const press = (button: HTMLElement, is: boolean): void => {
  if (button.ariaPressed !== String(is)) button.ariaPressed = String(is);
};

export function bar(actions: BarActions): Bar {
  const field = (label: string): HTMLInputElement =>
    h("input", { class: "xp-input xp-n xp-number", inputmode: "decimal", "aria-label": label, title: label });
  const low = field("Window: shown as black");
  const high = field("Window: shown as white");
  const ends = [low, high];
  let window_: readonly [number, number] | null = null;
  const fit = (input: HTMLInputElement): void => input.style.setProperty("--xp-chars", String(input.value.length));
  const put = (input: HTMLInputElement, i: number): void => {
    input.value = window_ ? number(window_[i]!) : "";
    fit(input);
  };
  /** To set what is set costs the page as much as a change does. */
  const setTo = (el: HTMLSelectElement | HTMLInputElement, value: string): void => {
    if (el.value !== value) el.value = value;
  };
  const fill = (): void => ends.forEach((input, i) => document.activeElement === input || put(input, i));
  ends.forEach((input, i) => {
    input.addEventListener("input", () => fit(input));
    input.addEventListener("change", () => {
      const given = typedNumber(input.value);
      if (!window_ || typeof given === "string") {
        if (typeof given === "string") actions.tell(given);
        return put(input, i);
      }
      const [a, b] = window_;
      // An end that is moved past the other one takes it along.
      if (i === 0) actions.window(given, given < b ? b : given + b - a);
      else actions.window(given > a ? a : given + a - b, given);
    });
    input.addEventListener("blur", fill);
  });
  const presets = choose("Window preset", PRESETS, (value) => actions.preset(value as Preset));

  const button = (content: string | SVGElement, label: string, act: () => void): HTMLButtonElement => {
    const plain = typeof content === "string";
    const el = h("button", { class: plain ? "xp-btn" : "xp-btn xp-icon-button", title: label, "aria-label": plain ? null : label }, content);
    el.addEventListener("click", act);
    return el;
  };
  const layouts = LAYOUTS.map(([name, text, short, title]) => {
    const el = h("button", { class: "xp-seg", title, "aria-label": text }, text.slice(0, short), h("span", {}, text.slice(short)));
    el.addEventListener("click", () => actions.layout(name));
    return el;
  });
  const overlay = button(icon("structures"), "Structures on or off (S)", () => actions.toggle("overlay"));
  const paint = choose("How structures are drawn (O)", [], (value) => actions.options({ paint: value as Paint }));
  const slide = (label: string, min: number, max: number, step: number, act: (value: number) => void): HTMLInputElement => {
    const el = h("input", { type: "range", min, max, step, class: "xp-range", "aria-label": label, title: label });
    el.addEventListener("input", () => act(Number(el.value)));
    return el;
  };
  const opacity = slide(OPACITY, 0, 1, 0.05, (value) => actions.options({ opacity: value }));
  const width = slide("Width of outlines", 0.5, 5, 0.5, (value) => actions.options({ width: value }));

  const masks = choose("Masks shown", [], (value) => actions.masks(value, compare.value));
  const compare = choose("Compared with", [], (value) => actions.masks(masks.value, value));
  const difference = button("Difference", "Where the two agree and where not", () => actions.toggle("difference"));
  const sets = h("div", { class: "xp-mask-sets", role: "group", "aria-label": "Sets of masks", hidden: true }, masks, h("span", { class: "xp-cap" }, "vs"), compare, difference);

  const tools = (["distance", "angle"] as const).map((name) =>
    [name, button(icon(name), name === "distance" ? "Measure a distance (L)" : "Measure an angle (N)", () => actions.tool(name))] as const);
  const copy = button(icon("copy"), "Copy picture (P)", actions.copy);
  const more = button(icon("display"), "Display", () => open(pop.hidden !== false));
  const help = button("?", "Keys and mouse (?)", actions.help);
  help.classList.add("xp-help-button");
  help.setAttribute("aria-label", "Keys and mouse");

  const switches = ([["radiological", "Radiological", "Patient's right on the left (X)"], ["smooth", "Interpolation", "Linear or nearest (I)"], ["crosshair", "Crosshair", "Show the crosshair (M)"]] as const)
    .map(([name, text, title]) => [name, button(text, title, () => actions.toggle(name))] as const);
  const pop = h("div", { class: "xp-pop", role: "group", "aria-label": "Display", hidden: true },
    h("label", { class: "xp-pop-row" }, "Outline width", width), ...switches.map(([, el]) => el));
  const open = (is: boolean): void => {
    if (!is && pop.contains(document.activeElement)) more.focus({ preventScroll: true });
    pop.hidden = !is;
    more.setAttribute("aria-expanded", String(is));
  };
  open(false);
  const outside = (event: Event): void => {
    if (!event.composedPath().includes(holder)) open(false);
  };
  const holder = h("div", { class: "xp-pop-holder" }, more, pop);
  holder.addEventListener("focusout", ({ relatedTarget: to }) => {
    if (to instanceof Node && !holder.contains(to)) open(false);
  });
  document.addEventListener("pointerdown", outside, true);

  const segs = h("div", { class: "xp-segs", role: "toolbar", "aria-label": "Layout" }, ...layouts);
  const row = h("div", { class: "xp-sets xp-tools", role: "toolbar", "aria-label": "Tools" }, ...tools.map(([, el]) => el), copy, holder, help);
  let stopped = "";
  const stops = [roving(segs, "button"), roving(row, "button:not(.xp-pop button)")];
  return {
    sets,
    el: h("div", { class: "xp-bar", role: "group", "aria-label": "Display of the slices" },
      segs,
      h("div", { class: "xp-sets", role: "group", "aria-label": "Window" }, h("span", { class: "xp-cap" }, "Window"), low, high, presets),
      h("div", { class: "xp-sets", role: "group", "aria-label": "Structures" }, overlay, paint, opacity),
      row),
    update(state) {
      const { options } = state;
      window_ = state.window;
      fill();
      for (const el of [low, high, presets]) el.disabled = !window_;
      const onto = (structure: string): string => `On ${structure.replaceAll("_", " ").slice(0, 40)}`;
      const isHeld = state.windowedOn !== "" && state.windowedOn !== state.structure;
      fillChoices(presets, [
        ...PRESETS
          .filter(([name]) => (name !== "custom" || state.preset === "custom") && (name !== "structure" || state.structure !== ""))
          .map(([name, text]) => [name, name === "structure" ? onto(state.structure) : text] as const),
        ...(isHeld ? [[HELD, onto(state.windowedOn)] as const] : []),
      ]);
      setTo(presets, isHeld ? HELD : state.preset);
      LAYOUTS.forEach(([name], i) => press(layouts[i]!, name === (state.layout === "sheet" ? "mosaic" : state.layout)));
      press(overlay, options.overlay);
      press(difference, options.difference);
      for (const [name, el] of switches) press(el, options[name]);
      for (const [name, el] of tools) press(el, name === state.tool);
      const chosen = `${state.layout} ${state.tool}`;
      if (chosen !== stopped) for (const group of stops) group.refresh();
      stopped = chosen;
      const isComparing = state.compare !== "";
      fillChoices(paint, paintsOf(isComparing).map((name) => [name, PAINT_NAMES[name]]));
      setTo(paint, paintOf(options, isComparing));
      setTo(opacity, String(options.opacity));
      opacity.disabled = !hasFills(options, isComparing);
      opacity.title = opacity.disabled ? "Opacity is of fills, and only outlines are drawn" : `${OPACITY} (A, D)`;
      setTo(width, String(options.width));
      sets.hidden = state.maskSets.length < 2;
      fillChoices(masks, state.maskSets.map((name) => [name, name.slice(0, 60)]));
      fillChoices(compare, [["", "nothing"], ...state.maskSets.filter((name) => name !== state.maskSet).map((name) => [name, name.slice(0, 60)] as const)]);
      setTo(masks, state.maskSet);
      setTo(compare, state.compare);
      difference.hidden = state.compare === "";
    },
    close() {
      const was = !pop.hidden;
      open(false);
      return was;
    },
    dispose: () => document.removeEventListener("pointerdown", outside, true),
  };
}
