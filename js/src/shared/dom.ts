// Small helpers to build DOM. Text always goes in as text: nothing from a data set is ever HTML.

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
export function root(el: HTMLElement, name: string): HTMLElement {
  el.classList.add("xp", `xp-${name}`);
  el.addEventListener("focusin", (event) => {
    (event.target as HTMLElement).dataset["lmSuppressShortcuts"] = "true";
  });
  return el;
}

/** A line under the view that shows the model's `error` trait; returns its clean-up. */
export function errorLine(
  parent: HTMLElement,
  model: { get(name: "error"): string; on(e: string, f: () => void): void; off(e: string, f: () => void): void },
): () => void {
  const line = h("div", { class: "xp-error", role: "alert" });
  const show = (): void => {
    line.textContent = model.get("error");
  };
  parent.append(line);
  model.on("change:error", show);
  show();
  return () => model.off("change:error", show);
}
