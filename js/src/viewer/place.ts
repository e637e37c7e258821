// Putting elements into a list without disturbing those that stay.

/** Make `wanted` the children of a scrolled list: its focus and what is in sight stay as they are. */
export function place(list: HTMLElement, wanted: readonly Node[]): void {
  const active = (list.getRootNode() as Document | ShadowRoot).activeElement;
  const held = active instanceof HTMLElement && active !== list && list.contains(active) ? active : null;
  const heldAt = held ? [...list.children].findIndex((child) => child.contains(held)) : -1;
  const inSight = anchor(list, new Set(wanted));
  const before = inSight?.getBoundingClientRect().top ?? 0;

  const keep = new Set(wanted);
  for (const child of [...list.childNodes]) if (!keep.has(child)) child.remove();
  let at = list.firstChild;
  for (const node of wanted) {
    if (node === at) at = at.nextSibling;
    else list.insertBefore(node, at);
  }

  if (inSight) list.scrollTop += inSight.getBoundingClientRect().top - before;
  if (!held) return;
  if (list.contains(held)) {
    if (held !== (list.getRootNode() as Document | ShadowRoot).activeElement) held.focus({ preventScroll: true });
    return;
  }
  const next = list.children[Math.min(heldAt, list.children.length - 1)];
  (next instanceof HTMLElement && next.matches("[role=row]") ? next : list).focus({ preventScroll: true });
}

/** The first row in sight that stays; group rows stick to the top, so their place tells nothing. */
function anchor(list: HTMLElement, stays: ReadonlySet<Node>): HTMLElement | null {
  if (list.scrollTop === 0) return null;
  const top = list.getBoundingClientRect().top;
  for (const child of list.children) {
    if (!(child instanceof HTMLElement) || child.dataset["group"] !== undefined || !stays.has(child)) continue;
    if (child.getBoundingClientRect().bottom > top) return child;
  }
  return null;
}
