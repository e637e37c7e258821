// One line of the list: a structure, or the body system above its structures.
import { h } from "../shared/dom";
import { isPresent, type StructureRow } from "./scene";
import { bounded, fullName, inWords, safeColor, sideWord, statusWord, volumeText } from "./words";

export interface RowView {
  el: HTMLElement;
  set(row: StructureRow): void;
  setShown(on: boolean): void;
  /** Whether it is the one that was gone to. */
  setChosen(is: boolean): void;
  setStyle(color: string | undefined, opacity: number | undefined): void;
  /** Make the buttons that only a row under the pointer or with the focus has. */
  ready(): void;
}

export interface GroupView {
  el: HTMLElement;
  set(open: boolean, members: readonly number[], present: readonly number[]): void;
  setShown(shown: ReadonlySet<number>): void;
  /** Rows that its eye shows and hides. */
  present: readonly number[];
}

/** What each button does, for its tip and, with the structure's name behind it, for a screen reader. */
const ACTS: [act: string, tip: string, label: string][] = [
  ["largest", "Go to its largest slice", "Go to the largest slice of"],
  ["previous", "Previous slice that has it", "Previous slice that has"],
  ["next", "Next slice that has it", "Next slice that has"],
  ["solo", "Show only this one; again: as before", "Show only"],
];

const eyeButton = (): HTMLButtonElement =>
  h("button", { class: "xp-eye", "data-act": "eye", role: "checkbox", "aria-checked": "false", tabindex: -1 });

export function structureRow(first: StructureRow): RowView {
  let row = first;
  let on = false;
  let alpha = 1;
  let own: string | undefined;
  const chip = h("button", { class: "xp-chip-color", "data-act": "style", tabindex: -1, "aria-haspopup": "dialog" });
  const text = h("span", { class: "xp-text" });
  const side = h("span", { class: "xp-side" });
  const name = h("button", { class: "xp-name", "data-act": "name", tabindex: -1 }, text, side);
  const volume = h("span", { class: "xp-volume xp-n", role: "gridcell" });
  const status = h("span", { class: "xp-status", role: "gridcell" });
  const acts = h("span", { class: "xp-acts", role: "gridcell" });
  const eye = eyeButton();
  const el = h("div", { class: "xp-structure", role: "row", "aria-level": 2, tabindex: -1, "data-structure": bounded(row.name) },
    h("span", { role: "gridcell" }, chip), h("span", { class: "xp-name-cell", role: "gridcell" }, name),
    volume, status, acts, h("span", { role: "gridcell" }, eye));

  const label = (): void => {
    const words = [fullName(row), isPresent(row) && volume.textContent !== "–" ? `${volume.textContent} ml` : "", statusWord(row)];
    if (isPresent(row)) words.push(on ? "shown" : "hidden");
    el.setAttribute("aria-label", words.filter(Boolean).join(", "));
  };
  const paint = (): void => {
    chip.style.setProperty("--xp-own", safeColor(own ?? row.color));
    chip.style.setProperty("--xp-alpha", `${Math.round(alpha * 100)}%`);
    chip.title = `Colour${own ? " (your own)" : ""} and opacity${alpha < 1 ? ` (${Math.round(alpha * 100)} %)` : ""}`;
  };
  const view: RowView = {
    el,
    set(next) {
      row = next;
      const present = isPresent(row);
      const full = fullName(row);
      text.textContent = bounded(row.label);
      side.textContent = row.side.slice(0, 1);
      side.title = sideWord(row);
      volume.textContent = volumeText(row);
      status.textContent = statusWord(row);
      status.className = `xp-status xp-status-${row.only === undefined ? statusWord(row).replace(" ", "_") : "only"}`;
      status.title = row.only === undefined ? "" : status.textContent;
      name.disabled = chip.disabled = eye.hidden = !present;
      name.title = present ? `${bounded(row.name)}: go to its centre` : bounded(row.name);
      chip.setAttribute("aria-label", `Colour and opacity of ${full}`);
      eye.setAttribute("aria-label", `Show ${full}`);
      eye.title = "Show or hide; with Alt, only this one";
      el.classList.toggle("xp-gone-row", !present);
      if (acts.childElementCount) {
        acts.replaceChildren();
        view.ready();
      }
      paint();
      label();
    },
    setShown(next) {
      if (next === on) return;
      on = next;
      eye.setAttribute("aria-checked", String(on));
      el.classList.toggle("xp-off", !on);
      label();
    },
    setChosen(is) {
      if (is) el.setAttribute("aria-current", "true");
      else el.removeAttribute("aria-current");
    },
    setStyle(color, opacity) {
      if (color === own && (opacity ?? 1) === alpha) return;
      own = color;
      alpha = Math.min(1, Math.max(0, opacity ?? 1));
      paint();
    },
    ready() {
      if (acts.childElementCount || !isPresent(row)) return;
      name.title = `${inWords(row)}\n${bounded(row.name)}\nClick: go to its centre; with Alt: only this one`;
      acts.append(...ACTS.map(([act, title, words]) =>
        h("button", { class: `xp-do xp-do-${act}`, "data-act": act, tabindex: -1, "aria-label": `${words} ${fullName(row)}`, title })));
    },
  };
  el.classList.add("xp-off");
  view.set(first);
  return view;
}

export function groupRow(group: string): GroupView {
  const name = bounded(group, 80);
  const count = h("span", { class: "xp-count xp-n" });
  const fold = h("button", { class: "xp-fold", "data-act": "fold", tabindex: -1 }, h("span", { class: "xp-group-name" }, name), count);
  const eye = eyeButton();
  eye.setAttribute("aria-label", `Show all of ${name}`);
  eye.title = "Show or hide all of these; with Alt, only these";
  const el = h("div", { class: "xp-group", role: "row", "aria-level": 1, tabindex: -1, "data-group": name },
    h("span", { class: "xp-fold-cell", role: "gridcell" }, fold), h("span", { class: "xp-unit", "aria-hidden": "true" }, "ml"),
    h("span", { role: "gridcell" }, eye));
  let members: readonly number[] = [];
  const view: GroupView = {
    el,
    present: [],
    set(open, all, present) {
      members = all;
      view.present = present;
      el.setAttribute("aria-expanded", String(open));
      eye.hidden = !present.length;
    },
    setShown(shown) {
      const on = view.present.filter((i) => shown.has(i)).length;
      const mixed = on > 0 && on < view.present.length;
      eye.setAttribute("aria-checked", mixed ? "mixed" : String(on > 0));
      const text = mixed ? `${on} of ${members.length}` : String(members.length);
      if (count.textContent !== text) count.textContent = text;
      el.setAttribute("aria-label", `${name}, ${members.length} listed, ${on} shown`);
    },
  };
  return view;
}
