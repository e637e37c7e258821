// What the kernel tells of facets, and what can be asked of it.

export interface Value {
  /** null stands for a missing value. */
  value: string | null;
  count: number;
  all: number;
  chosen: boolean;
}

interface Head {
  column: string;
  label: string;
  unit: string;
}

export interface CategoryFacet extends Head {
  kind: "category";
  values: Value[];
  distinct: number;
  largest: number;
}

export interface NumberFacet extends Head {
  kind: "number";
  edges: number[];
  all: number[];
  counts: number[];
  missing: number;
  all_missing: number;
  low: number | null;
  high: number | null;
  keep_missing: boolean;
  active: boolean;
}

export type Facet = CategoryFacet | NumberFacet;

export interface StructureCount {
  name: string;
  label: string;
  any: number;
  complete: number;
  mode: "" | "any" | "complete";
}

export interface FacetState {
  chips: { source: string; text: string }[];
  query: string;
  facets: Facet[];
  structures: StructureCount[];
}

export interface Actions {
  toggle(column: string, value: string | null, only: boolean): void;
  range(column: string, low: number | null, high: number | null, missing: boolean): void;
  has(structure: string, mode: "" | "any" | "complete"): void;
  clear(source: string | null): void;
  values(column: string, search: string): Promise<{ values: Value[]; matches: number }>;
}

export const count = (n: number): string => n.toLocaleString("en");

/** A number with three digits. */
export const short = (x: number): string => {
  const size = Math.abs(x);
  if (size >= 100) return String(Math.round(x));
  return String(Number(x.toPrecision(3)));
};
