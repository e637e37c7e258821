// Controls of the dashboard and what is said of its chart.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./charts.css";
import { errorLine, h, root } from "../shared/dom";
import { connect } from "../shared/kernel";

interface State {
  kind?: "volumes" | "prevalence" | "acquisition";
  complete_only?: boolean;
  choice?: string;
  split?: string | null;
  splits?: [string, string][];
  note?: string;
  message?: string;
}

interface ModelState {
  state: State;
  error: string;
}

const RETRY_MS = 100;
const MOST_TRIES = 50;
const CHOICES: [string, string][] = [["frequent", "Most frequent"], ["shown", "Shown in viewer"], ["all", "All"]];

function render({ model, el }: { model: AnyModel<ModelState>; el: HTMLElement }): () => void {
  root(el, "charts", "Chart controls");
  const kernel = connect(model);
  const choose = (option: string, value: string | boolean | null): void => kernel.tell("choose", { option, value });

  const select = (label: string, change: (value: string) => void): { el: HTMLElement; input: HTMLSelectElement } => {
    const input = h("select", { class: "xp-input", "aria-label": label });
    input.addEventListener("change", () => change(input.value));
    return { el: h("label", {}, h("span", {}, label), input), input };
  };
  const structures = select("Structures", (value) => choose("choice", value));
  const split = select("Split by", (value) => choose("split", value || null));
  const whole = h("button", { class: "xp-btn", title: "Leave out structures that the image cuts off" }, "Complete only");
  whole.addEventListener("click", () => choose("complete_only", !model.get("state").complete_only));
  const note = h("span", { class: "xp-said xp-n", role: "status", "aria-live": "polite" });
  const message = h("div", { class: "xp-message" });

  const options = (input: HTMLSelectElement, list: [string, string][], value: string): void => {
    const wanted = JSON.stringify(list);
    if (input.dataset["options"] !== wanted) {
      input.replaceChildren(...list.map(([name, text]) => h("option", { value: name }, text)));
      input.dataset["options"] = wanted;
    }
    input.value = value;
  };
  /** Plotly's drawing as one picture, told in words. */
  const nameChart = (): void => {
    const chart = el.closest(".xp-dashboard")?.querySelector(".js-plotly-plot");
    const { kind, note: words } = model.get("state");
    chart?.setAttribute("role", "img");
    // Its parts, and what Plotly measures texts with beside the page, mean nothing to a screen reader.
    for (const part of [...(chart?.children ?? []), ...document.querySelectorAll("#js-plotly-tester")]) part.setAttribute("aria-hidden", "true");
    chart?.setAttribute("aria-label", `Chart: ${kind ?? ""}. ${words ?? ""}`);
  };
  const show = (): void => {
    const state = model.get("state");
    options(structures.input, CHOICES, state.choice ?? "frequent");
    options(split.input, [["", "nothing"], ...(state.splits ?? [])], state.split ?? "");
    structures.el.hidden = state.kind === "acquisition";
    split.el.hidden = state.kind === "prevalence";
    whole.hidden = state.kind !== "volumes";
    whole.setAttribute("aria-pressed", String(state.complete_only === true));
    note.textContent = note.title = state.note ?? "";
    message.textContent = state.message ?? "";
    nameChart();
  };

  // Plotly listens to the window only, and only once a figure is drawn: tell it until it has the room there is.
  let timer = 0;
  const settle = (tries: number): void => {
    window.clearTimeout(timer);
    const dashboard = el.closest(".xp-dashboard");
    const drawn = dashboard?.querySelector(".main-svg")?.getBoundingClientRect();
    const room = dashboard?.lastElementChild?.getBoundingClientRect();
    if (!drawn || !room || (Math.abs(drawn.width - room.width) < 2 && Math.abs(drawn.height - room.height) < 2)) return;
    window.dispatchEvent(new Event("resize"));
    if (tries > 0) timer = window.setTimeout(() => settle(tries - 1), RETRY_MS);
  };
  const resized = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      settle(MOST_TRIES);
      nameChart();
    }, 0);
  };
  const sizes = new ResizeObserver(resized);
  const figures = new MutationObserver(resized);
  const watch = requestAnimationFrame(() => {
    const dashboard = el.closest(".xp-dashboard");
    if (!dashboard) return;
    sizes.observe(dashboard);
    figures.observe(dashboard, { childList: true, subtree: true });
  });

  el.append(h("div", { class: "xp-bar" }, structures.el, split.el, whole, note), message);
  const disposeError = errorLine(el, model);
  model.on("change:state", show);
  show();
  return () => {
    model.off("change:state", show);
    sizes.disconnect();
    figures.disconnect();
    cancelAnimationFrame(watch);
    window.clearTimeout(timer);
    disposeError();
    kernel.dispose();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
