// Filter by what the cases show: any part of a structure, or all of it.
import { h } from "../shared/dom";
import { replaceKeeping } from "../shared/roving";
import { section } from "./section";
import { count, type Actions, type StructureCount } from "./state";

const SHOWN = 8;
const NEXT = { "": "any", any: "complete", complete: "" } as const;
const SAYS = { "": "", any: "in picture", complete: "complete" } as const;

export function structureList(actions: Actions): { el: HTMLElement; update(rows: StructureCount[]): void } {
  const { el, title, note, body } = section("Structures");
  const search = h("input", { class: "xp-input xp-find", type: "search", placeholder: "Find a structure", "aria-label": "Find a structure to filter by" });
  const list = h("div", {});
  const more = h("button", { class: "xp-more", tabindex: -1 });
  body.append(search, list, more);
  let rows: StructureCount[] = [];
  let open = false;

  const row = (structure: StructureCount, largest: number): HTMLElement => {
    const shown = structure.mode === "complete" ? structure.complete : structure.any;
    const el = h(
      "button",
      {
        class: `xp-value${structure.any ? "" : " xp-none"}`,
        "aria-pressed": String(structure.mode !== ""),
        tabindex: -1,
        "data-value": structure.name,
        title: `${structure.name}: in ${count(structure.any)} cases, complete in ${count(structure.complete)}. Click: cases that show it; again: complete; again: all`,
      },
      h("i", { style: `width:${(100 * structure.any) / largest}%` }),
      h("b", { style: `width:${(100 * structure.complete) / largest}%` }),
      h("span", { class: "xp-text" }, structure.label),
      h("span", { class: "xp-mode" }, SAYS[structure.mode]),
      h("span", { class: "xp-n xp-number" }, count(shown)),
    );
    el.addEventListener("click", () => actions.has(structure.name, NEXT[structure.mode]));
    return el;
  };

  const draw = (): void => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((r) => words.every((word) => `${r.name} ${r.label}`.toLowerCase().includes(word)));
    const byUse = [...found].sort((a, b) => Number(b.mode !== "") - Number(a.mode !== "") || b.any - a.any);
    const shown = open || words.length ? found : byUse.slice(0, SHOWN);
    const largest = Math.max(...rows.map((r) => r.any), 1);
    note.textContent = rows.length ? count(rows.length) : "";
    search.hidden = rows.length <= SHOWN;
    const none = h("div", { class: "xp-empty", role: "status" }, rows.length ? "No structure of this name." : "Counted as cases are measured.");
    if (!replaceKeeping(list, "value", shown.length ? shown.map((r) => row(r, largest)) : [none])) title.focus();
    more.hidden = words.length > 0 || rows.length <= SHOWN;
    more.textContent = open ? "Fewer" : `${count(rows.length - shown.length)} more`;
  };
  search.addEventListener("input", draw);
  more.addEventListener("click", () => {
    open = !open;
    draw();
  });
  return {
    el,
    update(next) {
      rows = next;
      draw();
    },
  };
}
