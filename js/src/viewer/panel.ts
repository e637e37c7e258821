// Beside the slices: the list of structures and what is shown of them, and what is known of the case.
import "./panel.css";
import { h } from "../shared/dom";
import { about } from "./about";
import { structureList } from "./list";
import { picker } from "./picker";
import { listed, presetBar, presetsOf } from "./presets";
import { roving } from "../shared/roving";
import { isPresent, type Labels, type StructureRow } from "./scene";
import { bounded, fullName, inWords } from "./words";

export interface PanelActions {
  /** Rows to show; null for all that are present. */
  show(names: string[] | null): void;
  hover(name: string | null): void;
  /** null: back to the table's. */
  color(name: string, color: string | null): void;
  opacity(name: string, value: number): void;
  go(name: string, to: "centre" | "largest" | "next" | "previous"): void;
}

export interface Panel {
  el: HTMLElement;
  setLabels(labels: Labels | null, busy: string): void;
  /** `everything`: no choice was made, so that masks still to come are shown too. */
  setShown(shown: ReadonlySet<number>, everything?: boolean): void;
  setHovered(rows: ReadonlySet<number>): void;
  /** Mark the structure that was gone to, or none for "". */
  setChosen(name: string): void;
  /** Whether structures are drawn at all. */
  setOverlay(on: boolean): void;
  /** The user's own colours and opacities, by structure. */
  setStyle(colors: ReadonlyMap<string, string>, opacities: ReadonlyMap<string, number>): void;
  /** Label, value and note of what is known of the case. */
  setFacts(rows: [string, string, string][]): void;
}

const NONE: readonly StructureRow[] = [];

/** `above` stands over the list. */
export function panel(actions: PanelActions, above: Node): Panel {
  let labels: Labels | null = null;
  let rows = NONE;
  let busy = "";
  let preset = "present";
  let shown: ReadonlySet<number> = new Set();
  let hovered: ReadonlySet<number> = new Set();
  let pointed: number | null = null;
  let everything = true;
  let overlay = true;
  /** Masks that are not read yet and will be shown. */
  let awaited: ReadonlySet<string> = new Set();
  /** What "Shown" lists, though some of it was hidden since. */
  let kept: ReadonlySet<number> = new Set();
  let indices: readonly number[] = [];
  /** What was shown before one was shown alone. */
  let beforeSolo: string[] | null = null;
  let colors: ReadonlyMap<string, string> = new Map();
  let opacities: ReadonlyMap<string, number> = new Map();

  // ---- what is shown ---------------------------------------------------------------------------
  const present = (among: readonly number[] = [...rows.keys()]): number[] => among.filter((i) => isPresent(rows[i]!));
  /** Names to show; with `rest`, masks still to come are among them as they were. */
  const names = (want: ReadonlySet<number>, rest: boolean): string[] | null => {
    const unread = labels?.complete === false ? rows.filter((row) => row.status === "" && row.volume_ml === null) : [];
    const later = unread.map((row) => row.name).filter((name) => rest && (everything || awaited.has(name)));
    if (later.length === unread.length && present().every((i) => want.has(i))) return null;
    return [...[...want].sort((a, b) => a - b).map((i) => rows[i]!.name), ...later];
  };
  const send = (found: string[] | null): void => {
    awaited = new Set(found ?? []);
    actions.show(found);
  };
  const show = (want: Iterable<number>, rest: boolean): void => send(names(new Set(want), rest));
  const toggle = (some: readonly number[]): void => {
    const hide = new Set(some);
    show(some.every((i) => shown.has(i)) ? [...shown].filter((i) => !hide.has(i)) : [...shown, ...some], true);
  };
  const solo = (some: readonly number[]): void => {
    if (shown.size === some.length && some.every((i) => shown.has(i))) {
      send(beforeSolo);
      return;
    }
    beforeSolo = names(shown, true);
    show(some, false);
  };

  // ---- the page with the structures ------------------------------------------------------------
  const search = h("input", { class: "xp-input xp-search", type: "search", placeholder: "Find a structure", "aria-label": "Find a structure" });
  const bar = presetBar((id) => {
    preset = id;
    if (id === "shown") kept = shown;
    build();
  });
  const isFiltered = (): boolean => present(indices).length < present().length;
  const act = (name: string, title: string, run: () => void): HTMLButtonElement => {
    const button = h("button", { class: "xp-act", "data-does": name, title });
    button.addEventListener("click", run);
    return button;
  };
  const only = act("only", "Hide all but the listed ones", () => show(present(indices), false));
  const all = act("show", "Show the listed ones too", () => (isFiltered() ? show([...shown, ...present(indices)], true) : send(null)));
  const none = act("hide", "Hide the listed ones", () => {
    const gone = new Set(indices);
    show([...shown].filter((i) => !gone.has(i)), isFiltered());
  });
  const invert = act("invert", "Show the listed ones that are hidden, and hide those that are shown", () => {
    const turned = new Set(indices);
    show([...[...shown].filter((i) => !turned.has(i)), ...present(indices).filter((i) => !shown.has(i))], isFiltered());
  });
  invert.textContent = "Invert";
  const acts = h("div", { class: "xp-panel-acts", role: "toolbar", "aria-label": "Show and hide" }, only, all, none, invert);
  const actStops = roving(acts, "button");
  const card = picker({ color: actions.color, opacity: actions.opacity });
  const list = structureList({
    toggle,
    solo,
    go: (i, to) => actions.go(rows[i]!.name, to),
    hover(i) {
      pointed = i;
      actions.hover(i === null ? null : rows[i]!.name);
      tell();
    },
    style(i, chip) {
      if (card.name() === rows[i]!.name) card.close(true);
      else {
        restyle(i);
        card.open(rows[i]!, chip);
      }
    },
    leave: () => search.focus(),
  });
  const reading = h("div", { class: "xp-reading xp-n" });
  const foot = h("div", { class: "xp-panel-foot xp-n" });
  const restyle = (i: number): void => card.update(rows[i]!, colors.get(rows[i]!.name), opacities.get(rows[i]!.name));

  const button = (text: string, run: () => void): HTMLElement => {
    const b = h("button", { class: "xp-btn" }, text);
    b.addEventListener("click", run);
    return b;
  };
  const listAll = (id: string) => (): void => {
    preset = id;
    build();
    list.focus();
  };
  const nothing = (): HTMLElement => {
    const note = (text: string, ...more: HTMLElement[]): HTMLElement => h("div", { class: "xp-empty" }, h("p", {}, text), ...more);
    if (!labels) return note(busy ? `${busy} …` : "The structures of the open case are listed here.");
    if (search.value.trim()) {
      const found = listed(rows, "all", search.value, kept).length;
      const clear = button("Clear the search", () => {
        search.value = "";
        build();
        search.focus();
      });
      if (!found) return note(`No structure of this name: “${bounded(search.value.trim(), 60)}”.`, clear);
      return note(`Not among these; ${found === 1 ? "one is" : `${found} are`} in the whole list.`, button(`Look through all ${rows.length}`, listAll("all")), clear);
    }
    if (labels.complete === false && !present().length) return note(`Reading masks …`);
    if (preset === "shown" && present().length) return note("No structure is shown.", button("Show all", () => send(null)));
    if (preset !== "present" && preset !== "all" && present().length) return note("This case has none of these.", button("List what it has", listAll("present")));
    const empty = rows.filter((row) => row.status === "absent").length;
    const whole = rows.length ? [button(`List all ${rows.length}`, listAll("all"))] : [];
    return note(empty ? `No structure in this case: ${empty === 1 ? "its one mask is" : `all ${empty} masks are`} empty.` : "This case has no masks.", ...whole);
  };

  const build = (): void => {
    indices = listed(rows, preset, search.value, kept);
    list.draw({ rows, indices, shown, unfold: search.value.trim() !== "", note: indices.length ? null : nothing() });
    mark();
    const open = rows.findIndex((row) => row.name === card.name() && isPresent(row));
    if (card.name() === null) return;
    if (open < 0) card.close(false);
    else {
      restyle(open);
      card.follow(list.chip(open));
    }
  };

  /** What changes as structures are shown and hidden. */
  const mark = (): void => {
    const there = present();
    bar.update(presetsOf(rows, preset), preset);
    const these = present(indices);
    const filtered = isFiltered();
    const on = these.filter((i) => shown.has(i)).length;
    const rename = (b: HTMLButtonElement, text: string): void => {
      if (b.textContent !== text) b.textContent = text;
    };
    rename(only, "Show only these");
    rename(all, filtered ? "Show" : "Show all");
    rename(none, filtered ? "Hide" : "Hide all");
    only.hidden = !filtered;
    // Not `disabled`: a button that was just pressed keeps the focus.
    only.setAttribute("aria-disabled", String(!these.length || (on === these.length && shown.size === on)));
    all.setAttribute("aria-disabled", String(on === these.length && (filtered || everything)));
    none.setAttribute("aria-disabled", String(on === 0));
    invert.setAttribute("aria-disabled", String(!these.length));
    acts.hidden = !there.length;
    actStops.refresh();
    tell();
  };

  const tell = (): void => {
    const some = pointed !== null && rows[pointed] ? [pointed] : [...hovered].filter((i) => rows[i]);
    let text = "";
    if (some.length === 1) text = inWords(rows[some[0]!]!);
    else if (some.length) text = some.slice(0, 8).map((i) => fullName(rows[i]!)).join(" + ");
    else if (!overlay) text = "Structures are off (S turns them on)";
    else if (rows.length) text = `${shown.size} of ${present().length} shown`;
    if (foot.textContent === text) return;
    foot.textContent = text;
    foot.title = text;
  };

  search.addEventListener("input", build);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    list.focus();
  });
  list.el.addEventListener("scroll", () => {
    const open = rows.findIndex((row) => row.name === card.name());
    if (open >= 0) card.follow(list.chip(open));
  }, { passive: true });

  // ---- the two pages ---------------------------------------------------------------------------
  const known = about();
  const id = `xp-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;
  const structures = h("div", { class: "xp-panel-page", role: "tabpanel", id: `${id}-list`, "aria-label": "Structures" },
    h("div", { class: "xp-panel-head" }, above, search, bar.el, acts), list.el, reading, foot);
  const facts = h("div", { class: "xp-panel-page", role: "tabpanel", id: `${id}-about`, "aria-label": "About this case", tabindex: 0, hidden: true }, known.el);
  const tab = (text: string, page: HTMLElement): HTMLButtonElement => {
    const b = h("button", { class: "xp-panel-tab", role: "tab", "aria-selected": String(!page.hidden), "aria-controls": page.id }, text);
    b.addEventListener("click", () => choose(b));
    return b;
  };
  const tabs = [tab("Structures", structures), tab("About", facts)] as const;
  const choose = (chosen: HTMLElement): void => {
    card.close(false);
    [structures, facts].forEach((page, i) => {
      page.hidden = tabs[i] !== chosen;
      tabs[i]!.setAttribute("aria-selected", String(!page.hidden));
    });
  };
  const tabList = h("div", { class: "xp-panel-tabs", role: "tablist", "aria-label": "Beside the slices" }, ...tabs);
  roving(tabList, "[role=tab]", { chosen: choose }).refresh();
  const el = h("div", { class: "xp-panel" }, tabList, structures, facts, card.el);
  // No key that is pressed in the list is meant for the notebook.
  el.addEventListener("keydown", (event) => event.stopPropagation());

  build();
  return {
    el,
    setLabels(next, why) {
      const byName = new Map((next?.structures ?? NONE).map((row, i) => [row.name, i]));
      const moved = (some: ReadonlySet<number>): Set<number> => new Set([...some].flatMap((i) => byName.get(rows[i]?.name ?? "") ?? []));
      if (next?.key !== labels?.key) beforeSolo = null;
      // Until they are told anew: the same structures, in their new places.
      [shown, kept, hovered] = [moved(shown), moved(kept), new Set()];
      list.setHovered(hovered);
      pointed = pointed === null ? null : (byName.get(rows[pointed]?.name ?? "") ?? null);
      labels = next;
      rows = next?.structures ?? NONE;
      busy = why;
      const count = next?.complete === false ? new Set(next.sets.flat()).size : null;
      reading.hidden = count === null;
      reading.textContent = count === null ? "" : `Reading masks … ${count} so far`;
      build();
    },
    setShown(next, all = present().every((i) => next.has(i))) {
      shown = next;
      everything = all;
      const grown = preset === "shown" && [...next].some((i) => !kept.has(i));
      if (grown) {
        kept = new Set([...kept, ...next]);
        build();
      } else {
        list.setShown(next);
        mark();
      }
    },
    setHovered(next) {
      hovered = next;
      list.setHovered(next);
      tell();
    },
    setChosen: list.setChosen,
    setOverlay(on) {
      if (on === overlay) return;
      overlay = on;
      el.classList.toggle("xp-without", !on);
      tell();
    },
    setStyle(nextColors, nextOpacities) {
      colors = nextColors;
      opacities = nextOpacities;
      list.setStyle(colors, opacities);
      const open = rows.findIndex((row) => row.name === card.name());
      if (open >= 0) restyle(open);
    },
    setFacts(next) {
      const problems = known.show(next);
      tabs[1].replaceChildren("About", ...(problems ? [h("span", { class: "xp-marks", title: `${problems} noted` }, `! ${problems}`)] : []));
    },
  };
}
