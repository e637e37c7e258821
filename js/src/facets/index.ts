// Facets: every column of the metadata as counted values or as a histogram with a range.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./facets.css";
import { errorLine, h, root } from "../shared/dom";
import { connect, type Kernel } from "../shared/kernel";
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
  const chips = h("div", { class: "xp-chips" });
  const body = h("div", { class: "xp-sections" });
  const structures = structureList(actions);
  const sections = new Map<string, Section>();

  const chip = (text: string, source: string): HTMLElement => {
    const button = h("button", { class: "xp-chip", title: `${text}: remove this filter` }, h("span", {}, text), h("span", { "aria-hidden": "true" }, "×"));
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
    chips.replaceChildren(...active);
    chips.hidden = !active.length;

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
  };

  el.append(chips, body);
  const disposeError = errorLine(el, model);
  model.on("change:state", show);
  show();
  return () => {
    model.off("change:state", show);
    disposeError();
    kernel.dispose();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
