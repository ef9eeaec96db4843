/** What `?go-get=1` is told: which module proxy has the modules of a vanity path (go.dev/ref/mod#vcs-find). */
import { isModulePath } from '../gomod/module-path.ts';
import type { PathRule } from '../registry/path-rule.ts';
import { placeModule } from '../registry/place-module.ts';

export interface GoImport {
  /** The module path of the repository's root: `go` asks there again, and refuses an answer that differs. */
  readonly prefix: string;
  /** Whose proxy has the modules. */
  readonly owner: string;
}

/**
 * Who has the modules at `path` on `host`, undefined where no rule says. It is asked without credentials, so the rules alone
 * decide, and nothing that exists. The path is taken as it was sent: a module path has no character that needs an escape.
 */
export function findGoImport(host: string, path: string, rules: readonly PathRule[]): GoImport | undefined {
  const module = `${host.toLowerCase()}${path.replace(/\/$/, '')}`;
  if (!isModulePath(module)) return undefined;
  for (const { owner } of rules) {
    const { rootPath, isOwnNamespace } = placeModule(module, owner, { rules, forgeHost: undefined });
    if (isOwnNamespace) return { prefix: rootPath, owner };
  }
  return undefined;
}

/** The page that `go` and people read; `proxyUrl` is what GOPROXY would hold. */
export function goImportPage(prefix: string, proxyUrl: string): string {
  const [path, proxy] = [prefix, proxyUrl].map(escapeHtml);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="go-import" content="${path} mod ${proxy}">
<title>${path}</title>
</head>
<body>
<p>With <code>GOPRIVATE=${path}</code>, go asks the module proxy <code>${proxy}</code> for <code>${path}</code> and all below it.</p>
</body>
</html>
`;
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, char => `&#${char.codePointAt(0)};`);
