// Bytes that go through, beside nginx with proxy_pass (2 workers, TLS, the same
// certificate), alternating, to one server in the user's sandbox that costs next to
// nothing: keep-alive requests/s, round trips of a WebSocket, large downloads and
// uploads and what they cost in processor time.  Figures, not tests: nothing fails.
//
// ROUNDS, SECONDS_EACH, ECHOES and MIB say how much, ONLY which of them (requests,
// echo, bulk; several with commas).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { lightIde, obj, startDaemon, top, waitFor } from '../system/daemon.mjs';
import { cpu, keepalive, loadNow, nginx, run, say } from './beside.mjs';

execFileSync(`${top}/etc/install-deps`, ['build', 'bench'], { stdio: 'inherit' });
const rounds = Number(process.env.ROUNDS || 7);
const seconds = Number(process.env.SECONDS_EACH || 3);
const echoes = Number(process.env.ECHOES || 10000);
const mib = Number(process.env.MIB || 1024);
const only = (process.env.ONLY || '').split(',').filter(Boolean);
const wanted = (name) => only.length === 0 || only.includes(name);

const ide = lightIde();
fs.copyFileSync(`${obj}/regress/bench/gateway_serve`, `${ide}/node/bin/node`);
const d = await startDaemon({ users: ['ann'], idePath: ide });
let ng;

async function client(port, mode, path, amount) {
	const out = await run(`${obj}/regress/bench/gateway_load`, [mode, String(port), `/ide/${path}`, cookie, String(amount)]);
	const all = out.trim().split(' ').map(Number);
	if (all.length === 0 || all.some((n) => !(n > 0))) throw new Error(out);
	return all;
}

// Of all processes of each, workers that are gone included.
const all = (list) => list.reduce((n, c) => n + c.user + c.system, 0);
const ours = () => all([d.pid, ...['zygote', 'keys', 'auth', 'isolation'].map((r) => d.role(r)[0].pid)].map((p) => cpu(p))) +
	all([cpu(d.role('zygote')[0].pid, true)]);
const theirs = () => all(ng.pids().map((p) => cpu(p)));

// Both in turn, with the processor time of each turn: a busy worker has ended when it
// is looked at again, and its time is its zygote's.
const workers = () => d.tree().filter((p) => p.cmd === 'ided: worker' && busy(p.pid)).length;
const sides = () => [[0, d.port, ours, cookie], [1, ng.port, theirs, null]];

async function both(fn) {
	const values = [[], []];
	const costs = [[], []];
	for (let i = 0; i < rounds; i++)
		for (const [k, port, spent, credential] of sides()) {
			const before = spent();
			values[k].push(await fn(port, credential));
			if (k === 0) await waitFor('workers to end', () => workers() === 0);
			costs[k].push(spent() - before);
		}
	return { values, costs };
}

async function requests() {
	const { values, costs } = await both((port, c) => keepalive(port, '/ide/bytes/200', seconds, c));
	say('proxied keep-alive, requests/s', ...values);
	say('  processor time of each, µs', ...costs.map((c, k) => c.map((t, i) => t / values[k][i] / seconds)));
}

async function sockets() {
	const { values, costs } = await both((port) => client(port, 'echo', 'echo', echoes));
	say('WebSocket round trip, µs, median', ...values.map((v) => v.map((x) => x[0])));
	say('  99 %', ...values.map((v) => v.map((x) => x[1])));
	say('  processor time of each, µs', ...costs.map((c) => c.map((t) => t / echoes)));
	const large = await both((port) => client(port, 'message', 'echo', 4 << 20));
	say('WebSocket message of 4 MiB, there and back, ms', ...large.values.map((v) => v.map((x) => x[0])));
}

async function bulk(name, mode, path) {
	const { values, costs } = await both(async (port) => (await client(port, mode, path, mib * 1024 * 1024))[0]);
	say(`${name}, MiB/s`, ...values);
	say('  processor time, s per GiB', ...costs.map((c) => c.map((t) => t / 1e6 / mib * 1024)));
}

// Spares have done nothing yet.
function busy(pid) {
	try { const c = cpu(pid); return c.user + c.system > 20000; } catch { return false; }
}

const cookie = await d.login('ann');
try {
	await d.request('GET', '/ide/bytes/1', { headers: { cookie } });
	ng = await nginx(d, `/proc/${d.sandboxes()[0].pid}/root/run/ide/code.sock`);
	console.log(`${rounds} rounds, alternating; load ${loadNow()}`);
	if (wanted('requests')) await requests();
	if (wanted('echo')) await sockets();
	if (wanted('bulk')) {
		await bulk('download', 'get', `bytes/${mib * 1024 * 1024}`);
		await bulk('upload', 'put', 'upload');
	}
	console.log(`load ${loadNow()}`);
} finally {
	ng?.stop();
	await d.stop();
	fs.rmSync(ide, { recursive: true, force: true });
}
