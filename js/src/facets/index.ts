// Facets: every column of the metadata as counted values or as a histogram with a range.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./facets.css";
import { errorLine, h, root } from "../shared/dom";
import { connect, type Kernel } from "../shared/kernel";
import { replaceKeeping, roving } from "../shared/roving";
import { category } from "./category";
import { histogram } from "./histogram";
import { structureList } from "./structures";
import type { Actions, Facet, FacetState } from "./state";

interface ModelState {
  state: FacetState;
  error: string;
}

const actionsOf = (kernel: Kernel): Actions => ({
  toggle: (column, value, only) => kernel.tell("toggle", { column, value, only }),
  range: (column, low, high, missing) => kernel.tell("range", { column, low, high, missing }),
  has: (structure, mode) => kernel.tell("has", { structure, mode }),
  clear: (source) => kernel.tell("clear", source === null ? {} : { source }),
  values: async (column, search) => {
    const { content } = await kernel.ask("values", { column, search });
    return content as unknown as Awaited<ReturnType<Actions["values"]>>;
  },
});

interface Section {
  el: HTMLElement;
  update(facet: Facet): void;
}

function render({ model, el }: { model: AnyModel<ModelState>; el: HTMLElement }): () => void {
  root(el, "facets", "Filters");
  const kernel = connect(model);
  const actions = actionsOf(kernel);
  const chips = h("div", { class: "xp-chips", role: "toolbar", "aria-label": "Filters in use" });
  const body = h("div", { class: "xp-sections", role: "toolbar", "aria-orientation": "vertical", "aria-label": "Filters; up and down go through them" });
  const structures = structureList(actions);
  const chipStops = roving(chips, "button");
  const stops = roving(body, ".xp-title, .xp-value, .xp-more, .xp-handle", { vertical: true });
  const sections = new Map<string, Section>();

  const chip = (text: string, source: string): HTMLElement => {
    const button = h("button", { class: "xp-chip", "data-source": source, "aria-label": `Remove filter: ${text}`, title: `${text}: remove this filter` }, h("span", {}, text), h("span", { "aria-hidden": "true" }, "×"));
    button.addEventListener("click", () => actions.clear(source));
    return button;
  };

  const show = (): void => {
    const state = model.get("state");
    const active = state.chips.map(({ source, text }) => chip(text, source));
    if (state.query) active.push(chip(`“${state.query}”`, "query"));
    if (active.length > 1) {
      const all = h("button", { class: "xp-clear" }, "Clear all");
      all.addEventListener("click", () => actions.clear(null));
      active.push(all);
    }
    const kept = replaceKeeping(chips, "source", active);
    chips.hidden = !active.length;
    chipStops.refresh();

    const wanted = new Set(state.facets.map((facet) => `${facet.kind}/${facet.column}`));
    for (const [key, section] of sections) {
      if (wanted.has(key)) continue;
      section.el.remove();
      sections.delete(key);
    }
    let before: Element | null = null;
    for (const facet of state.facets) {
      const key = `${facet.kind}/${facet.column}`;
      let section = sections.get(key);
      if (!section) {
        section = facet.kind === "number" ? histogram(facet, actions) : category(facet, actions);
        sections.set(key, section);
      }
      section.update(facet);
      const place: Element | null = before ? before.nextElementSibling : body.firstElementChild;
      if (place !== section.el) body.insertBefore(section.el, place);
      before = section.el;
    }
    structures.update(state.structures);
    if (body.lastElementChild !== structures.el) body.append(structures.el);
    if (!kept) stops.enter();
  };
  // Values come and go by themselves too, as they are searched for.
  const values = new MutationObserver(stops.refresh);
  values.observe(body, { childList: true, subtree: true, attributeFilter: ["hidden"] });

  el.append(chips, body);
  stops.refresh();
  const disposeError = errorLine(el, model);
  model.on("change:state", show);
  show();
  return () => {
    model.off("change:state", show);
    values.disconnect();
    disposeError();
    kernel.dispose();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
