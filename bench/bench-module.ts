/** A module of the bench: where it is, the files that all of its versions have, and the zip of each version. */
import { crc32, deflateRawSync } from 'node:zlib';
import { craftZip } from '../test/support/craft-zip.ts';
import type { CorpusFile } from './corpus.ts';

export interface BenchModule {
  readonly path: string;
  /** Of acme, by a rule of modforge's configuration. */
  readonly repository: string;
  readonly files: readonly CorpusFile[];
}

/** Paths that `go` can also fetch directly: it knows without asking where on GitHub a module is. */
export const pathRule = 'github.com/acme/{repo}=acme/{repo}';

/** The module of these files and a go.mod. */
export function benchModule(repository: string, files: readonly CorpusFile[]): BenchModule {
  const path = `github.com/acme/${repository}`;
  const content = Buffer.from(`module ${path}\n\ngo 1.21\n`);
  const goMod = { path: 'go.mod', content, deflated: deflateRawSync(content), crc32: crc32(content) };
  return { path, repository, files: [goMod, ...files] };
}

/** The zip of a version, with data descriptors, as Go's own zips and those of `modforge pack` have them. */
export const zipOf = ({ path, files }: BenchModule, version: string): Buffer =>
  craftZip(
    files.map(file => ({
      name: `${path}@${version}/${file.path}`,
      data: file.deflated,
      crc32: file.crc32,
      bytes: file.content.byteLength,
      descriptor: 'signed',
    })),
  );
