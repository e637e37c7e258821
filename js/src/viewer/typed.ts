// Numbers as people type them, with a point or with a comma.

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** A comma that may stand before thousands as well as before decimals. */
const EITHER = /^[+-]?[1-9]\d{0,2},\d{3}(e[+-]?\d+)?$/i;
const SEPARATED = /^[+-]?\d[\d.,'’\s]*$/;

/** The number that was typed, or words on why it is none. */
export function typedNumber(text: string): number | string {
  const typed = text.trim().replace(/^[−–]/, "-");
  const shown = `"${text.trim().slice(0, 40)}"`;
  if (EITHER.test(typed)) {
    return `${shown} may mean ${Number(typed.replace(",", "."))} or ${Number(typed.replace(",", ""))}: type one of these.`;
  }
  const hasOneComma = /^[^.,]*,[^.,]*$/.test(typed);
  const number = hasOneComma ? typed.replace(",", ".") : typed;
  const value = NUMBER.test(number) ? Number(number) : Number.NaN;
  if (Number.isFinite(value)) return value;
  if (SEPARATED.test(typed)) return `The window takes numbers without separators of thousands, such as 1500 or 1.5, not ${shown}.`;
  return `The window takes numbers, not ${shown}.`;
}
