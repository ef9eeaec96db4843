import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BadRequest, NoSuchRoute, TargetTooLong } from '../../src/http/errors.ts';
import {
  originForm,
  parseModuleTarget,
  parsePackage,
  parsePackageTarget,
  parseProxyTarget,
  uploadTarget,
} from '../../src/http/parse-target.ts';

const parse = (path: string) => parseModuleTarget(parseProxyTarget(`/api/packages/acme/go/${path}`).rest);

describe('parseModuleTarget', () => {
  const version = (query: string, file: string) => ({ kind: 'version', query, file });
  for (const [path, module, question] of [
    ['example.com/lib/@v/list', 'example.com/lib', { kind: 'list' }],
    ['example.com/lib/@latest', 'example.com/lib', { kind: 'latest', file: 'info' }],
    ['example.com/lib/@v/latest.zip', 'example.com/lib', { kind: 'latest', file: 'zip' }],
    ['example.com/lib/@v/v1.0.0.info?go-get=1', 'example.com/lib', version('v1.0.0', 'info')],
    ['example.com/%21upper/@v/v1.0.0-%21r%21c1.mod', 'example.com/Upper', version('v1.0.0-RC1', 'mod')],
    ['example.com/!upper/@v/v1.0.0.zip', 'example.com/Upper', version('v1.0.0', 'zip')],
    ['example.com/lib/@v/v2.0.0+incompatible.info', 'example.com/lib', version('v2.0.0+incompatible', 'info')],
    ['example.com/lib/@v/v2.0.0%2Bincompatible.info', 'example.com/lib', version('v2.0.0+incompatible', 'info')],
    ['example.com/lib/@v/feature%2F!x.info', 'example.com/lib', version('feature/X', 'info')],
  ] as const) {
    it(`reads ${path}`, () => {
      const target = parse(path);
      assert.equal(target.module, module);
      assert.deepEqual(target.question, question);
    });
  }

  for (const path of [
    'example.com/lib',
    'example.com/lib/@v/',
    'example.com/lib/@v/v1.0.0.txt',
    '@v/list',
    'a.b/@latest/x',
  ]) {
    it(`knows no file ${path}`, () => assert.throws(() => parse(path), NoSuchRoute));
  }

  for (const path of [
    'Example.com/lib/@v/list',
    'example.com/!!x/@v/list',
    'example.com/../lib/@v/list',
    'example.com//lib/@v/list',
    'example.com%2Flib/@v/list',
    'example.com/lib/@v/V1.0.0.info',
    'nodot/@v/%zz.info',
  ]) {
    it(`refuses ${path}`, () => assert.throws(() => parse(path), BadRequest));
  }

  it('says where a zip can be put', () => {
    const put = (path: string) => uploadTarget(parse(path));
    assert.deepEqual(put('example.com/!lib/@v/v1.0.0.zip'), { module: 'example.com/Lib', version: 'v1.0.0' });
    assert.equal(put('example.com/lib/@v/v1.0.0.mod'), undefined);
    assert.throws(() => put('example.com/lib/@v/v1.zip'), BadRequest);
  });
});

describe('request targets', () => {
  it('refuses an absurdly long one', () => assert.throws(() => parse('a'.repeat(5000)), TargetTooLong));
  it('knows no proxy but {owner}/go', () => {
    assert.throws(() => parseProxyTarget('/api/packages/acme/npm/x'), NoSuchRoute);
    assert.throws(() => parseProxyTarget('/api/packages/acme/go'), NoSuchRoute);
  });
  it('takes the absolute form apart', () => {
    assert.equal(originForm('http://host:80/api/x?y'), '/api/x?y');
    assert.equal(originForm('HTTPS://host'), '/');
    assert.equal(originForm('http://host?x'), '/?x');
    assert.equal(originForm('*'), '/*');
    assert.equal(originForm('/http://host/x'), '/http://host/x');
  });
  it('reads the name of a package as one element', () => {
    const { owner, module, version } = parsePackage(
      parsePackageTarget('/api/v1/packages/acme/go/example.com%2FLib/v1.0.0'),
    );
    assert.deepEqual({ owner, module, version }, { owner: 'acme', module: 'example.com/Lib', version: 'v1.0.0' });
    assert.throws(() => parsePackageTarget('/api/v1/packages/acme/go/example.com/Lib/v1.0.0'), NoSuchRoute);
  });
});
