// A number: all cases behind the present ones, and a range to drag or to set by keys.
import { h } from "../shared/dom";
import { section } from "./section";
import { count, short, type Actions, type Facet, type NumberFacet } from "./state";

type End = "low" | "high";

export function histogram(first: NumberFacet, actions: Actions): { el: HTMLElement; update(facet: Facet): void } {
  const { el, note, body } = section(first.label);
  const bars = h("div", { class: "xp-bars" });
  const band = h("div", { class: "xp-band" });
  const handle = (end: End): HTMLElement =>
    h("div", { class: `xp-handle xp-handle-${end}`, role: "slider", tabindex: -1, "aria-orientation": "horizontal", "aria-label": `${first.label}, ${end} end` });
  const handles: Record<End, HTMLElement> = { low: handle("low"), high: handle("high") };
  const plot = h("div", { class: "xp-histogram" }, bars, band, handles.low, handles.high);
  const missing = h("button", { class: "xp-value xp-missing", "aria-pressed": "false", tabindex: -1 });
  body.append(plot, missing);

  let facet = first;
  let drag: { from: number; end: End | null } | null = null;
  let preview: [number, number] | null = null;

  const bounds = (): [number, number] => [facet.edges[0]!, facet.edges[facet.edges.length - 1]!];
  const range = (): [number, number] => {
    const [low, high] = bounds();
    return preview ?? [Math.max(facet.low ?? low, low), Math.min(facet.high ?? high, high)];
  };
  const share = (x: number): number => {
    const [low, high] = bounds();
    return (100 * (x - low)) / (high - low);
  };
  /** Bars are what one aims at, so that ends snap to their edges. */
  const snap = (x: number): number => facet.edges.reduce((best, edge) => (Math.abs(edge - x) < Math.abs(best - x) ? edge : best));
  const at = (event: PointerEvent): number => {
    const box = plot.getBoundingClientRect();
    const [low, high] = bounds();
    return low + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (high - low);
  };
  const choose = (low: number, high: number): void => {
    const [first_, last] = bounds();
    actions.range(facet.column, low <= first_ ? null : low, high >= last ? null : high, facet.keep_missing && (low > first_ || high < last));
  };

  const draw = (): void => {
    const [low, high] = range();
    const unit = facet.unit ? ` ${facet.unit}` : "";
    note.textContent = `${short(low)} – ${short(high)}${unit}`;
    const tallest = Math.max(...facet.all, 1);
    bars.replaceChildren(
      ...facet.all.map((all, i) => {
        const inside = facet.edges[i + 1]! > low && facet.edges[i]! < high;
        const bar = h("span", { class: inside ? "xp-in" : "", title: `${short(facet.edges[i]!)} – ${short(facet.edges[i + 1]!)}${unit}: ${count(facet.counts[i]!)} of ${count(all)}` });
        bar.append(
          h("i", { style: `height:${all ? Math.max(3, (100 * all) / tallest) : 0}%` }),
          h("b", { style: `height:${facet.counts[i] ? Math.max(3, (100 * facet.counts[i]!) / tallest) : 0}%` }),
        );
        return bar;
      }),
    );
    band.style.left = `${share(low)}%`;
    band.style.right = `${100 - share(high)}%`;
    band.hidden = !facet.active && !preview;
    for (const [end, x] of [["low", low], ["high", high]] as const) {
      handles[end].style.left = `${share(x)}%`;
      const [from, to] = bounds();
      for (const [name, value] of [["min", from], ["max", to], ["now", x]] as const) handles[end].setAttribute(`aria-value${name}`, String(value));
      handles[end].setAttribute("aria-valuetext", `${short(x)}${unit}`);
    }
    const without = facet.all_missing;
    missing.hidden = !without;
    missing.classList.toggle("xp-none", !facet.missing);
    missing.setAttribute("aria-pressed", String(facet.active && facet.keep_missing));
    missing.title = facet.active ? "Keep cases without a value" : "Cases without a value";
    missing.replaceChildren(h("span", { class: "xp-text" }, "missing"), h("span", { class: "xp-n xp-number" }, count(facet.missing)));
  };

  plot.addEventListener("pointerdown", (event) => {
    const end = (["low", "high"] as const).find((e) => handles[e] === event.target) ?? null;
    plot.setPointerCapture(event.pointerId);
    const x = at(event);
    drag = { from: end === "low" ? range()[1] : end === "high" ? range()[0] : x, end };
    event.preventDefault();
  });
  plot.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [a, b] = [drag.from, at(event)].sort((x, y) => x - y) as [number, number];
    preview = [snap(a), snap(b)];
    draw();
  });
  plot.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const moved = preview;
    drag = preview = null;
    if (moved && moved[0] < moved[1]) choose(...moved);
    else if (facet.active && !moved) actions.clear(facet.column);
    else {
      // A click on a bar chooses that bar.
      const i = facet.edges.findIndex((edge, k) => k + 1 < facet.edges.length && facet.edges[k + 1]! >= at(event) && edge <= at(event));
      if (i >= 0) choose(facet.edges[i]!, facet.edges[i + 1]!);
    }
  });
  for (const end of ["low", "high"] as const) {
    handles[end].addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -4, PageUp: 4, Home: -1e6, End: 1e6 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const [low, high] = range();
      const here = facet.edges.indexOf(snap(end === "low" ? low : high));
      const x = facet.edges[Math.min(facet.edges.length - 1, Math.max(0, here + step))]!;
      if (end === "low") choose(Math.min(x, facet.edges[facet.edges.indexOf(snap(high)) - 1] ?? x), high);
      else choose(low, Math.max(x, facet.edges[facet.edges.indexOf(snap(low)) + 1] ?? x));
    });
  }
  missing.addEventListener("click", () => {
    if (facet.active) actions.range(facet.column, facet.low, facet.high, !facet.keep_missing);
  });

  return {
    el,
    update(next) {
      if (next.kind !== "number") return;
      facet = next;
      draw();
    },
  };
}
