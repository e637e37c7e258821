// Copying a text, also where the page may not use the clipboard's own interface.
import { h } from "../shared/dom";

const SAID_MS = 1500;

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages that are not served securely, as many hubs are, have only the old way.
    const area = h("textarea", { readonly: true, style: "position:fixed;opacity:0" });
    const focused = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
    return done;
  }
}

/** A button that copies what `text` returns, and says whether it could. */
export function copyButton(says: string, title: string, text: () => string): HTMLButtonElement {
  const button = h("button", { class: "xp-preset xp-copy", title }, says);
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text())) ? "Copied" : "Not allowed";
    setTimeout(() => (button.textContent = says), SAID_MS);
  });
  return button;
}
