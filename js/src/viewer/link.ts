// How fast the kernel's answers come: measured from the answers themselves.

/** Milliseconds of the link that may be under way at a time. */
const UNDER_WAY_MS = 100;
/** What a near kernel that sends as fast as one may take for a slice while one scrolls: about two frames, for which slices are read ahead. */
const NEAR_STEP_MS = 33;
const LEAST_ALLOWANCE = 4_000;
const NEAR_BYTES_PER_MS = 50_000;
const FAR_BYTES_PER_MS = 1_000;
/** From here on packing takes longer than sending; a near kernel gets the benefit of the doubt. */
const RAW_BYTES_PER_MS = 20_000;
const RAW_NEAR_BYTES_PER_MS = 4_000;
/** A smaller answer tells the round trip, a larger one how fast bytes come; from a near kernel they take less time than Jupyter and a busy page. */
const LEAST_BYTES = 2_000;
const LEAST_NEAR_BYTES = 64_000;
const LEAST_TRIPS = 3;
const BUNCH_MS = 4;
const KEPT = 7;
/** Of the time for an answer, at least this is taken for the travel of its bytes. */
const LEAST_SHARE = 0.3;

export interface Link {
  /** An answer of so many bytes has come; the kernel took `kernelMs` of the time for itself. */
  came(askedAt: number, now: number, bytes: number, kernelMs: number): void;
  /** Whether a round trip was measured. */
  isKnown(): boolean;
  /** Whether it was measured how fast bytes come. */
  isMeasured(): boolean;
  /** Bytes that may be under way. */
  allowance(): number;
  /** Bytes that a slice may have to be there in time while one scrolls. */
  stepAllowance(): number;
  /** How many steps may be waited for at a time, so that one comes in every frame or two; with more of them all would come later. */
  depth(): number;
  /** Whether slices should be packed. */
  packs(): boolean;
}

/** Above the median: what delays an answer for other reasons makes a link look slower, never faster. */
const typical = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.7)]!;

export function link(near: boolean): Link {
  const trips: number[] = [];
  const rates: number[] = [];
  let last = 0;
  /** Answers that came together. */
  let bunch: { bytes: number; from: number; ms: number } | null = null;
  const keep = (values: number[], value: number): void => {
    values.push(value);
    if (values.length > KEPT) values.shift();
  };
  // The first answers of a near kernel come late since the page is still busy, not for the link.
  const roundTrip = (): number => (trips.length >= (near ? LEAST_TRIPS : 1) ? Math.min(...trips) : near ? 1 : 50);
  const rate = (): number => (rates.length ? typical(rates) : near ? NEAR_BYTES_PER_MS : FAR_BYTES_PER_MS);
  const packs = (): boolean => rate() < (near ? RAW_NEAR_BYTES_PER_MS : RAW_BYTES_PER_MS);
  return {
    came(askedAt, now, bytes, kernelMs) {
      if (bytes < (near ? LEAST_NEAR_BYTES : LEAST_BYTES)) {
        keep(trips, Math.max(0, now - askedAt - kernelMs));
      } else if (now - last < BUNCH_MS && bunch) {
        // A busy page takes in at once what has come one after another.
        rates.pop();
        bunch.bytes += bytes;
        keep(rates, bunch.bytes / Math.max(1, bunch.ms, now - bunch.from));
      } else {
        // An answer that had to wait for the one before it travelled only since that one came.
        const from = Math.max(askedAt + roundTrip() + kernelMs, last);
        // A round trip that was measured too long must not make the link look fast.
        const ms = Math.max(1, now - from, LEAST_SHARE * (now - Math.max(askedAt, last)));
        bunch = { bytes, from, ms };
        keep(rates, bytes / ms);
      }
      last = now;
    },
    isKnown: () => trips.length > 0,
    isMeasured: () => rates.length > 0,
    allowance: () => Math.max(LEAST_ALLOWANCE, rate() * UNDER_WAY_MS),
    stepAllowance: () => Math.max(LEAST_ALLOWANCE, rate() * (near && !packs() ? NEAR_STEP_MS : UNDER_WAY_MS)),
    depth: () => 3 + Math.floor(roundTrip() / NEAR_STEP_MS),
    packs,
  };
}
