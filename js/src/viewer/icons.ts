// Small line drawings for buttons; decoration, the button has the name.
const PATHS = {
  distance: "M2 11 11 2l3 3-9 9zM5 8l1.5 1.5M7.5 5.5 9 7M10 3l1.5 1.5",
  angle: "M13 13H2.5L10 3M7 13a5 5 0 0 0-1.4-3.6",
  copy: "M2 5h2.5l1.2-2h4.6l1.2 2H14v8H2zM8 6.5a2.4 2.4 0 1 0 0 4.8 2.4 2.4 0 0 0 0-4.8z",
  structures: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  display: "M2 5h6M12 5h2M10 3.2v3.6M2 11h2M8 11h6M6 9.2v3.6",
} as const;

export function icon(name: keyof typeof PATHS): SVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: "15", height: "15", "aria-hidden": "true", class: "xp-icon" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
