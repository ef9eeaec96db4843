import { collectGarbage } from './collect-garbage.ts';

/** What one round measured: ours, and right after it the reference, so that both meet the machine in the same mood. */
export interface Round<Ours, Reference> {
  readonly ours: Ours;
  readonly reference: Reference;
}

export interface InterleaveOptions<Ours, Reference> {
  /** 5 unless given. */
  readonly rounds?: number;
  readonly ours: (round: number) => Promise<Ours>;
  readonly reference: (round: number) => Promise<Reference>;
}

/** Ours, reference, ours, reference, and so on; rounds count from 0. */
export async function interleave<Ours, Reference>({
  rounds = 5,
  ours,
  reference,
}: InterleaveOptions<Ours, Reference>): Promise<Round<Ours, Reference>[]> {
  const measured: Round<Ours, Reference>[] = [];
  for (let round = 0; round < rounds; round++) {
    collectGarbage();
    const one = await ours(round);
    collectGarbage();
    measured.push({ ours: one, reference: await reference(round) });
  }
  return measured;
}

/** Milliseconds that `work` takes. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
