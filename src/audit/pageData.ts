/**
 * What the page draws of a check's `data`. Every part may be left out; keys beside these are not shown. Numbers that JSON has not are null.
 */
import type { JsonValue } from './verdict.ts';

/** One output buffer of one replayed launch, against float64. */
export interface LaunchError {
  readonly step: number;
  /** `RecordedLaunch.index`. */
  readonly launch: number;
  readonly kernel: string;
  /** The kernel's name for the buffer. */
  readonly buffer: string;
  /** ‖out − reference‖ / ‖reference‖; null where it is no number. */
  readonly error: number | null;
  /** The kernel's own; 0: equal to the reference rounded to float32. */
  readonly tolerance: number;
  /** Elements whose distance in units in the last place is 0, ≤ 1, ≤ 2, ≤ 4, …, ≤ 2¹⁶, more: 19 counts. */
  readonly ulps: readonly number[];
  readonly worst: { readonly index: number; readonly got: number | null; readonly expected: number | null };
}

/** Of one layer, by column; a column's title is its key, such as `gradient error`. */
export interface LayerNumbers {
  /** `layer1.0.conv1`. */
  readonly layer: string;
  readonly step?: number;
  readonly values: Readonly<Record<string, number | string | null>>;
}

export interface DataTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (number | string | null)[])[];
}

export interface PageData {
  /** All checks' together make the page's table per layer. */
  readonly layers?: readonly LayerNumbers[];
  readonly launches?: readonly LaunchError[];
  /** Under the check's own findings. */
  readonly tables?: readonly DataTable[];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The parts that are there; of a check without any, `{}`. */
export function pageData(data: JsonValue | undefined): PageData {
  if (!isObject(data)) return {};
  const parts = (['layers', 'launches', 'tables'] as const).filter((key) => Array.isArray(data[key]));
  return Object.fromEntries(parts.map((key) => [key, data[key]])) as PageData;
}
