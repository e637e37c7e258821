// Words that are shortened by the room there is for them.

/**
 * Returns what writes into an element, whose style sheet bounds its width, the first of some wordings that fits, from
 * the longest to the shortest. Where that is not the longest one, which says all, it is in the tip. `room` is any
 * number that changes with the width: only then, or with the words, is the page asked what fits.
 */
export function fitted(el: HTMLElement): (room: number, wordings: readonly string[]) => void {
  let written = "";
  return (room, wordings) => {
    const key = [room, ...wordings].join("\n");
    if (key === written && el.textContent) return;
    written = key;
    for (const words of wordings) {
      el.textContent = words;
      if (el.scrollWidth <= el.clientWidth) break;
    }
    const [whole] = wordings;
    if (el.textContent !== whole || el.scrollWidth > el.clientWidth) el.title = whole ?? "";
    else el.removeAttribute("title");
  };
}
