// What the list says of a structure: names, words and numbers.
import { isPresent, type StructureRow } from "./scene";

const LONGEST = 300;
const HEX = /^#[0-9a-f]{6}$/i;
const NO_COLOR = "#8b95a3";

const STATUS: Record<string, string> = {
  complete: "complete",
  cut_off: "cut off",
  absent: "absent",
  missing: "missing",
  unreadable: "unreadable",
};
/** Made once: a format takes far longer to make than to use. */
const ONE_DECIMAL = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const FOUR_DIGITS = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const SIDES: Record<string, string> = { L: "left", R: "right" };

/** Text of a data set may have any length; what is shown of it has not. */
export const bounded = (text: string, most = LONGEST): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export const sideWord = (row: StructureRow): string => SIDES[row.side] ?? "";
export const statusWord = (row: StructureRow): string =>
  row.only === undefined ? (STATUS[row.status] ?? (row.volume_ml === null ? "not read" : "")) : `only ${bounded(row.only, 40)}`;
export const fullName = (row: StructureRow): string => bounded(`${row.label} ${sideWord(row)}`.trim());

/** With one decimal, so that the points of a column stand below each other. */
export const volumeText = (row: StructureRow): string => {
  if (row.volume_ml === null) return "–";
  if (!isPresent(row)) return "";
  return row.volume_ml < 0.05 ? "< 0.1" : ONE_DECIMAL.format(row.volume_ml);
};

/** What is measured of a structure, such as "38.9 ml · cut off". */
export const measured = (row: StructureRow): string => {
  const volume = row.volume_ml !== null && isPresent(row) ? `${FOUR_DIGITS.format(row.volume_ml)} ml` : "";
  return [volume, statusWord(row)].filter(Boolean).join(" · ");
};
/** One line on a structure, such as "kidney left · 38.9 ml · cut off". */
export const inWords = (row: StructureRow): string => [fullName(row), measured(row)].filter(Boolean).join(" · ");

/** What a search looks through. */
export const haystack = (row: StructureRow): string =>
  `${row.name} ${row.name.replaceAll("_", " ")} ${row.label} ${row.group} ${sideWord(row)} ${row.snomed}`.toLowerCase();

/** A colour as "#rrggbb", or null for anything else: nothing else may reach a style sheet. */
export const hexColor = (text: string): string | null => {
  const digits = text.trim().replace(/^#?/, "#");
  const long = /^#[0-9a-f]{3}$/i.test(digits) ? digits.replace(/[0-9a-f]/gi, "$&$&") : digits;
  return HEX.test(long) ? long.toLowerCase() : null;
};
export const safeColor = (text: string): string => hexColor(text) ?? NO_COLOR;
