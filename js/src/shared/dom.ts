// Small helpers to build DOM. Text always goes in as text: nothing from a data set is ever HTML.
import type { AnyModel } from "@anywidget/types";
import { watchLife } from "./life";

const GONE = "The kernel was restarted or has stopped, so nothing here answers any more. Run the cell again, or reload the page.";
const AWAY = "The connection to the kernel is lost. What was loaded can still be looked at; the rest waits until it is back. If that takes long, reload the page.";

type Attributes = Record<string, string | number | boolean | null | undefined>;

/** Create an element; null, undefined and false attributes are left out, true ones are empty. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * The root of a view: theme scope, and JupyterLab keeps its shortcuts to itself inside it. Its
 * selectors match the focused element itself, so the mark must be there and not only on the root.
 */
export function root(el: HTMLElement, name: string, label: string): HTMLElement {
  el.classList.add("xp", `xp-${name}`);
  el.setAttribute("role", "region");
  el.setAttribute("aria-label", label);
  el.addEventListener("focusin", (event) => {
    (event.target as HTMLElement).dataset["lmSuppressShortcuts"] = "true";
  });
  return el;
}

/**
 * A line under the view that shows the model's `error` trait, and one for a kernel that is lost,
 * which theme.css shows; returns its clean-up.
 */
// eslint-disable-next-line -- every view has a model of its own shape
export function errorLine(parent: HTMLElement, model: AnyModel<any>): () => void {
  const line = h("div", { class: "xp-error", role: "alert" });
  const lost = h("div", { class: "xp-gone", role: "alert" }, GONE);
  const show = (): void => {
    line.textContent = model.get("error");
  };
  parent.append(line, lost);
  model.on("change:error", show);
  show();
  const unwatch = watchLife(model, (life) => {
    lost.textContent = life === "away" ? AWAY : GONE;
    parent.classList.toggle("xp-lost", life !== "here");
    parent.classList.toggle("xp-ended", life === "gone");
  });
  return () => {
    unwatch();
    model.off("change:error", show);
  };
}
