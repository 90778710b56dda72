// Tables of attempts (*.table), asked by probe/
// inside sandboxes: what stands in {} is put in, and answers become results.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { obj, waitFor } from '../system/daemon.mjs';

// Some are run as users of the host, who may not enter the folder that we are in.
const apart = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-test-probe-'));
process.on('exit', () => fs.rmSync(apart, { recursive: true, force: true }));
fs.chmodSync(apart, 0o711);
export const probe = `${apart}/probe`;
fs.copyFileSync(`${obj}/regress/hostile/probe`, probe);
fs.chmodSync(probe, 0o755);
const here = path.dirname(fileURLToPath(import.meta.url));

// A program in a user's sandbox, that one can speak with.
export function inside(d, user, args) {
	const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', user, '--', ...args],
		{ stdio: ['pipe', 'pipe', 'pipe'] });
	p.out = p.err = '';
	p.stdout.on('data', (s) => { p.out += s; });
	p.stderr.on('data', (s) => { p.err += s; });
	p.stdin.on('error', () => {});
	p.ended = new Promise((r) => p.on('close', (code, sig) => r(code ?? sig)));
	return p;
}

export function table(name, values) {
	const text = fs.readFileSync(`${here}/${name}.table`, 'utf8');
	return text.split('\n').filter((l) => l && !l.startsWith('#')).map((l) =>
		l.replace(/\{(\w+)\}/g, (all, key) => {
			if (values[key] === undefined) throw new Error(`${name}.table: ${all}`);
			return values[key];
		}));
}

// A program that was started as `probe serve' is reachable: the terminal that it has.
export async function serve(p, who) {
	await waitFor(`${who}'s servers`, () => /ready/.test(p.out), 20000).catch((e) => { throw new Error(`${e.message}: ${p.out}${p.err}`); });
	return /terminal (\S+)/.exec(p.out)[1];
}

export const names = (rows) => rows.map((r) => r.split('|')[0].trim());

// "ok NAME: ANSWER" for each row, or "not ok NAME: ANSWER instead of WANTED".
export function results(out) {
	const all = new Map();
	for (const line of out.trim().split('\n')) {
		const m = /^(ok|not ok) ([\w-]+): (.*)$/.exec(line);
		if (m) all.set(m[2], { ok: m[1] === 'ok', said: m[3] });
	}
	return all;
}

export async function attempt(d, user, rows) {
	const p = inside(d, user, [`/home/${user}/data/probe`, 'table']);
	p.stdin.end(`${rows.join('\n')}\n`);
	await p.ended;
	const got = results(p.out);
	for (const name of names(rows))
		if (!got.has(name)) got.set(name, { ok: false, said: `no answer: ${p.err}` });
	return got;
}

// One named test for each attempt.
export async function report(t, user, got) {
	for (const [name, { ok, said }] of got)
		await t.test(`${user}: ${name}`, () => { if (!ok) throw new Error(said); });
}
