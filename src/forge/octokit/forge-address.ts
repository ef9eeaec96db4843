/** The forge's address without a slash at the end, and the host that module paths and logins carry: without port, with its path. */
export function parseForgeAddress(address: string): { readonly url: string; readonly host: string } {
  const { origin, hostname, pathname } = new URL(address);
  const path = pathname.replace(/\/+$/, '');
  return { url: `${origin}${path}`, host: `${hostname}${path}` };
}
