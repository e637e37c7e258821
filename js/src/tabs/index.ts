// A row of tabs; the app shows the panel whose name is the `chosen` trait.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./tabs.css";
import "./app.css";
import { errorLine, h, root } from "../shared/dom";

const NARROW_PX = 860;
/** Beyond 2K the pixels are many and the eye is not nearer. */
const WIDE_PX = 2400;

interface State {
  names: string[];
  chosen: string;
  error: string;
}

function render({ model, el }: { model: AnyModel<State>; el: HTMLElement }): () => void {
  root(el, "tabs", "Below the viewer");
  const list = h("div", { role: "tablist", class: "xp-tablist", "aria-label": "Cases and charts" });

  const choose = (name: string): void => {
    model.set("chosen", name);
    model.save_changes();
  };
  let app: Element | null = null;
  /** What is below has no front end of its own to say that it is the chosen tab's panel. */
  const tellPanel = (): void => {
    const panel = app?.querySelector(":scope > .xp-in-bottom");
    panel?.setAttribute("role", "tabpanel");
    panel?.setAttribute("aria-label", model.get("chosen"));
  };
  const show = (): void => {
    const chosen = model.get("chosen");
    const hadFocus = list.contains(document.activeElement);
    list.replaceChildren(
      ...model.get("names").map((name) => {
        const tab = h(
          "button",
          { role: "tab", "aria-selected": String(name === chosen), tabindex: name === chosen ? 0 : -1 },
          name,
        );
        tab.addEventListener("click", () => choose(name));
        return tab;
      }),
    );
    tellPanel();
    if (hadFocus) list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
  };
  list.addEventListener("keydown", (event) => {
    const names = model.get("names");
    const here = names.indexOf(model.get("chosen"));
    const place = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: names.length - 1 }[event.key];
    if (place === undefined) return;
    event.preventDefault();
    choose(names[(place + names.length) % names.length]!);
  });

  // The app has no front end of its own; its layout follows the width it is given.
  const sizes = new ResizeObserver(([entry]) => {
    if (!entry) return;
    entry.target.classList.toggle("xp-narrow", entry.contentRect.width < NARROW_PX);
    entry.target.classList.toggle("xp-wide", entry.contentRect.width >= WIDE_PX);
  });
  const watch = requestAnimationFrame(() => {
    app = el.closest(".xp-app");
    if (app) sizes.observe(app);
    tellPanel();
  });

  el.append(list);
  const disposeError = errorLine(el, model);
  model.on("change:names", show);
  model.on("change:chosen", show);
  show();
  return () => {
    model.off("change:names", show);
    model.off("change:chosen", show);
    cancelAnimationFrame(watch);
    sizes.disconnect();
    disposeError();
  };
}

export default (): { render: Render<State> } => ({ render });
