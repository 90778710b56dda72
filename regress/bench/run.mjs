// Side by side with nginx (2 workers, TLS, the same certificate), alternating:
// keep-alive requests/s for a small static file and for a proxied one, new TLS
// connections/s, memory per idle TLS connection, and the time from a request to
// a started sandbox.  Figures, not tests: nothing here fails.
//
// ROUNDS, SECONDS_EACH and CONNECTIONS say how much, ONLY which of them
// (sandbox, static, proxied, connections, memory; several with commas).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, idePath, sleep, top } from '../system/daemon.mjs';
import { compare, cpu, fmt, keepalive, median, nginx, pss, run } from './beside.mjs';

execFileSync(`${top}/etc/install-deps`, ['build', 'bench'], { stdio: 'inherit' });
const rounds = Number(process.env.ROUNDS || 5);
const seconds = Number(process.env.SECONDS_EACH || 4);
const number = Number(process.env.CONNECTIONS || 3000);
const only = (process.env.ONLY || '').split(',').filter(Boolean);
const wanted = (name) => only.length === 0 || only.includes(name);

// A small static file that needs no login, so that both sides do the same.
function smallFile() {
	const root = `${idePath}/static/front`;
	for (const f of fs.readdirSync(root, { recursive: true })) {
		if (!/\.(svg|png|html|css|js)$/.test(f)) continue;
		const st = fs.statSync(`${root}/${f}`);
		if (st.size > 500 && st.size < 8000) return { url: f, size: st.size };
	}
	throw new Error('no small file');
}

// New connections, each for one request; p99 in ms goes to late.
async function connections(port, url, late) {
	const out = await run('ab', ['-q', '-n', String(number), '-c', '10', `https://127.0.0.1:${port}${url}`]);
	const failed = Number(/Failed requests:\s+(\d+)/.exec(out)?.[1] ?? -1);
	if (failed !== 0) throw new Error(out);
	late.push(Number(/ 99%\s+(\d+)/.exec(out)[1]));
	return Number(/Requests per second:\s+([\d.]+)/.exec(out)[1]);
}

// What each of these processes spent per connection since `before'.
const spent = (now, before, n) => Object.keys(now).map((k) => {
	const u = (now[k].user - before[k].user) / n;
	const s = (now[k].system - before[k].system) / n;
	return `${k} ${(u + s).toFixed(0)} (${u.toFixed(0)}+${s.toFixed(0)})`;
}).join(', ');

const d = await startDaemon({ users: ['ann'], level: 'info',
	prefork: 'spare 32\n\tmax 1024\n\tper-source 512\n\tstartups 512:30:1024' });
const small = smallFile();
const url = `/_static/${small.url}`;
let ng;

async function sandbox(cookie) {
	const t0 = process.hrtime.bigint();
	const first = await d.request('GET', '/ide/version', { headers: { cookie } });
	console.log(`first request to VS Code: ${first.status} after ${Number(process.hrtime.bigint() - t0) / 1e6 | 0} ms`);
	const started = /sandbox\.start\S*.*?(?:ms|took)="?(\d+)/.exec(d.log);
	console.log(`sandbox made ready in ${started ? started[1] : '?'} ms (from the log)`);
	return `/proc/${d.sandboxes()[0].pid}/root/run/ide/code.sock`;
}

// Both have two cores, so it is processor time that decides.
async function compareConnections() {
	const one = (role) => d.role(role)[0].pid;
	const ours = () => ({ master: cpu(d.pid), zygote: cpu(one('zygote')),
		worker: cpu(one('zygote'), true), keys: cpu(one('keys')), auth: cpu(one('auth')) });
	const theirs = () => {
		const all = ng.pids().map((p) => cpu(p));
		return { workers: { user: all.reduce((n, c) => n + c.user, 0),
			system: all.reduce((n, c) => n + c.system, 0) } };
	};
	const before = [ours(), theirs()];
	const late = [[], []];
	await compare('new TLS connections/s', rounds, () => connections(d.port, url, late[0]),
		() => connections(ng.port, url, late[1]));
	console.log(`  99 % within ms                   ided ${median(late[0])}, nginx ${median(late[1])}`);
	console.log(`  µs per connection (user+system)  ided: ${spent(ours(), before[0], number * rounds)}`);
	console.log(`                                   nginx: ${spent(theirs(), before[1], number * rounds)}`);
}

// 200 idle TLS connections, each having made one request.
async function memory() {
	const sum = () => d.role('worker').map((p) => pss(p.pid)).reduce((x, y) => x + y, 0);
	const socks = [];
	for (let i = 0; i < 200; i++) {
		const s = await d.raw();
		s.write(`GET /healthz HTTP/1.1\r\nHost: localhost:${d.port}\r\n\r\n`);
		await new Promise((r) => s.once('data', r));
		socks.push(s);
	}
	await sleep(500);
	const busy = d.role('worker').length;
	console.log(`memory per idle TLS connection (PSS)   ${fmt(sum() / busy)} kB over ${busy} workers (zygote ${pss(d.role('zygote')[0].pid)} kB)`);
	for (const s of socks) s.destroy();
}

try {
	const ide = wanted('sandbox') || wanted('proxied');
	const cookie = ide && await d.login('ann');
	ng = await nginx(d, ide ? await sandbox(cookie) : `${d.dir}/none`,
		`location /_static/ { alias ${idePath}/static/front/; }`);
	console.log(`static file: ${small.url}, ${small.size} bytes; ${rounds} rounds, alternating`);
	if (wanted('static'))
		await compare('static keep-alive, requests/s', rounds, () => keepalive(d.port, url, seconds),
			() => keepalive(ng.port, url, seconds));
	if (wanted('proxied'))
		await compare('proxied keep-alive, requests/s', rounds, () => keepalive(d.port, '/ide/version', seconds, cookie),
			() => keepalive(ng.port, '/ide/version', seconds));
	if (wanted('connections')) await compareConnections();
	if (wanted('memory')) await memory();
} finally {
	ng?.stop();
	await d.stop();
}
