const redirects = [301, 302, 307, 308];

/**
 * `fetch` that follows redirects (of renamed and transferred repositories) on the same host only and never from https to http,
 * with the same method, body and credentials, as GitHub asks for in "Best practices for using the REST API".
 */
export function followOnSameHost(fetchOnce: typeof fetch): typeof fetch {
  return async (input, init) => {
    let url = new URL(input instanceof Request ? input.url : input);
    for (let hops = 0; hops < 5; hops++) {
      const response = await fetchOnce(url, { ...init, redirect: 'manual' });
      const location = redirects.includes(response.status) ? response.headers.get('location') : null;
      if (location === null) return response;
      await response.body?.cancel();
      const next = new URL(location, url);
      if (next.host !== url.host || (url.protocol === 'https:' && next.protocol !== 'https:')) {
        throw new Error(`it redirects to another host, ${next.host}`);
      }
      url = next;
    }
    throw new Error('it redirects in circles');
  };
}
