import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { repoPath } from '../support/repo-root.ts';
import { readSources, repositoryFiles } from './sources.ts';

interface Manifest {
  readonly license?: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

interface LockedPackage {
  readonly version: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

const directMost = 20;
/** Licences that a program under Apache-2.0 may be given together with. */
const licences = /^\(?(MIT|ISC|Apache-2\.0|0BSD|BSD-[23]-Clause|BlueOak-1\.0\.0|Unlicense|Python-2\.0)\b/;

const manifest = readJson<Manifest>('package.json');
const locked = Object.entries(
  readJson<{ packages: Record<string, LockedPackage> }>('package-lock.json').packages,
);
const direct = Object.keys(manifest.dependencies);

test(`there are at most ${directMost} direct run-time dependencies`, () => {
  assert.ok(direct.length <= directMost, `${direct.length}: ${direct.join(', ')}`);
});

test('every direct dependency has an exact version', () => {
  const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  assert.deepEqual(
    all.filter(([, version]) => !/^(npm:[a-z0-9-]+@)?\d+\.\d+\.\d+$/.test(version)),
    [],
  );
});

test('docs/dependencies.md gives the reason for each direct dependency, and names no other', () => {
  const rows = readFileSync(repoPath('docs/dependencies.md'), 'utf8').matchAll(
    /^\| `([^`]+)` \| (.{20,}) \|$/gm,
  );
  const listed = [...rows].map(([, name = '']) => name).sort();
  assert.deepEqual(listed, [...direct, ...Object.keys(manifest.devDependencies)].sort());
});

test('every run-time dependency is used by src', () => {
  const used = readSources(repositoryFiles().filter((path) => path.startsWith('src/'))).map(
    ({ text }) => text,
  );
  const isUsed = (name: string): boolean =>
    used.some((text) => new RegExp(`(from|import|:|\\?) '${name}(/|')`).test(text));
  assert.deepEqual(
    direct.filter((name) => !isUsed(name)),
    [],
  );
});

test('every package that is shipped has a licence we may ship it under', () => {
  const shipped = locked.filter(
    ([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true,
  );
  const wrong = shipped.filter(([, { license }]) => !licences.test(license ?? ''));
  assert.deepEqual(
    wrong.map(([path, { license }]) => `${path}: ${license}`),
    [],
  );
  assert.equal(manifest.license, 'Apache-2.0');
});

test('packages with install scripts are each allowed or refused by name', () => {
  const scripted = locked
    .filter(([, { hasInstallScript }]) => hasInstallScript === true)
    .map(([path]) => path);
  const names = scripted.map((path) =>
    path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
  );
  assert.deepEqual([...new Set(names)].sort(), Object.keys(manifest.allowScripts).sort());
});

test('the lockfile names no place to download from', () => {
  assert.deepEqual(
    locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  );
});

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(repoPath(path), 'utf8')) as T;
}
