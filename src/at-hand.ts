/** What is at hand, or has to be waited for: of many small things most are at hand, and to wait all the same takes longer than they do. */
export type AtHand<T> = T | Promise<T>;

/** What `use` makes of it, as soon as it is there. */
export const whenThere = <T, U>(found: AtHand<T>, use: (found: T) => AtHand<U>): AtHand<U> =>
  found instanceof Promise ? found.then(use) : use(found);
