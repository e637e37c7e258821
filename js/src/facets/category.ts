// Values of a column with their counts; the bar behind is filtered over all.
import { h } from "../shared/dom";
import { replaceKeeping } from "../shared/roving";
import { section } from "./section";
import { count, type Actions, type CategoryFacet, type Facet, type Value } from "./state";

export function category(first: CategoryFacet, actions: Actions): { el: HTMLElement; update(facet: Facet): void } {
  const { el, title, note, body } = section(first.label);
  const list = h("div", {});
  const search = h("input", { class: "xp-input xp-find", type: "search", placeholder: "Find a value", "aria-label": `Find a value of ${first.label}`, hidden: true });
  const more = h("button", { class: "xp-more", tabindex: -1 });
  body.append(search, list, more);
  let facet = first;
  let open = false;
  let asked = 0;

  const row = (value: Value, largest: number): HTMLElement => {
    const missing = value.value === null;
    const text = missing ? "missing" : `${value.value}${facet.unit ? ` ${facet.unit}` : ""}`;
    const width = (n: number): string => `width:${(100 * n) / Math.max(largest, 1)}%`;
    const el = h(
      "button",
      {
        class: `xp-value${missing ? " xp-missing" : ""}${value.count ? "" : " xp-none"}`,
        "aria-pressed": String(value.chosen),
        tabindex: -1,
        "data-value": value.value ?? "",
        title: `${text}: ${count(value.count)} of ${count(value.all)}. Ctrl-click: only this one`,
      },
      h("i", { style: width(value.all) }),
      h("b", { style: width(value.count) }),
      h("span", { class: "xp-text" }, text),
      h("span", { class: "xp-n xp-number" }, count(value.count)),
    );
    el.addEventListener("click", (event) =>
      actions.toggle(facet.column, value.value, event.ctrlKey || event.metaKey || event.altKey),
    );
    return el;
  };

  const fill = (values: Value[]): void => {
    if (!replaceKeeping(list, "value", values.map((value) => row(value, facet.largest)))) title.focus();
  };

  const load = (): void => {
    const mine = ++asked;
    void actions.values(facet.column, search.value).then(({ values, matches }) => {
      if (mine !== asked || !open) return;
      fill(values);
      more.textContent = matches > values.length ? `${count(matches - values.length)} more: narrow the search` : "Fewer";
    }, () => undefined);
  };
  more.addEventListener("click", () => {
    open = !open;
    search.hidden = !open;
    if (open) load();
    else {
      search.value = "";
      update(facet);
    }
  });
  search.addEventListener("input", load);

  const update = (next: Facet): void => {
    if (next.kind !== "category") return;
    facet = next;
    note.textContent = count(facet.distinct);
    const hidden = facet.distinct - facet.values.length;
    more.hidden = hidden <= 0;
    if (open && hidden > 0) load();
    else {
      fill(facet.values);
      more.textContent = `${count(hidden)} more`;
    }
  };
  return { el, update };
}
