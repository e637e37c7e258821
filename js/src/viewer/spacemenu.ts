// The menu of the 3D tile: views from the six sides, and saving of surfaces.
import { h } from "../shared/dom";
import type { Letter } from "../space/index";
import type { Format } from "./saving";

export interface SpaceMenuActions {
  look(letter: Letter): void;
  reset(): void;
  save(format: Format): void;
}

const VIEWS: readonly [Letter, string][] = [["A", "Front"], ["P", "Back"], ["L", "Left"], ["R", "Right"], ["S", "Above"], ["I", "Below"]];

/** The button and what it opens, until the focus is elsewhere in the tile. */
export function spaceMenu(tile: HTMLElement, on: SpaceMenuActions): { more: HTMLElement; menu: HTMLElement } {
  const more = h("button", { class: "xp-3d-btn", "aria-haspopup": "true", "aria-expanded": "false", title: "Views and export" }, "More");
  const menu = h("div", { class: "xp-3d-menu", role: "group", "aria-label": "Views and export" });
  menu.hidden = true;

  const open = (yes: boolean): void => {
    menu.hidden = !yes;
    more.setAttribute("aria-expanded", String(yes));
    // Over the neighbours, and beside its button, where the tile is too low for it.
    const over = menu.offsetTop + menu.offsetHeight + 6 - tile.clientHeight;
    menu.style.translate = yes && over > 0 ? `-${more.parentElement!.offsetWidth}px -${over}px` : "";
  };
  const item = (text: string, title: string, act: () => void): HTMLElement => {
    const button = h("button", { class: "xp-3d-item", title }, text);
    button.addEventListener("click", () => {
      open(false);
      more.focus();
      act();
    });
    return button;
  };
  menu.append(
    h("div", { class: "xp-3d-cap" }, "View"),
    ...VIEWS.map(([letter, name]) => item(name, `See it from this side (${letter})`, () => on.look(letter))),
    item("Reset", "From the front, all of it (Home)", on.reset),
    h("div", { class: "xp-3d-cap" }, "Save shown surfaces"),
    item("GLB", "glTF: one file, with colours and names", () => on.save("glb")),
    item("STL", "A zip with one file for each", () => on.save("stl")),
    item("PLY", "A zip with one file for each, with colours", () => on.save("ply")),
  );
  more.addEventListener("click", () => open(menu.hidden !== false));
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    open(false);
    more.focus();
  });
  tile.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget as Node | null) && event.relatedTarget !== more) open(false);
  });
  return { more, menu };
}
