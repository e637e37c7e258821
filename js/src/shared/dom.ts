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
 * A line under the view that shows the model's `error` trait, and one that says when its kernel is
 * gone, since a page that only stops answering looks broken; returns its clean-up.
 */
export function errorLine(
  parent: HTMLElement,
  model: { get(name: "error"): string; on(e: string, f: (...rest: unknown[]) => void): void; off(e: string, f: (...rest: unknown[]) => void): void },
): () => void {
  const line = h("div", { class: "xp-error", role: "alert" });
  const gone = h("div", { class: "xp-error xp-gone", role: "alert" });
  const show = (): void => {
    line.textContent = model.get("error");
  };
  // Jupyter's widget manager tells each model when its kernel restarts or dies.
  const live = (): void => {
    gone.textContent = (model as { comm_live?: boolean }).comm_live === false ? GONE : "";
  };
  parent.append(line, gone);
  model.on("change:error", show);
  model.on("comm_live_update", live);
  show();
  return () => {
    model.off("change:error", show);
    model.off("comm_live_update", live);
  };
}
