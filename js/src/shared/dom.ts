// Small helpers to build DOM. Text always goes in as text: nothing from a data set is ever HTML.

const GONE = "The kernel was restarted or has stopped, so nothing here answers any more. Run the cell again, or reload the page.";

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
 * A line under the view that shows the model's `error` trait, and one that theme.css shows when
 * Jupyter marks the view as disconnected; returns its clean-up.
 */
export function errorLine(
  parent: HTMLElement,
  model: { get(name: "error"): string; on(e: string, f: () => void): void; off(e: string, f: () => void): void },
): () => void {
  const line = h("div", { class: "xp-error", role: "alert" });
  const show = (): void => {
    line.textContent = model.get("error");
  };
  parent.append(line, h("div", { class: "xp-gone", role: "alert" }, GONE));
  model.on("change:error", show);
  show();
  return () => model.off("change:error", show);
}
