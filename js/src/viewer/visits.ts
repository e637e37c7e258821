// Going from case to case: at once where all is here to show it, and as the kernel opens it otherwise.
import type { AnyModel } from "@anywidget/types";
import type { Kernel } from "../shared/kernel";
import { OPEN_EVENT, type OpenWish } from "../shared/opening";
import type { Labels, ModelState, Scene, Vec3 } from "./scene";
import type { Slices } from "./slices";

/** A case as it is shown. */
export interface Page {
  scene: Scene;
  labels: Labels;
  other: Labels | null;
  facts: ModelState["facts"];
}

export interface Parts {
  model: AnyModel<ModelState>;
  kernel: Kernel;
  slices: Slices;
  /** The case that is seen. */
  current(): string;
  /** Tell the kernel where the crosshair is in it, RAS+ mm; returns that. */
  leave(): Vec3 | null;
  /** What a case is windowed with, or null for its own. */
  window(scene: Scene): [number, number] | null;
  /** Show a case that the kernel has not opened yet. */
  enter(page: Page): void;
  /** Show what the kernel has open. */
  settle(): void;
  failed(error: Error): void;
}

export interface Visits {
  /** The case that many after the one that is seen. */
  step(by: 1 | -1): void;
  /** All of a case has come. */
  remember(page: Page): void;
  /** Where the crosshair was left in a case that the kernel has yet to open, or null for its middle. */
  place(id: string): Vec3 | null;
  /** What is here of a case that is seen before it is open. */
  page(key: string): Page | null;
  /** Whether the kernel has yet to open what is seen. */
  isAhead(): boolean;
  /** The kernel has opened a case, or none; false where that is not what is seen by now. */
  opened(scene: Scene | null): boolean;
  /** The kernel has a case that may come next, and nothing else is to be done. */
  fetch(): void;
  dispose(): void;
}

const MOST_KNOWN = 32;

export function visits({ model, kernel, slices, current, leave, window: windowOf, enter, settle, failed }: Parts): Visits {
  const known = new Map<string, Page>();
  /** Places in cases that were left, until the kernel has told them. */
  const left = new Map<string, Vec3>();
  let awaited = "";
  let underWay = 0;
  /** Steps that the kernel was asked for, and the case that the last of them leads to. */
  let asked = 0;
  let heading = "";
  let fetching = false;
  /** What was last fetched, for which planes: that it is not here for all of them may not be mended by asking again. */
  let tried = "";
  let closed = false;

  const remember = (page: Page): void => {
    known.delete(page.scene.case);
    known.set(page.scene.case, page);
    for (const oldest of known.keys()) {
      if (known.size <= MOST_KNOWN) break;
      known.delete(oldest);
    }
  };
  /** A case that can be shown with the masks that are chosen now. */
  const ready = (id: string): Page | null => {
    const page = known.get(id);
    const fits =
      page !== undefined &&
      (page.labels.mask_set ?? "reference") === (model.get("mask_set") || "reference") &&
      (page.other?.mask_set ?? "") === (model.get("compare") ?? "");
    return fits && slices.hasMiddle(page.scene) ? page : null;
  };

  /** While another case is on its way, only the kernel knows from where the next step goes, and of which case a point is. */
  const isSettled = (): boolean => !asked && (!heading || heading === current());

  const show = (id: string): boolean => {
    const page = id === current() ? null : ready(id);
    if (!page) return false;
    const place = isSettled() ? leave() : null;
    if (place) left.set(current(), place);
    awaited = id;
    heading = "";
    underWay += 1;
    const ends = windowOf(page.scene);
    kernel.ask("open", { case: id, scene: page.scene.key, ...(ends && { window: ends }) })
      .then(({ content }) => content["reading"] === true)
      .catch((error: Error) => {
        if (!closed) failed(error);
        return false;
      })
      .then((reading) => {
        underWay -= 1;
        if (underWay || reading || closed) return;
        awaited = "";
        left.clear();
        settle();
      });
    enter(page);
    return true;
  };

  const fetch = (): void => {
    const id = model.get("ahead");
    const wish = `${id} ${slices.shown().join()}`;
    if (!id || id === current() || fetching || awaited || wish === tried || ready(id)) return;
    fetching = true;
    tried = wish;
    slices.ahead(id)
      .then((page) => page && remember(page))
      .catch(() => undefined) // it is opened without, and then told
      .finally(() => (fetching = false));
  };
  const onAhead = (): void => {
    tried = "";
    if (!slices.isFar()) fetch();
  };
  const onWish = (event: Event): void => {
    const { shared, case: id } = (event as CustomEvent<OpenWish>).detail;
    if (shared && shared === model.get("shared") && show(id)) event.preventDefault();
  };
  model.on("change:ahead", onAhead);
  window.addEventListener(OPEN_EVENT, onWish);

  return {
    step(by) {
      const ids = model.get("around") ?? [];
      const place = ids.indexOf(current());
      const next = isSettled() && place >= 0 ? ids[place + by] : undefined;
      if (next !== undefined && show(next)) return;
      if (isSettled()) leave();
      asked += 1;
      kernel.ask("step", { by })
        .then(({ content }) => (heading = String(content["case"] ?? "")))
        .catch(failed)
        .finally(() => (asked -= 1));
    },
    remember,
    place: (id) => left.get(id) ?? new Map(model.get("places") ?? []).get(id) ?? null,
    page(key) {
      const page = known.get(awaited);
      return page?.scene.key === key ? page : null;
    },
    isAhead: () => awaited !== "",
    opened(scene) {
      // What was opened before is still on its way.
      if (underWay && scene?.case !== awaited) return false;
      awaited = heading = "";
      if (!underWay) left.clear();
      return true;
    },
    fetch,
    dispose() {
      closed = true;
      model.off("change:ahead", onAhead);
      window.removeEventListener(OPEN_EVENT, onWish);
    },
  };
}
