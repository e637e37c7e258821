// What is known of the open case beside its pixels.
import { h } from "../shared/dom";

export interface Facts {
  el: HTMLElement;
  show(rows: [string, string, string][]): void;
}

export function facts(): Facts {
  const list = h("dl", { class: "xp-facts" });
  const el = h("div", { class: "xp-tile xp-about", role: "region", "aria-label": "About this case" },
    h("span", { class: "xp-tl" }, "About"), list);
  return {
    el,
    show(rows) {
      list.replaceChildren(
        ...rows.flatMap(([label, value, note]) => {
          const wide = value.length > 32 ? "xp-wide" : "";
          return [
            h("dt", { class: wide }, label),
            h("dd", { class: wide, title: value }, value, h("small", {}, note ? ` ${note}` : "")),
          ];
        }),
      );
    },
  };
}
