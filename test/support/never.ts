/** For what nobody gives up. */
export const never: AbortSignal = new AbortController().signal;
