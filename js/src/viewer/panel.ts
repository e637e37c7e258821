// The list of structures: what is shown, how large it is, whether it is whole.
import { h } from "../shared/dom";
import { isPresent, type Labels, type StructureRow } from "./scene";

export interface PanelActions {
  /** Rows to show; null for all that are present. */
  show(names: string[] | null): void;
  hover(name: string | null): void;
  color(name: string, color: string | null): void;
  opacity(name: string, value: number): void;
  go(name: string, to: "centre" | "largest" | "next" | "previous"): void;
}

export interface Panel {
  el: HTMLElement;
  setLabels(labels: Labels | null, busy: string): void;
  setShown(shown: ReadonlySet<number>): void;
  setHovered(rows: ReadonlySet<number>): void;
  setStyle(colors: ReadonlyMap<string, string>, opacities: ReadonlyMap<string, number>): void;
}

type Preset = "Present" | "Left" | "Right" | "All";

const STATUS: Record<string, string> = {
  complete: "complete",
  cut_off: "cut off",
  absent: "absent",
  missing: "missing",
  unreadable: "unreadable",
};

const volume = (row: StructureRow): string => {
  if (row.volume_ml === null) return "–";
  if (!isPresent(row)) return "";
  return row.volume_ml >= 100 ? row.volume_ml.toFixed(0) : row.volume_ml >= 10 ? row.volume_ml.toFixed(1) : row.volume_ml.toFixed(2);
};

export function panel(actions: PanelActions): Panel {
  const search = h("input", {
    class: "xp-input", type: "search", placeholder: "Find a structure", "aria-label": "Find a structure",
  });
  const presets = h("div", { class: "xp-presets", role: "group", "aria-label": "Which structures are listed" });
  const list = h("div", { class: "xp-list", role: "list", "aria-label": "Structures" });
  const el = h("div", { class: "xp-panel" }, h("div", { class: "xp-panel-head" }, search, presets), list);

  let labels: Labels | null = null;
  let busy = "";
  let shown: ReadonlySet<number> = new Set();
  let preset: Preset = "Present";
  let own: ReadonlyMap<string, string> = new Map();
  const folded = new Set<string>();
  let rows = new Map<number, HTMLElement>();
  let groups = new Map<string, HTMLElement>();

  const listed = (): number[] => {
    if (!labels) return [];
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return labels.structures.flatMap((row, i) => {
      const text = `${row.name} ${row.label} ${row.group} ${row.side === "L" ? "left" : row.side === "R" ? "right" : ""}`;
      if (!words.every((word) => text.toLowerCase().includes(word))) return [];
      if (preset === "All" || words.length) return [i];
      if (!isPresent(row) && row.status !== "unreadable") return [];
      return preset === "Present" || row.side === preset[0] ? [i] : [];
    });
  };

  const setShown = (want: ReadonlySet<number>): void => {
    if (!labels) return;
    const present = labels.structures.flatMap((row, i) => (isPresent(row) ? [i] : []));
    actions.show(present.every((i) => want.has(i)) ? null : [...want].sort((a, b) => a - b).map((i) => labels!.structures[i]!.name));
  };
  const toggle = (indices: number[]): void => {
    const want = new Set(shown);
    const on = !indices.every((i) => want.has(i));
    for (const i of indices) on ? want.add(i) : want.delete(i);
    setShown(want);
  };
  const solo = (i: number): void => {
    if (shown.size === 1 && shown.has(i)) actions.show(null);
    else setShown(new Set([i]));
  };

  const rowOf = (i: number): HTMLElement => {
    const row = labels!.structures[i]!;
    const name = row.side ? `${row.label} ${row.side === "L" ? "left" : "right"}` : row.label;
    const present = isPresent(row);
    const chip = h("span", { class: "xp-chip-color", style: `background:${own.get(row.name) ?? row.color}` });
    const go = h(
      "button",
      { class: "xp-name", title: present ? `${row.name}: go there` : row.name, disabled: !present },
      chip, h("span", { class: "xp-text" }, row.label), h("span", { class: "xp-side" }, row.side),
    );
    go.addEventListener("click", (event) => (event.altKey ? solo(i) : actions.go(row.name, "centre")));
    const eye = h("button", {
      class: "xp-eye", role: "switch", "aria-checked": "false", disabled: !present,
      "aria-label": `Show ${name}`, title: "Show or hide; with Alt, only this one",
    });
    eye.addEventListener("click", (event) => (event.altKey ? solo(i) : toggle([i])));
    const el = h(
      "div",
      { class: "xp-structure", role: "listitem", "data-structure": row.name },
      go,
      h("span", { class: "xp-volume xp-n", title: "Volume in ml" }, volume(row)),
      h("span", { class: `xp-status xp-status-${row.status}` }, STATUS[row.status] ?? ""),
      eye,
    );
    el.addEventListener("pointerenter", () => actions.hover(row.name));
    el.addEventListener("pointerleave", () => actions.hover(null));
    return el;
  };

  const groupOf = (group: string, indices: number[]): HTMLElement[] => {
    const open = !folded.has(group) || search.value !== "";
    const fold = h("button", { class: "xp-fold", "aria-expanded": String(open) }, group, h("span", { class: "xp-count xp-n" }, String(indices.length)));
    fold.addEventListener("click", () => {
      folded.has(group) ? folded.delete(group) : folded.add(group);
      build();
    });
    const eye = h("button", { class: "xp-eye", role: "switch", "aria-label": `Show all of ${group}`, title: "Show or hide the group" });
    const present = indices.filter((i) => isPresent(labels!.structures[i]!));
    eye.disabled = !present.length;
    eye.addEventListener("click", () => toggle(present));
    eye.dataset["members"] = present.join(" ");
    groups.set(group, eye);
    const members = open ? indices.map((i) => {
      const el = rowOf(i);
      rows.set(i, el);
      return el;
    }) : [];
    return [h("div", { class: "xp-group" }, fold, eye), ...members];
  };

  const empty = (): string => {
    if (busy) return `${busy} …`;
    if (!labels) return "The structures of the open case are listed here.";
    if (search.value) return "No structure of this name.";
    const empty = labels.structures.filter((row) => row.status === "absent").length;
    return empty ? `No structure in this case: ${empty === 1 ? "its one mask is" : `all ${empty} masks are`} empty.` : "This case has no masks.";
  };

  const build = (): void => {
    const focused = (list.contains(document.activeElement) && (document.activeElement as HTMLElement).ariaLabel) || null;
    rows = new Map();
    groups = new Map();
    const byGroup = new Map<string, number[]>();
    for (const i of listed()) {
      const group = labels!.structures[i]!.group;
      byGroup.set(group, [...(byGroup.get(group) ?? []), i]);
    }
    const parts = [...byGroup].flatMap(([group, indices]) => groupOf(group, indices));
    list.replaceChildren(...(parts.length ? parts : [h("div", { class: "xp-empty" }, empty())]));
    if (focused) list.querySelector<HTMLElement>(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    buildPresets();
    mark();
  };

  const buildPresets = (): void => {
    const present = labels?.structures.filter(isPresent).length ?? 0;
    const button = (text: string, pressed: boolean, act: () => void): HTMLElement => {
      const b = h("button", { class: "xp-preset", "aria-pressed": String(pressed) }, text);
      b.addEventListener("click", act);
      return b;
    };
    const pick = (name: Preset, text = name as string): HTMLElement =>
      button(text, preset === name, () => {
        preset = name;
        build();
      });
    const act = (text: string, run: () => void): HTMLElement => {
      const b = h("button", { class: "xp-preset xp-act" }, text);
      b.addEventListener("click", run);
      return b;
    };
    presets.replaceChildren(
      pick("Present", `Present ${present}`), pick("Left"), pick("Right"), pick("All"),
      act("Show", () => setShown(new Set([...shown, ...listed().filter((i) => isPresent(labels!.structures[i]!))]))),
      act("Hide", () => {
        const gone = new Set(listed());
        setShown(new Set([...shown].filter((i) => !gone.has(i))));
      }),
    );
  };

  const mark = (): void => {
    for (const [i, row] of rows) {
      row.querySelector(".xp-eye")!.setAttribute("aria-checked", String(shown.has(i)));
      row.classList.toggle("xp-off", !shown.has(i));
    }
    for (const eye of groups.values()) {
      const members = (eye.dataset["members"] ?? "").split(" ").filter(Boolean).map(Number);
      const on = members.filter((i) => shown.has(i)).length;
      eye.setAttribute("aria-checked", on === 0 ? "false" : on === members.length ? "true" : "mixed");
    }
  };

  search.addEventListener("input", build);
  build();
  return {
    el,
    setLabels(next, why) {
      labels = next;
      busy = why;
      build();
    },
    setShown(next) {
      shown = next;
      mark();
    },
    setHovered(hovered) {
      for (const [i, row] of rows) row.classList.toggle("xp-hovered", hovered.has(i));
    },
    setStyle(colors) {
      own = colors;
      build();
    },
  };
}
