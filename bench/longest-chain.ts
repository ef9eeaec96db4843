export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** How many of them can follow one another, each beginning when the one before it has ended. */
export function longestChain(spans: readonly Span[]): number {
  let length = 0;
  let lastEnd = Number.NEGATIVE_INFINITY;
  for (const { startMs, endMs } of spans.toSorted((a, b) => a.endMs - b.endMs)) {
    if (startMs < lastEnd) continue;
    length += 1;
    lastEnd = endMs;
  }
  return length;
}
