// The slim bar under the planes: window, layout, how structures are drawn.
import { h } from "../shared/dom";
import type { Layout, Options } from "./scene";

export interface BarActions {
  window(low: number, high: number): void;
  autoWindow(): void;
  layout(name: Layout): void;
  toggle(option: "outline" | "overlay" | "radiological"): void;
  opacity(value: number): void;
  help(): void;
}

export interface Bar {
  el: HTMLElement;
  /** The line that tells what is under the cursor. */
  said: HTMLElement;
  update(window: [number, number] | null, layout: Layout, options: Options): void;
  say(text: string): void;
}

const LAYOUTS: [Layout, string][] = [["grid", "All"], ["axial", "Axial"], ["coronal", "Coronal"], ["sagittal", "Sagittal"]];

export function bar(actions: BarActions): Bar {
  const field = (label: string): HTMLInputElement =>
    h("input", { class: "xp-input xp-n xp-number", inputmode: "decimal", "aria-label": label, title: label });
  const low = field("Window: shown as black");
  const high = field("Window: shown as white");
  const apply = (): void => {
    const [a, b] = [Number.parseFloat(low.value), Number.parseFloat(high.value)];
    if (Number.isFinite(a) && Number.isFinite(b) && b > a) actions.window(a, b);
  };
  for (const input of [low, high]) input.addEventListener("change", apply);
  const auto = h("button", { class: "xp-btn", title: "1st to 99th percentile of the whole image" }, "Auto");
  auto.addEventListener("click", actions.autoWindow);

  const layouts = LAYOUTS.map(([name, text]) => {
    const button = h("button", { class: "xp-seg", "aria-pressed": "false" }, text);
    button.addEventListener("click", () => actions.layout(name));
    return button;
  });
  const toggles = ([["overlay", "Structures"], ["outline", "Outline"], ["radiological", "Radiological"]] as const).map(([name, text]) => {
    const button = h("button", { class: "xp-btn", "aria-pressed": "false" }, text);
    button.addEventListener("click", () => actions.toggle(name));
    return [name, button] as const;
  });
  const opacity = h("input", { type: "range", min: 0, max: 1, step: 0.05, class: "xp-range", "aria-label": "Opacity of structures", title: "Opacity of structures" });
  opacity.addEventListener("input", () => actions.opacity(Number(opacity.value)));
  const help = h("button", { class: "xp-btn", "aria-label": "Keys and mouse", title: "Keys and mouse" }, "?");
  help.addEventListener("click", actions.help);
  const said = h("span", { class: "xp-said xp-n", role: "status", "aria-live": "polite" });

  return {
    said,
    el: h("div", { class: "xp-bar" },
      h("div", { class: "xp-segs", role: "group", "aria-label": "Layout" }, ...layouts),
      h("span", { class: "xp-cap" }, "Window"), low, high, auto,
      ...toggles.map(([, button]) => button), opacity, help),
    update(window, layout, options) {
      if (window && document.activeElement !== low) low.value = String(Number(window[0].toPrecision(4)));
      if (window && document.activeElement !== high) high.value = String(Number(window[1].toPrecision(4)));
      LAYOUTS.forEach(([name], i) => layouts[i]!.setAttribute("aria-pressed", String(name === layout)));
      for (const [name, button] of toggles) button.setAttribute("aria-pressed", String(options[name]));
      opacity.value = String(options.opacity);
    },
    say(text) {
      if (said.textContent !== text) {
        said.textContent = text;
        said.title = text;
      }
    },
  };
}
