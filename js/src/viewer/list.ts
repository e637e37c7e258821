// The list itself: its rows in the page, what the pointer does to them and what the keys do.
import { h } from "../shared/dom";
import { place } from "./place";
import { isThere } from "./presets";
import { groupRow, structureRow, type GroupView, type RowView } from "./row";
import { isPresent, type StructureRow } from "./scene";

const PAGE_ROWS = 10;
/** What the pointer rests on in the pictures comes into sight after so long. */
const REST_MS = 350;
const MOST_KEPT = 1500;

const FIELDS = ["name", "label", "side", "group", "color", "snomed", "volume_ml", "status", "only"] as const;
const isSame = (a: StructureRow | undefined, b: StructureRow): boolean => a === b || (a !== undefined && FIELDS.every((name) => a[name] === b[name]));

export interface ListActions {
  toggle(rows: readonly number[]): void;
  solo(rows: readonly number[]): void;
  go(row: number, to: "centre" | "largest" | "next" | "previous"): void;
  hover(row: number | null): void;
  style(row: number, chip: HTMLElement): void;
  /** Up from the first row. */
  leave(): void;
}

export interface Listed {
  rows: readonly StructureRow[];
  /** Those of `rows` that are listed. */
  indices: readonly number[];
  shown: ReadonlySet<number>;
  /** Whether all body systems are open, as they are for a search. */
  unfold: boolean;
  /** Stands there when nothing is listed. */
  note: Node | null;
}

export interface StructureList {
  el: HTMLElement;
  draw(next: Listed): void;
  setShown(shown: ReadonlySet<number>): void;
  setHovered(hovered: ReadonlySet<number>): void;
  /** Mark the structure that was gone to, or none for "". */
  setChosen(name: string): void;
  setStyle(colors: ReadonlyMap<string, string>, opacities: ReadonlyMap<string, number>): void;
  chip(row: number): HTMLElement | null;
  focus(): void;
}

export function structureList(on: ListActions): StructureList {
  const el = h("div", { class: "xp-list", role: "treegrid", tabindex: -1, "aria-label": "Structures" });
  const views = new Map<string, RowView>();
  const drawn = new Map<string, StructureRow>();
  const groups = new Map<string, GroupView>();
  /** Whose row an element is: names may be too long for attributes. */
  const structureAt = new WeakMap<HTMLElement, string>();
  const groupAt = new WeakMap<HTMLElement, string>();
  /** What the user folded or unfolded; others are folded when nothing of theirs is there. */
  const folds = new Map<string, boolean>();
  /** The same while a search is on, which opens them all. */
  const searchFolds = new Map<string, boolean>();
  let rows: readonly StructureRow[] = [];
  let index = new Map<string, number>();
  let lit: RowView[] = [];
  let chosen = "";
  let shown: ReadonlySet<number> = new Set();
  let colors: ReadonlyMap<string, string> = new Map();
  let opacities: ReadonlyMap<string, number> = new Map();
  let pointed: number | null = null;
  let last: Listed | null = null;

  // ---- rows ------------------------------------------------------------------------------------
  const viewOf = (row: StructureRow): RowView => {
    let view = views.get(row.name);
    if (!view) {
      views.set(row.name, (view = structureRow(row)));
      structureAt.set(view.el, row.name);
      view.setChosen(row.name === chosen);
    } else if (!isSame(drawn.get(row.name), row)) view.set(row);
    drawn.set(row.name, row);
    view.setStyle(colors.get(row.name), opacities.get(row.name));
    return view;
  };
  const rowOf = (target: EventTarget | null): HTMLElement | null => (target as HTMLElement | null)?.closest?.<HTMLElement>("[role=row]") ?? null;
  const nameOf = (row: HTMLElement | null): string => (row && structureAt.get(row)) ?? "";
  const indexOf = (row: HTMLElement | null): number | null => index.get(nameOf(row)) ?? null;
  const groupOf = (row: HTMLElement | null): GroupView | null => groups.get((row && groupAt.get(row)) ?? "") ?? null;
  const ready = (row: HTMLElement | null): void => views.get(nameOf(row))?.ready();
  const markShown = (before: ReadonlySet<number> | null): void => {
    rows.forEach((row, i) => {
      if (!before || before.has(i) !== shown.has(i)) views.get(row.name)?.setShown(shown.has(i));
    });
    for (const group of groups.values()) if (group.el.isConnected) group.setShown(shown);
  };

  // ---- acts ------------------------------------------------------------------------------------
  const fold = (row: HTMLElement, open = row.getAttribute("aria-expanded") !== "true"): void => {
    (last?.unfold ? searchFolds : folds).set(groupAt.get(row)!, open);
    if (last) draw(last);
  };
  const act = (row: HTMLElement, what: string, alt: boolean): void => {
    const i = indexOf(row);
    const group = groupOf(row);
    if (group) {
      if (what === "fold") fold(row);
      else if (what === "eye" && group.present.length) alt ? on.solo(group.present) : on.toggle(group.present);
      return;
    }
    if (i === null || !isPresent(rows[i]!)) return;
    if (what === "solo" || (alt && (what === "eye" || what === "name"))) on.solo([i]);
    else if (what === "eye") on.toggle([i]);
    else if (what === "name") on.go(i, "centre");
    else if (what === "style") on.style(i, row.querySelector<HTMLElement>("[data-act=style]")!);
    else if (what === "largest" || what === "next" || what === "previous") on.go(i, what);
  };

  // ---- focus: one stop of the Tab key ----------------------------------------------------------
  let stop: HTMLElement | null = null;
  const setStop = (next: HTMLElement | null): void => {
    if (stop && stop !== next) stop.tabIndex = -1;
    stop = next;
    if (stop) stop.tabIndex = 0;
  };
  /** The row that the keys are in shows its buttons, also while the focus goes from one to the next. */
  let inside: HTMLElement | null = null;
  const enter = (row: HTMLElement | null): void => {
    if (row === inside) return;
    inside?.classList.remove("xp-inside");
    inside = row;
    ready(row);
    row?.classList.add("xp-inside");
  };
  const allRows = (): HTMLElement[] => [...el.querySelectorAll<HTMLElement>("[role=row]")];
  const cells = (row: HTMLElement): HTMLElement[] =>
    [...row.querySelectorAll<HTMLElement>("[data-act]:not([data-act=name], [data-act=fold], [hidden], :disabled)")];
  const focus = (target: HTMLElement | undefined): void => {
    if (!target) return;
    target.focus({ preventScroll: true });
    rowOf(target)?.scrollIntoView({ block: "nearest" });
  };
  const focusRow = (row: HTMLElement | undefined, what: string | undefined): void => {
    if (!row) return;
    enter(row);
    focus((what && cells(row).find((cell) => cell.dataset["act"] === what)) || row);
  };

  const onKey = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    const row = rowOf(target);
    if (!row || event.ctrlKey || event.metaKey) return;
    enter(row);
    const all = allRows();
    const here = all.indexOf(row);
    const cell = target === row ? undefined : target.dataset["act"];
    const places = cells(row);
    const at = places.indexOf(target);
    const isGroup = groupOf(row) !== null;
    const open = row.getAttribute("aria-expanded") === "true";
    const to = (k: number): void => focusRow(all[Math.min(all.length - 1, Math.max(0, k))], cell);
    const keys: Record<string, () => void> = {
      ArrowDown: () => to(here + 1),
      ArrowUp: () => (here === 0 ? on.leave() : to(here - 1)),
      PageDown: () => to(here + PAGE_ROWS),
      PageUp: () => to(here - PAGE_ROWS),
      Home: () => to(0),
      End: () => to(all.length - 1),
      ArrowRight: () => (isGroup && !open ? fold(row, true) : focus(places[at + 1])),
      ArrowLeft: () => {
        if (at >= 0) focus(places[at - 1] ?? row);
        else if (isGroup) open && fold(row, false);
        else focus(all.slice(0, here).findLast((other) => groupOf(other)));
      },
      " ": () => act(row, "eye", event.altKey),
      Enter: () => act(row, isGroup ? (event.altKey ? "eye" : "fold") : "name", event.altKey),
    };
    // A focused button answers Space and Enter by itself.
    const press = event.key === " " || event.key === "Enter";
    const run = keys[event.key];
    if (!run || (press && cell && !event.altKey) || (event.altKey && !press)) return;
    event.preventDefault();
    run();
  };

  // ---- pointer ---------------------------------------------------------------------------------
  const point = (i: number | null): void => {
    if (i === pointed) return;
    pointed = i;
    on.hover(i);
  };
  el.addEventListener("pointerover", (event) => {
    const row = rowOf(event.target);
    ready(row);
    point(indexOf(row));
  });
  el.addEventListener("pointerleave", () => point(null));
  el.addEventListener("click", (event) => {
    const button = (event.target as HTMLElement).closest<HTMLElement>("[data-act]");
    const row = rowOf(button);
    if (!button || !row) return;
    act(row, button.dataset["act"]!, event.altKey);
    if (button.dataset["act"] === "name" || button.dataset["act"] === "fold") row.focus({ preventScroll: true });
  });
  el.addEventListener("focusin", (event) => {
    const target = event.target as HTMLElement;
    const row = rowOf(target);
    ready(row);
    if (row !== inside) enter(target.matches(":focus-visible") ? row : null);
    setStop(target === el ? stop : target);
    const i = indexOf(row);
    if (i !== null) point(i);
  });
  el.addEventListener("focusout", (event) => {
    if (el.contains(event.relatedTarget as Node | null)) return;
    enter(null);
    point(null);
  });
  el.addEventListener("keydown", onKey);

  const draw = (next: Listed): void => {
    const same = last?.rows === next.rows;
    const under = pointed === null ? undefined : rows[pointed]?.name;
    last = next;
    ({ rows, shown } = next);
    if (!next.unfold) searchFolds.clear();
    if (!same) {
      index = new Map(rows.map((row, i) => [row.name, i]));
      for (const name of views.size > MOST_KEPT ? [...views.keys()] : []) {
        if (index.has(name)) continue;
        views.delete(name);
        drawn.delete(name);
      }
    }
    const byGroup = new Map<string, number[]>();
    for (const i of next.indices) {
      const members = byGroup.get(rows[i]!.group);
      if (members) members.push(i);
      else byGroup.set(rows[i]!.group, [i]);
    }
    const parts: HTMLElement[] = [];
    for (const [name, members] of byGroup) {
      const present = members.filter((i) => isPresent(rows[i]!));
      const open = next.unfold ? (searchFolds.get(name) ?? true) : (folds.get(name) ?? members.some((i) => isThere(rows[i]!)));
      let group = groups.get(name);
      if (!group) {
        groups.set(name, (group = groupRow(name)));
        groupAt.set(group.el, name);
      }
      group.set(open, members, present);
      parts.push(group.el);
      if (open) parts.push(...members.map((i) => viewOf(rows[i]!).el));
    }
    place(el, next.note ? [next.note] : parts);
    if (!stop || !el.contains(stop)) setStop(parts[0] ?? null);
    if (stop && el.matches(":focus")) stop.focus({ preventScroll: true });
    if (under !== undefined && !same) {
      const moved = index.get(under);
      if (moved === undefined) point(null);
      else pointed = moved;
    }
    markShown(null);
  };

  /** Bring a row into sight; by the list's own scrolling, so that a page around stays where it is. */
  const reveal = (row: HTMLElement): void => {
    // Whoever is at the list looks for something else there.
    if (!row.isConnected || el.closest(".xp-panel")?.matches(":hover, :focus-within")) return;
    const [area, at] = [el.getBoundingClientRect(), row.getBoundingClientRect()];
    const head = el.querySelector(".xp-group")?.clientHeight ?? 0;
    if (at.top < area.top + head) el.scrollTop += at.top - area.top - head;
    else if (at.bottom > area.bottom) el.scrollTop += at.bottom - area.bottom;
  };
  let resting = 0;

  return {
    el,
    draw,
    setShown(next) {
      const before = shown;
      shown = next;
      markShown(before);
    },
    setHovered(hovered) {
      for (const view of lit) view.el.classList.remove("xp-hovered");
      lit = [...hovered].flatMap((i) => views.get(rows[i]?.name ?? "") ?? []);
      for (const view of lit) view.el.classList.add("xp-hovered");
      clearTimeout(resting);
      const [first] = lit;
      if (first) resting = window.setTimeout(() => reveal(first.el), REST_MS);
    },
    setChosen(name) {
      if (name === chosen) return;
      views.get(chosen)?.setChosen(false);
      chosen = name;
      views.get(chosen)?.setChosen(true);
    },
    setStyle(nextColors, nextOpacities) {
      colors = nextColors;
      opacities = nextOpacities;
      for (const [name, view] of views) view.setStyle(colors.get(name), opacities.get(name));
    },
    chip: (row) => views.get(rows[row]?.name ?? "")?.el.querySelector<HTMLElement>("[data-act=style]") ?? null,
    focus() {
      focusRow(allRows()[0], undefined);
    },
  };
}
