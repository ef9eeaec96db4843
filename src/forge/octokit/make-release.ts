import { setTimeout as sleep } from 'node:timers/promises';
import { GitUnavailable, RepositoryNotFound } from '../../git/errors.ts';
import { tagRef } from '../../git/ref-name.ts';
import type { Remote } from '../../git/remote.ts';
import { ForgeUnavailable, ReleaseRefused } from '../errors.ts';
import type { Release, RepositoryName } from '../forge.ts';
import type { Answer, Refusal } from './client.ts';

/** What a forge's no to the making of a release means: it stands already, the forge has not come to know of the push yet, or it will not. */
export type ReleaseOutcome = 'made' | 'lagging' | 'refused';

export interface MakeReleaseOptions {
  readonly remote: Remote;
  /** One call. */
  readonly attempt: () => Promise<Answer<unknown>>;
  readonly outcome: (refusal: Refusal) => ReleaseOutcome;
  readonly signal: AbortSignal;
  /** The first pause, in milliseconds; each is twice the one before. Default 250. */
  readonly pauseMs?: number;
}

/** The longest pause between two attempts, unless the forge asks for a longer one. */
const longestPauseMs = 30_000;

/**
 * Tries until the release stands, the forge refuses it, or the signal ends: after a push both forges lag. The caller has just seen
 * the tag; before each further attempt it is looked at again, so that a release is never made of a tag that is gone.
 * Throws ReleaseRefused, CredentialsRefused, and when the signal ends what the last attempt ran into.
 */
export async function makeRelease(
  { owner, repo, tag, commit }: RepositoryName & Pick<Release, 'tag' | 'commit'>,
  { remote, attempt, outcome, signal, pauseMs = 250 }: MakeReleaseOptions,
): Promise<void> {
  const doing = `make the release ${tag} of ${owner}/${repo}`;
  let trouble: ForgeUnavailable | GitUnavailable | undefined;
  for (let tries = 0; ; tries++) {
    try {
      if (tries > 0) await checkTag();
      const answer = await attempt();
      if (answer.kind === 'done') return;
      const result = outcome(answer);
      if (result === 'made') return;
      if (result === 'refused') throw new ReleaseRefused(`cannot ${doing}: ${answer.words}`);
      trouble = new ForgeUnavailable(`cannot ${doing}: ${answer.words}`);
    } catch (error) {
      if (signal.aborted) throw trouble ?? error;
      if (!(error instanceof ForgeUnavailable || error instanceof GitUnavailable)) throw error;
      trouble = error;
    }
    const pause = Math.min(pauseMs * 2 ** tries, longestPauseMs);
    const wait = Math.max(pause, (trouble.retryAfterSeconds ?? 0) * 1000);
    try {
      await sleep(wait, undefined, { signal });
    } catch {
      throw trouble;
    }
  }

  async function checkTag(): Promise<void> {
    const ref = tagRef(tag);
    const refs = await remote.refs({ prefixes: [ref], signal }).catch((error: unknown) => {
      if (!(error instanceof RepositoryNotFound)) throw error;
      throw new ReleaseRefused(`cannot ${doing}: the repository is gone`, { cause: error });
    });
    const found = refs.byName.get(ref);
    if (found === undefined) throw new ReleaseRefused(`cannot ${doing}: the tag is gone`);
    if ((found.peeled ?? found.id) !== commit) throw new ReleaseRefused(`cannot ${doing}: the tag was moved`);
  }
}
