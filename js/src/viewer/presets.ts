// Which structures are listed: presets by presence, side and body system, and the search.
import { h } from "../shared/dom";
import { roving } from "../shared/roving";
import { isPresent, type StructureRow } from "./scene";
import { bounded, haystack } from "./words";

const ORGANS: ReadonlySet<string> = new Set(["Digestive", "Urinary and endocrine", "Chest"]);

export interface Preset {
  id: string;
  text: string;
  /** Shown behind the text where it tells something. */
  count: number | null;
  title: string;
}

const system = (group: string): string => (ORGANS.has(group) ? "Organs" : group);
/** A mask that cannot be read is listed with what is there: its case has a problem. */
export const isThere = (row: StructureRow): boolean => isPresent(row) || row.status === "unreadable";

/**
 * The presets that a case has; the chosen one stays when another case is opened.
 */
export function presetsOf(rows: readonly StructureRow[], chosen: string): Preset[] {
  const present = rows.filter(isPresent);
  const systems = new Set(present.map((row) => system(row.group)));
  if (chosen.startsWith("system:")) systems.add(chosen.slice("system:".length));
  return [
    { id: "present", text: "Present", count: present.length, title: "What this case has" },
    { id: "shown", text: "Shown", count: null, title: "What is shown now" },
    { id: "all", text: "All", count: rows.length, title: "Absent, missing and unreadable ones too" },
    { id: "left", text: "Left", count: null, title: "Of the patient's left side" },
    { id: "right", text: "Right", count: null, title: "Of the patient's right side" },
    ...[...systems].map((name) => ({ id: `system:${name}`, text: bounded(name, 40), count: null, title: `Only ${bounded(name, 100)}` })),
  ];
}

/**
 * Rows that a preset lists.
 *
 * `kept` are rows that "Shown" holds on to, so that hiding one does not move the others away.
 */
export function listed(rows: readonly StructureRow[], preset: string, search: string, kept: ReadonlySet<number>): number[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const inPreset = (row: StructureRow, i: number): boolean => {
    if (preset === "all") return true;
    if (preset === "shown") return kept.has(i);
    if (!isThere(row)) return false;
    if (preset === "left" || preset === "right") return row.side === preset[0]!.toUpperCase();
    return preset === "present" || preset === `system:${system(row.group)}`;
  };
  return rows.flatMap((row, i) => {
    if (!inPreset(row, i)) return [];
    if (!words.length) return [i];
    const text = haystack(row);
    return words.every((word) => text.includes(word)) ? [i] : [];
  });
}

export interface PresetBar {
  el: HTMLElement;
  update(presets: Preset[], chosen: string): void;
}

/** The presets as a row of buttons that is one stop of the Tab key. */
export function presetBar(choose: (id: string) => void): PresetBar {
  const el = h("div", { class: "xp-presets", role: "toolbar", "aria-label": "Which structures are listed" });
  const move = roving(el, "button");
  let drawn = "";
  let known: readonly Preset[] = [];
  el.addEventListener("click", (event) => {
    const button = (event.target as HTMLElement).closest("button");
    const preset = button && known[[...el.children].indexOf(button)];
    if (preset) choose(preset.id);
  });
  return {
    el,
    update(presets, chosen) {
      known = presets;
      const ids = JSON.stringify(presets.map((preset) => preset.id));
      if (ids !== drawn) {
        drawn = ids;
        const held = el.querySelector<HTMLElement>(":focus")?.dataset["preset"];
        el.replaceChildren(
          ...presets.map(({ id, text, title }) =>
            h("button", { class: "xp-preset", "data-preset": bounded(id, 60), title }, text, h("span", { class: "xp-n" }))),
        );
        if (held !== undefined) el.querySelector<HTMLElement>(`[data-preset="${CSS.escape(held)}"]`)?.focus();
        move.refresh();
      }
      presets.forEach(({ id, count }, i) => {
        const button = el.children[i] as HTMLElement;
        button.setAttribute("aria-pressed", String(id === chosen));
        const text = count === null ? "" : ` ${count}`;
        if (button.lastElementChild!.textContent !== text) button.lastElementChild!.textContent = text;
      });
    },
  };
}
