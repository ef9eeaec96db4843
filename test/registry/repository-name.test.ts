import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeRepositoryName, isReservedName } from '../../src/registry/repository-name.ts';

/** The reverse, which holds while the name was not cut. */
const decode = (name: string) =>
  name.replace(/_(_|[0-9a-f]{2})/g, (_, code: string) =>
    code === '_' ? '/' : String.fromCharCode(Number.parseInt(code, 16)),
  );

describe('encodeRepositoryName', () => {
  for (const [path, name] of [
    ['example.com/team/lib', 'example.com__team__lib'],
    ['gopkg.in/yaml.v3', 'gopkg.in__yaml.v3'],
    ['github.com/BurntSushi/toml', 'github.com___42urnt_53ushi__toml'],
    ['example.com/a_b', 'example.com__a_5fb'],
    ['example.com/a__b', 'example.com__a_5f_5fb'],
    ['example.com/~user', 'example.com___7euser'],
    ['example.com/lib.git', 'example.com__lib.gi_74'],
    ['example.com/lib.wiki', 'example.com__lib.wik_69'],
    ['example.com/feed.atom', 'example.com__feed.ato_6d'],
    ['example.com/feed.rss', 'example.com__feed.rs_73'],
  ] as const) {
    it(`names ${path} ${name}`, () => assert.equal(encodeRepositoryName(path), name));
  }

  it('cuts a long name at an escape, and keeps it apart by its hash', () => {
    const path = `example.com/${'x'.repeat(37)}/${'y'.repeat(60)}`;
    const name = encodeRepositoryName(path);
    assert.match(name, /^example\.com__x{37}_-[0-9a-f]{40}$/);
    assert.notEqual(name, encodeRepositoryName(`${path}z`));
  });

  const path = fc.stringMatching(/^[a-zA-Z0-9._~-]{1,20}(\/[a-zA-Z0-9._~-]{1,30}){0,4}$/);

  it('can be reversed, is safe on both forges, and never reserved', () => {
    fc.assert(
      fc.property(path, text => {
        const name = encodeRepositoryName(text);
        assert.match(name, /^[a-z0-9._-]{1,100}$/);
        assert.equal(isReservedName(name), false);
        if (!/_-/.test(name)) assert.equal(decode(name), text);
      }),
    );
  });
});
