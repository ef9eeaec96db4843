import { CredentialsRefused } from '../../git/errors.ts';
import type { Remote } from '../../git/remote.ts';
import { ForgeUnavailable } from '../errors.ts';

/** A remote with the service's own token: that the forge refuses it is an outage to whoever asks, not a mistake of theirs. */
export function serviceRemote(remote: Remote): Remote {
  return {
    url: remote.url,
    refs: options => orUnavailable(remote.refs(options)),
    commit: (id, signal) => orUnavailable(remote.commit(id, signal)),
    files: (commit, paths, signal) => orUnavailable(remote.files(commit, paths, signal)),
    snapshot: (commit, store, signal) => orUnavailable(remote.snapshot(commit, store, signal)),
    history: range => orUnavailable(remote.history(range)),
    push: push => orUnavailable(remote.push(push)),
  };
}

async function orUnavailable<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof CredentialsRefused)) throw error;
    throw new ForgeUnavailable("the forge refuses the service's token (MODFORGE_TOKEN)", { cause: error });
  }
}
