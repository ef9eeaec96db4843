/** A row of the table, and how it is judged. */
import { quantile } from './quantile.ts';

/** What one round says of a row. */
export interface Sample {
  readonly ours: number;
  readonly reference: number;
}

export interface Limit {
  readonly text: string;
  /** How much of what it allows was used up; above 1 is too much. */
  readonly used: (sample: Sample) => number;
}

export interface Row {
  readonly name: string;
  readonly limit: Limit;
  /** Writes a figure with its unit. */
  readonly format: (figure: number) => string;
  readonly measure: () => Promise<readonly Sample[]>;
}

export interface MeasuredRow extends Row {
  readonly samples: readonly Sample[];
}

export type Verdict = 'kept' | 'within noise' | 'missed';

/** `floorMs`: so many milliseconds are always allowed. */
export const atMostTimes = (factor: number, { floorMs = 0 }: { floorMs?: number } = {}): Limit => ({
  text: floorMs === 0 ? `≤ ${factor} ×` : `≤ ${factor} ×, or ${floorMs} ms`,
  used: ({ ours, reference }) => ours / Math.max(factor * reference, floorMs),
});

export const atLeastTimes = (factor: number): Limit => ({
  text: `≥ ${factor} ×`,
  used: ({ ours, reference }) => (factor * reference) / ours,
});

/** A row is missed where even the better quarter of its rounds is beyond the limit: by more than its noise. */
export function judge({ samples, limit }: MeasuredRow): Verdict {
  const used = samples.map(limit.used);
  if (quantile(used, 0.5) <= 1) return 'kept';
  return quantile(used, 0.25) <= 1 ? 'within noise' : 'missed';
}
