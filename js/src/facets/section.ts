import { h } from "../shared/dom";

/** A section with a title that folds; whether it is open stays in the browser. */
export function section(label: string): { el: HTMLElement; title: HTMLElement; note: HTMLElement; body: HTMLElement } {
  const note = h("span", { class: "xp-n xp-note" });
  const title = h("button", { class: "xp-title", "aria-expanded": "true", tabindex: -1 }, h("span", { class: "xp-label", title: label }, label), note);
  const body = h("div", { class: "xp-body" });
  title.addEventListener("click", () => {
    body.hidden = !body.hidden;
    title.setAttribute("aria-expanded", String(!body.hidden));
  });
  return { el: h("section", { role: "group", "aria-label": label }, title, body), title, note, body };
}
