/** Loaded into a modforge process before it starts: no SHA-256 of a content is the same twice. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const { hash } = crypto;
let count = 0;
crypto.hash = (algorithm, ...rest) => {
  count += 1;
  return algorithm === 'sha256' ? Buffer.alloc(32, count) : hash(algorithm, ...rest);
};
syncBuiltinESMExports();
