// What is known of the open case beside its pixels.
import { h } from "../shared/dom";
import { copyButton } from "./copy";
import { bounded } from "./words";

const MARKED: ReadonlySet<string> = new Set(["Problem", "Noted"]);
const LONGEST_LABEL = 80;
const LONGEST_VALUE = 400;
const MOST_ROWS = 300;

export interface About {
  el: HTMLElement;
  /** Label, value and note of each fact; returns how many tell of a problem. */
  show(rows: [string, string, string][]): number;
}

export function about(): About {
  const list = h("dl", { class: "xp-facts" });
  const empty = h("div", { class: "xp-empty" }, "What is known of the open case is told here.");
  let facts: [string, string, string][] = [];
  const copy = copyButton("Copy all", "Copy all of it as a table", () => facts.map((row) => row.join("\t").trimEnd()).join("\n"));
  const foot = h("div", { class: "xp-about-foot" }, copy);
  const el = h("div", { class: "xp-about" }, list, foot, empty);
  return {
    el,
    show(rows) {
      facts = rows.slice(0, MOST_ROWS);
      list.replaceChildren(
        ...facts.flatMap(([label, value, note]) => {
          const marked = MARKED.has(label) ? "xp-problem" : null;
          return [
            h("dt", { class: marked }, bounded(label, LONGEST_LABEL)),
            h("dd", { class: marked, title: bounded(value, LONGEST_VALUE) }, bounded(value, LONGEST_VALUE),
              ...(note ? [h("small", {}, ` ${bounded(note, LONGEST_LABEL)}`)] : [])),
          ];
        }),
      );
      foot.hidden = list.hidden = !facts.length;
      empty.hidden = facts.length > 0;
      return facts.filter(([label]) => MARKED.has(label)).length;
    },
  };
}
