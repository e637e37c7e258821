// Name of the data set, number of cases, search, previous and next case, progress.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./header.css";
import { errorLine, h, root } from "../shared/dom";
import { connect } from "../shared/kernel";

interface ModelState {
  title: string;
  subtitle: string;
  state: { count: number; total: number; case: string; query: string };
  progress: { text?: string; done?: number; total?: number };
  error: string;
}

const SEARCH_DELAY_MS = 200;
const count = (n: number): string => n.toLocaleString("en");

function render({ model, el }: { model: AnyModel<ModelState>; el: HTMLElement }): () => void {
  root(el, "header", "Data set");
  const kernel = connect(model);
  const title = h("strong", { class: "xp-name", role: "heading", "aria-level": 2 });
  const subtitle = h("span", { class: "xp-sub" });
  const cases = h("span", { class: "xp-count xp-n", role: "status", "aria-live": "polite" });
  const search = h("input", {
    class: "xp-input", type: "search", placeholder: "Search cases: id, scanner, sequence …",
    "aria-label": "Search cases by id and metadata; all words must match",
  });
  const arrow = (text: string, label: string, by: number): HTMLButtonElement => {
    const button = h("button", { class: "xp-btn", "aria-label": label, title: label }, text);
    button.addEventListener("click", () => kernel.tell("step", { by }));
    return button;
  };
  const open = h("span", { class: "xp-case xp-n" });
  const meter = h("progress", { class: "xp-meter", "aria-label": "Progress" });
  const said = h("span", { class: "xp-n" });
  const cancel = h("button", { class: "xp-btn" }, "Cancel");
  cancel.addEventListener("click", () => kernel.tell("cancel"));
  const busy = h("div", { class: "xp-progress" }, said, meter, cancel);

  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => kernel.tell("search", { text: search.value }), SEARCH_DELAY_MS);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    clearTimeout(timer);
    search.value = "";
    kernel.tell("search", { text: "" });
  });

  const showNames = (): void => {
    title.textContent = title.title = model.get("title");
    subtitle.textContent = subtitle.title = model.get("subtitle");
  };
  const showState = (): void => {
    const state = model.get("state");
    cases.replaceChildren(h("b", {}, count(state.count)), ` of ${count(state.total)} cases`);
    open.textContent = open.title = state.case || "no case";
    if (document.activeElement !== search) search.value = state.query;
  };
  const showProgress = (): void => {
    const { text, done = 0, total = 0 } = model.get("progress");
    if (text === undefined && busy.contains(document.activeElement)) search.focus();
    busy.hidden = text === undefined;
    said.textContent = `${text ?? ""} ${count(done)} of ${count(total)}`;
    meter.max = Math.max(total, 1);
    meter.value = done;
  };

  el.append(
    h("div", { class: "xp-row-1" }, title, subtitle, cases, busy, search,
      h("div", { class: "xp-steps" }, arrow("‹", "Previous case", -1), open, arrow("›", "Next case", 1))),
  );
  const disposeError = errorLine(el, model);
  const handlers: [string, () => void][] = [["title", showNames], ["subtitle", showNames], ["state", showState], ["progress", showProgress]];
  for (const [name, handler] of handlers) model.on(`change:${name}`, handler);
  showNames();
  showState();
  showProgress();
  return () => {
    for (const [name, handler] of handlers) model.off(`change:${name}`, handler);
    clearTimeout(timer);
    disposeError();
    kernel.dispose();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
