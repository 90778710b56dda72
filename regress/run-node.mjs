#!/usr/bin/env node
// run-node.mjs FOLDER [N]: node's test runner over FOLDER's *.test.mjs, N at once: two
// cores, and each file has a daemon of its own.  Those that regress/first names begin.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec, tap } from 'node:test/reporters';
import { PassThrough } from 'node:stream';

const [dir, jobs = '1'] = process.argv.slice(2);
const suite = path.basename(dir);
fs.mkdirSync('regress/artefacts', { recursive: true });

const first = fs.readFileSync('regress/first', 'utf8').split('\n')
	.filter((l) => l.startsWith(`${suite}/`)).map((l) => `${path.basename(l)}.test.mjs`);
const all = fs.readdirSync(dir).filter((f) => f.endsWith('.test.mjs')).sort();
const unknown = first.filter((f) => !all.includes(f));
if (all.length === 0 || unknown.length > 0) {
	console.error(all.length === 0 ? `${dir}: no tests` : `regress/first: ${suite} has no ${unknown}`);
	process.exit(1);
}
const files = [...new Set([...first, ...all])].map((f) => path.resolve(dir, f));

// What the tests of a browser need is pinned beside them.
const time = (f) => fs.statSync(f, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (time(`${dir}/package-lock.json`) > time(`${dir}/node_modules/.package-lock.json`)) {
	const { status } = spawnSync('npm', ['ci', '--silent', '--ignore-scripts'], { cwd: dir, stdio: 'inherit' });
	if (status !== 0) process.exit(1);
}

const tests = run({ files, concurrency: Number(jobs) });
tests.on('test:fail', (t) => { if (!t.todo) process.exitCode = 1; });
for (const [reporter, to] of [[new spec(), process.stdout], [tap, fs.createWriteStream(`regress/artefacts/${suite}.tap`)]])
	tests.pipe(new PassThrough({ objectMode: true })).compose(reporter).pipe(to);
