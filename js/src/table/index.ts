// The cases that the filters leave: rows are paged from the kernel, and only those seen are drawn.
import type { AnyModel, Render } from "@anywidget/types";
import "../shared/theme.css";
import "./table.css";
import { errorLine, h, root } from "../shared/dom";
import { connect } from "../shared/kernel";
import { isShownBeside } from "../shared/opening";
import { replaceKeeping, roving } from "../shared/roving";
import { pages } from "./pages";
import { ROW_PX, scroller } from "./scroll";

interface Column {
  name: string;
  label: string;
  unit: string;
  numeric: boolean;
}

interface ModelState {
  state: { version: number; columns: Column[]; count: number; total: number; case: string; shared: string };
  error: string;
}

const LETTER_PX = 7;
const BOLD_PX = 8.5;
const MOST_LETTERS = 28;
const FITTED_ROWS = 100;

function render({ model, el }: { model: AnyModel<ModelState>; el: HTMLElement }): () => void {
  root(el, "table", "Cases");
  const kernel = connect(model);
  const head = h("div", { class: "xp-head", role: "row", "aria-rowindex": 1 });
  const space = h("div", { class: "xp-space", role: "presentation" });
  const rows = h("div", { class: "xp-rows", role: "rowgroup" });
  const empty = h("div", { class: "xp-none" });
  const view = h("div", { class: "xp-view", role: "grid", tabindex: 0, "aria-label": "Cases; Enter opens one" }, head, space);
  const titles = roving(head, "button");
  space.append(rows);
  const uid = `xp-row-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;
  let sort = "";
  let descending = false;
  let cursor = -1;
  let seen = { key: "", case: "" };
  let frame = 0;

  const data = pages(kernel, () => {
    fit();
    invalidate();
  });
  const scroll = scroller(view, space);
  const state = (): ModelState["state"] => model.get("state");
  const order = (): { sort: string; descending: boolean } => ({ sort, descending });

  const invalidate = (): void => {
    if (!frame) frame = requestAnimationFrame(draw);
  };
  const open = (id: string): void => {
    if (!isShownBeside({ shared: state().shared, case: id })) kernel.tell("open", { case: id });
  };

  const makeRow = (index: number, cells: string[] | undefined): HTMLElement => {
    const id = cells?.[0] ?? "";
    const el = h("div", { class: "xp-row", role: "row", "aria-rowindex": index + 2, "data-case": id, id: `${uid}-${index}` });
    state().columns.forEach((column, i) => {
      const text = cells?.[i] ?? "";
      el.append(h("span", { role: i ? "gridcell" : "rowheader", class: column.numeric ? "xp-n xp-num" : "", title: text }, cells ? text : i ? "" : "…"));
    });
    el.addEventListener("click", () => {
      cursor = index;
      if (cells) open(id);
    });
    return el;
  };
  /** Rows stay the same elements for as long as they say the same: a click on one that goes meanwhile would be lost. */
  let drawn = new Map<number, { el: HTMLElement; says: string }>();
  const rowAt = (index: number): HTMLElement => {
    const cells = data.row(index);
    const says = JSON.stringify([state().columns, cells]);
    const before = drawn.get(index);
    const el = before?.says === says ? before.el : makeRow(index, cells);
    drawn.set(index, { el, says });
    el.ariaSelected = String(cells !== undefined && cells[0] === state().case);
    el.style.top = `${scroll.top(index)}px`;
    el.classList.toggle("xp-cursor", index === cursor);
    return el;
  };

  const draw = (): void => {
    frame = 0;
    const { count } = state();
    scroll.resize(count);
    const [first, last] = scroll.visible(count);
    data.want(first, last, order());
    if (cursor >= first && cursor < last) view.setAttribute("aria-activedescendant", `${uid}-${cursor}`);
    else view.removeAttribute("aria-activedescendant");
    const shown = Array.from({ length: Math.max(0, last - first) }, (_, i) => rowAt(first + i));
    drawn = new Map([...drawn].filter(([index]) => index >= first && index < last));
    if (shown.length !== rows.children.length || shown.some((row, i) => row !== rows.children[i])) rows.replaceChildren(...shown);
  };

  /** One width for head and rows, so that their columns agree: by name and first rows; the rest is shared. */
  const fit = (): void => {
    const least = state().columns.map((column, i) => {
      let letters = column.label.length + (column.unit ? column.unit.length + 1 : 0) + 2;
      for (let row = 0; row < FITTED_ROWS; row++) letters = Math.max(letters, data.row(row)?.[i]?.length ?? 0);
      return 20 + (i ? LETTER_PX : BOLD_PX) * Math.min(letters, MOST_LETTERS);
    });
    view.style.setProperty("--xp-columns", least.map((px, i) => `minmax(${px}px, ${i ? `${px}fr` : `${px}px`})`).join(" "));
    view.style.setProperty("--xp-width", `${least.reduce((sum, px) => sum + px, 0)}px`);
  };

  const drawHead = (): void => {
    const { columns, count, total } = state();
    const cells = columns.map((column) => {
      const active = sort === column.name;
      const button = h("button", { title: `Sort by ${column.label}` }, column.label, column.unit ? h("small", {}, ` ${column.unit}`) : "");
      button.addEventListener("click", () => {
        if (!active) [sort, descending] = [column.name, false];
        else if (!descending) descending = true;
        else [sort, descending] = ["", false];
        cursor = -1;
        data.clear();
        drawHead();
        view.scrollTop = 0;
        invalidate();
      });
      const order = active ? (descending ? "descending" : "ascending") : "none";
      return h("div", { role: "columnheader", class: column.numeric ? "xp-num" : "", "data-column": column.name, "aria-sort": order }, button);
    });
    if (!replaceKeeping(head, "column", cells)) view.focus();
    titles.refresh();
    fit();
    view.setAttribute("aria-rowcount", String(count + 1));
    const clear = h("button", { class: "xp-btn" }, "Clear all filters");
    clear.addEventListener("click", () => kernel.tell("clear"));
    if (count && empty.contains(document.activeElement)) view.focus();
    empty.hidden = count > 0;
    empty.replaceChildren(...(total ? ["No case matches these filters.", clear] : ["This data set has no cases."]));
  };

  const showState = (): void => {
    const now = state();
    const key = JSON.stringify([now.version, now.columns, now.count]);
    if (key !== seen.key) {
      data.clear();
      drawHead();
    }
    if (now.case !== seen.case) void reveal();
    seen = { key, case: now.case };
    invalidate();
  };

  /** Scroll to the open case when it was opened elsewhere. */
  const reveal = async (): Promise<void> => {
    const { content } = await kernel.ask("find", order()).catch(() => ({ content: { row: -1 } }));
    const row = Number(content["row"]);
    if (row < 0) return;
    cursor = row;
    scroll.show(row);
    invalidate();
  };

  view.addEventListener("scroll", invalidate, { passive: true });
  view.addEventListener("keydown", (event) => {
    const { count } = state();
    const page = Math.max(1, Math.floor(view.clientHeight / ROW_PX) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count }[event.key];
    if (step !== undefined && event.target === view) {
      event.preventDefault();
      event.stopPropagation();
      cursor = Math.min(count - 1, Math.max(0, cursor + step));
      scroll.show(cursor);
      invalidate();
    } else if (event.key === "Enter" && event.target === view) {
      const cells = data.row(cursor);
      if (cells) open(cells[0]!);
    }
  });

  head.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    view.focus();
  });
  view.addEventListener("focus", () => {
    if (cursor >= 0 || !state().count) return;
    cursor = 0;
    invalidate();
  });

  el.append(view, empty);
  const disposeError = errorLine(el, model);
  const observer = new ResizeObserver(invalidate);
  observer.observe(view);
  model.on("change:state", showState);
  showState();
  return () => {
    model.off("change:state", showState);
    observer.disconnect();
    cancelAnimationFrame(frame);
    disposeError();
    kernel.dispose();
  };
}

export default (): { render: Render<ModelState> } => ({ render });
