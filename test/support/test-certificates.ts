/** A certificate authority of the test's own, and a server certificate that it signed. Made by `openssl`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { outputOf } from './run-command.ts';

/** Files, PEM. */
export interface TestCertificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes them in `directory`, for 127.0.0.1 and the host names given. */
export async function makeCertificates(directory: string, ...hosts: readonly string[]): Promise<TestCertificates> {
  const openssl = (...args: string[]) => outputOf('openssl', args, { cwd: directory });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const extensions = join(directory, 'extensions.cnf');
  const names = ['IP:127.0.0.1', ...hosts.map(host => `DNS:${host}`)].join();
  await writeFile(extensions, `subjectAltName = ${names}\nextendedKeyUsage = serverAuth\n`);
  await openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=modforge test CA');
  await openssl('req', '-new', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=127.0.0.1');
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', extensions];
  await openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signing);
  return { ca: join(directory, 'ca.pem'), cert: join(directory, 'server.pem'), key: join(directory, 'server.key') };
}
