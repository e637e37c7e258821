// Keys and mouse of the viewer, and the card that lists them.
import { h } from "../shared/dom";

export interface Commands {
  move(axis: 0 | 1 | 2, by: number): void;
  /** Step the plane that was touched last; `end` goes to its first or last slice. */
  slice(by: number): void;
  end(last: boolean): void;
  layout(name: "grid" | "axial" | "coronal" | "sagittal"): void;
  toggle(option: "overlay" | "outline" | "radiological" | "smooth" | "crosshair"): void;
  opacity(by: number): void;
  reset(): void;
  structure(by: number): void;
  step(by: number): void;
  help(): void;
}

const HELP: [string, string][] = [
  ["click, drag", "move the crosshair"],
  ["wheel", "previous or next slice"],
  ["Ctrl + wheel", "zoom"],
  ["Shift + drag", "pan"],
  ["right drag", "window: width across, level up and down"],
  ["double click", "one plane or all"],
  ["↑ ↓ PgUp PgDn", "slice of the plane last touched; Shift: five"],
  ["← →", "crosshair left or right in the patient"],
  ["Home End", "first or last slice"],
  ["1 2 3 4", "all planes, axial, coronal, sagittal"],
  ["S", "structures on or off"],
  ["O", "fill or outline"],
  ["A D", "more or less transparent"],
  [", .", "previous or next structure"],
  ["[ ]", "previous or next case"],
  ["X", "radiological or neurological"],
  ["I", "interpolation on or off"],
  ["M", "crosshair on or off"],
  ["R", "reset window and zoom"],
  ["?", "this list"],
];

export function bindKeys(el: HTMLElement, commands: Commands): void {
  const actions: Record<string, (far: number) => void> = {
    ArrowUp: (far) => commands.slice(far),
    ArrowDown: (far) => commands.slice(-far),
    PageUp: (far) => commands.slice(far),
    PageDown: (far) => commands.slice(-far),
    ArrowLeft: (far) => commands.move(0, -far),
    ArrowRight: (far) => commands.move(0, far),
    Home: () => commands.end(false),
    End: () => commands.end(true),
    "1": () => commands.layout("grid"),
    "2": () => commands.layout("axial"),
    "3": () => commands.layout("coronal"),
    "4": () => commands.layout("sagittal"),
    s: () => commands.toggle("overlay"),
    o: () => commands.toggle("outline"),
    x: () => commands.toggle("radiological"),
    i: () => commands.toggle("smooth"),
    m: () => commands.toggle("crosshair"),
    a: () => commands.opacity(-0.1),
    d: () => commands.opacity(0.1),
    r: () => commands.reset(),
    ",": () => commands.structure(-1),
    ".": () => commands.structure(1),
    "[": () => commands.step(-1),
    "]": () => commands.step(1),
    "?": () => commands.help(),
  };
  el.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action(event.shiftKey ? 5 : 1);
  });
}

export function helpCard(): HTMLElement {
  const rows = HELP.flatMap(([keys, what]) => [h("dt", {}, keys), h("dd", {}, what)]);
  return h("div", { class: "xp-help", role: "dialog", "aria-label": "Keys and mouse", hidden: true },
    h("strong", {}, "Keys and mouse"), h("dl", {}, ...rows));
}
