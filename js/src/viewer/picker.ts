// The small card that gives a structure another colour and opacity, and tells its code.
import { h } from "../shared/dom";
import { copyButton } from "./copy";
import type { StructureRow } from "./scene";
import { bounded, fullName, hexColor, safeColor } from "./words";

const GAP_PX = 4;

export interface PickerActions {
  color(name: string, color: string | null): void;
  opacity(name: string, value: number): void;
}

export interface Picker {
  el: HTMLElement;
  /** The structure it is open for, or null. */
  name(): string | null;
  open(row: StructureRow, chip: HTMLElement): void;
  close(focus: boolean): void;
  /** Take over what is known now: another colour, another row of the same structure. */
  update(row: StructureRow, own: string | undefined, opacity: number | undefined): void;
  /** Stay beside its chip when the list has moved. */
  follow(chip: HTMLElement | null): void;
}

export function picker(on: PickerActions): Picker {
  const title = h("strong", { class: "xp-picker-title" });
  const close = h("button", { class: "xp-do xp-do-close", "aria-label": "Close", title: "Close" });
  const wheel = h("input", { type: "color", class: "xp-wheel", "aria-label": "Colour" });
  const hex = h("input", { class: "xp-input xp-hex", maxlength: 9, spellcheck: "false", autocomplete: "off", "aria-label": "Colour as hexadecimal digits" });
  const table = h("button", { class: "xp-btn", title: "Back to the colour of the table" }, "Table colour");
  const range = h("input", { type: "range", min: 0, max: 100, step: 5, class: "xp-range", "aria-label": "Opacity of this structure" });
  const percent = h("output", { class: "xp-n" });
  const code = h("code", {});
  const snomed = h("div", { class: "xp-picker-line" }, h("span", { class: "xp-key" }, "SNOMED CT"), code,
    copyButton("Copy", "Copy the SNOMED CT code", () => code.textContent ?? ""));
  const el = h("div", { class: "xp-picker", role: "dialog", hidden: true },
    h("div", { class: "xp-picker-line" }, title, close),
    h("div", { class: "xp-picker-line" }, wheel, hex, table),
    h("label", { class: "xp-picker-line" }, h("span", { class: "xp-key" }, "Opacity"), range, percent),
    snomed);
  let name: string | null = null;
  let opener: HTMLElement | null = null;

  const say = (value: number): void => {
    percent.textContent = `${Math.round(value)} %`;
  };
  wheel.addEventListener("input", () => {
    hex.value = wheel.value;
    if (name !== null) on.color(name, wheel.value);
  });
  hex.addEventListener("input", () => {
    const color = hexColor(hex.value);
    hex.setAttribute("aria-invalid", String(color === null));
    if (color && name !== null && color !== wheel.value) {
      wheel.value = color;
      on.color(name, color);
    }
  });
  hex.addEventListener("change", () => {
    hex.value = wheel.value;
    hex.removeAttribute("aria-invalid");
  });
  table.addEventListener("click", () => {
    if (name !== null && table.getAttribute("aria-disabled") !== "true") on.color(name, null);
  });
  range.addEventListener("input", () => {
    say(Number(range.value));
    if (name !== null) on.opacity(name, Number(range.value) / 100);
  });

  const outside = (event: PointerEvent): void => {
    const path = event.composedPath();
    if (!el.isConnected || !(path.includes(el) || (opener && path.includes(opener)))) shut(false);
  };
  const shut = (focus: boolean): void => {
    document.removeEventListener("pointerdown", outside, true);
    name = null;
    el.hidden = true;
    opener?.removeAttribute("aria-expanded");
    if (focus) opener?.focus({ preventScroll: true });
  };
  const follow = (chip: HTMLElement | null): void => {
    const around = el.offsetParent?.getBoundingClientRect();
    if (!chip?.isConnected || !around) return;
    const at = chip.getBoundingClientRect();
    const height = el.offsetHeight;
    const below = at.bottom - around.top + GAP_PX;
    const above = at.top - around.top - height - GAP_PX;
    const top = below + height <= around.height ? below : above;
    el.style.top = `${Math.max(GAP_PX, Math.min(top, around.height - height - GAP_PX))}px`;
  };
  close.addEventListener("click", () => shut(true));
  /** The Tab key goes round within the card: it lies over the page, not in its order. */
  const goRound = (event: KeyboardEvent): void => {
    const stops = [...el.querySelectorAll<HTMLElement>("button, input")].filter((stop) => stop.checkVisibility());
    const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (document.activeElement !== from) return;
    event.preventDefault();
    to!.focus({ preventScroll: true });
  };
  el.addEventListener("keydown", (event) => {
    if (event.key === "Tab") return goRound(event);
    if (event.key !== "Escape") return;
    event.preventDefault();
    shut(true);
  });
  el.addEventListener("focusout", (event) => {
    const to = event.relatedTarget as Node | null;
    if (to && !el.contains(to) && to !== opener) shut(false);
  });

  return {
    el,
    name: () => name,
    open(row, chip) {
      shut(false);
      name = row.name;
      opener = chip;
      el.hidden = false;
      chip.setAttribute("aria-expanded", "true");
      document.addEventListener("pointerdown", outside, true);
      follow(chip);
      wheel.focus({ preventScroll: true });
    },
    close: shut,
    update(row, own, opacity) {
      const focused = (el.getRootNode() as Document | ShadowRoot).activeElement;
      el.setAttribute("aria-label", `Colour and opacity of ${fullName(row)}`);
      title.textContent = fullName(row);
      title.title = bounded(row.name);
      wheel.value = safeColor(own ?? row.color);
      if (focused !== hex) hex.value = wheel.value;
      table.setAttribute("aria-disabled", String(own === undefined));
      const value = Math.round(Math.min(1, Math.max(0, opacity ?? 1)) * 100);
      if (focused !== range) range.value = String(value);
      say(focused === range ? Number(range.value) : value);
      snomed.hidden = row.snomed === "";
      code.textContent = bounded(row.snomed, 40);
    },
    follow,
  };
}
