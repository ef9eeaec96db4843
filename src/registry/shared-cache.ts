import { LRUCache } from 'lru-cache';
import { CredentialsRefused, RepositoryNotFound } from '../git/errors.ts';

interface Flight<Value> {
  readonly controller: AbortController;
  readonly value: Promise<Value>;
  waiters: number;
}

/** Of values that have to be let go of: who adds an owner, or has made the value, releases it once. */
interface Owners<Value> {
  retain(value: Value): void;
  release(value: Value): void | Promise<void>;
}

const noOwners: Owners<unknown> = { retain() {}, release() {} };

/**
 * An LRU cache whose misses are fetched once, however many ask at the same time. A waiter whose signal aborts leaves alone;
 * the fetch is aborted when the last one has left. Failures are not cached.
 *
 * The flights are ours because lru-cache's `fetchMethod` aborts a fetch for all who wait when the first of them goes away,
 * or when the entry is evicted meanwhile.
 */
export class SharedCache<Value extends object> {
  readonly #values: LRUCache<string, Value>;
  readonly #flights = new Map<string, Flight<Value>>();
  readonly #ttlMs: (value: Value) => number;

  readonly #owners: Owners<Value>;

  constructor(
    limits:
      | { max: number; ttlMs: number | ((value: Value) => number) }
      | { maxBytes: number; bytesOf: (value: Value) => number; owners?: Owners<Value> },
  ) {
    const ttlMs = 'max' in limits ? limits.ttlMs : 0;
    this.#ttlMs = typeof ttlMs === 'function' ? ttlMs : () => ttlMs;
    this.#owners = ('owners' in limits ? limits.owners : undefined) ?? noOwners;
    this.#values = new LRUCache<string, Value>({
      ...('max' in limits
        ? { max: limits.max, ttlResolution: 0, ttlAutopurge: true }
        : { maxSize: limits.maxBytes, sizeCalculation: limits.bytesOf }),
      dispose: value => this.#owners.release(value),
    });
  }

  /** The value of `key`, from memory or from `fetch`, with the caller as an owner. Throws what `fetch` throws, or the signal's reason. */
  async get(key: string, fetch: (signal: AbortSignal) => Promise<Value>, signal: AbortSignal): Promise<Value> {
    const isAnothers = this.#flights.has(key);
    try {
      return await this.#join(key, fetch, signal);
    } catch (error) {
      // It was fetched with the rights of whoever came first.
      const isOfCaller = error instanceof CredentialsRefused || error instanceof RepositoryNotFound;
      if (!isAnothers || !isOfCaller) throw error;
      return await this.#join(key, fetch, signal);
    }
  }

  async #join(key: string, fetch: (signal: AbortSignal) => Promise<Value>, signal: AbortSignal): Promise<Value> {
    signal.throwIfAborted();
    const known = this.#values.get(key);
    if (known !== undefined) {
      this.#owners.retain(known);
      return known;
    }
    const flight = this.#flights.get(key) ?? this.#start(key, fetch);
    flight.waiters++;
    try {
      const value = await unlessAborted(flight.value, signal);
      this.#owners.retain(value);
      return value;
    } finally {
      this.#leave(key, flight, signal.reason);
    }
  }

  #leave(key: string, flight: Flight<Value>, reason: unknown): void {
    flight.waiters--;
    if (flight.waiters > 0 || this.#flights.get(key) !== flight) return;
    this.#flights.delete(key);
    flight.controller.abort(reason);
    // The flight owns what it fetched for as long as somebody may still come for it.
    flight.value.then(
      value => this.#owners.release(value),
      () => {},
    );
  }

  /** Fetches the value of `key` anew, for those who come later. A failure changes nothing: they will fetch it themselves. */
  renew(key: string, fetch: (signal: AbortSignal) => Promise<Value>): void {
    if (this.#flights.has(key)) return;
    const flight = this.#start(key, fetch);
    flight.waiters++;
    const leave = () => this.#leave(key, flight, undefined);
    flight.value.then(leave, leave);
  }

  /** The value if it is in memory. */
  peek(key: string): Value | undefined {
    return this.#values.peek(key);
  }

  /** Until when `get` gives the value that is in memory now, by performance.now(); a time that is over where there is none. */
  keptUntil(key: string): number {
    return performance.now() + this.#values.getRemainingTTL(key);
  }

  /** Adds the cache as an owner. */
  set(key: string, value: Value): void {
    this.#owners.retain(value);
    this.#values.set(key, value, { ttl: this.#ttlMs(value) });
    // One that is larger than all of the cache is not taken.
    if (this.#values.peek(key) !== value) this.#owners.release(value);
  }

  /** Lets go of a value that is of no use any more, if it is still there. */
  delete(key: string, value: Value): void {
    if (this.#values.peek(key) === value) this.#values.delete(key);
  }

  /** Lets go of all values. */
  clear(): void {
    this.#values.clear();
  }

  #start(key: string, fetch: (signal: AbortSignal) => Promise<Value>): Flight<Value> {
    const controller = new AbortController();
    const value = fetch(controller.signal).then(fetched => {
      this.set(key, fetched);
      return fetched;
    });
    const flight = { controller, value, waiters: 0 };
    this.#flights.set(key, flight);
    return flight;
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
