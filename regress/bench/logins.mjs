// What a login costs beyond Argon2 itself: logins in turn with runs of Argon2 of the same
// parameters, each of the former over a connection that is there already, timed from the
// first byte of the request to the answer.  And what a hundred of them at once do to
// another user's requests: one that the worker answers, and one that asks auth.  Those are
// made by a thread of their own, which is not behind with a hundred answers; and not as
// often as auth would slow a connection down (a hundred a second).
//
// COUNT says how many in turn.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { Worker } from 'node:worker_threads';
import { Daemon, obj, password, sleep } from '../system/daemon.mjs';

const count = Number(process.env.COUNT || 60);
const quantile = (a, q) => [...a].sort((x, y) => x - y)[Math.floor(q * (a.length - 1))];
const figures = (a) => `median ${quantile(a, 0.5).toFixed(2)} ms, p99 ${quantile(a, 0.99).toFixed(2)}, worst ${Math.max(...a).toFixed(2)}`;
let sources = 0;
const from = () => { const n = ++sources; return `127.${16 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`; };

const users = Array.from({ length: 10 }, (_, i) => `u${i}`);
const d = new Daemon({ ratelimit: 'login 1000000 per 15m', prefork: 'spare 32\nmax 400\nper-source 200\nstartups 300:30:400' });
await d.prepare();
// As ided.conf(5) has them by default: tests take less.
fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(/argon2 .*/, 'argon2 memory 64M passes 3 lanes 1 helpers 2'));

// One that is connected before its time counts.
async function login(name) {
	const s = await d.raw({ localAddress: from() });
	const body = new URLSearchParams({ username: name, password }).toString();
	return () => new Promise((resolve, reject) => {
		let out = '';
		const at = performance.now();
		s.on('error', reject);
		s.on('data', (b) => { out += b.toString('latin1'); });
		s.on('end', () => {
			s.destroy();
			resolve({ ms: performance.now() - at, status: Number(/^HTTP\/1\.1 (\d+)/.exec(out)?.[1]) });
		});
		s.write(`POST /login HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\n` +
			`Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
	});
}

const argon2 = spawn(`${obj}/regress/bench/accounts_load`, ['argon2', '65536', '3', '1'], { stdio: ['pipe', 'pipe', 'inherit'] });
argon2.stdout.setEncoding('utf8');
const hash = () => new Promise((resolve) => { argon2.stdout.once('data', (s) => resolve(Number(s))); argon2.stdin.write('x\n'); });

// The times of one who asks until ms are over, or until it is said.
function others(path, cookie, ms = 60000) {
	const w = new Worker(new URL('./asks.mjs', import.meta.url), { workerData: { port: d.port, path, cookie, ms } });
	const times = new Promise((resolve, reject) => { w.on('message', resolve); w.on('error', reject); });
	return { times, stop: () => { w.postMessage('stop'); return times; } };
}

try {
	await d.start();
	for (const u of ['ann', ...users]) d.addUser(u);
	const alone = [], logins = [];
	for (let i = -5; i < count; i++) {
		const go = await login(users[(i + 5) % users.length]);
		const [h, l] = i % 2 ? [await hash(), await go()] : await go().then(async (r) => [await hash(), r]);
		if (l.status !== 302) throw new Error(`a login: ${l.status}`);
		if (i >= 0) { alone.push(h); logins.push(l.ms); }
	}
	console.log(`Argon2 (64 MB, 3 passes): ${figures(alone)}; a login: ${figures(logins)}`);
	console.log(`beyond Argon2: ${(quantile(logins, 0.5) - quantile(alone, 0.5)).toFixed(2)} ms between the medians, ` +
		`${quantile(logins.map((l, i) => l - alone[i]), 0.5).toFixed(2)} ms the median of the differences`);

	const cookie = await d.login('ann', password, { localAddress: from() });
	const paths = ['/api/me', '/api/users/me'];
	for (const path of paths) console.log(`${path} while nobody logs in: ${figures(await others(path, cookie, 3000).times)}`);
	for (const path of paths) {
		const ready = await Promise.all(Array.from({ length: 100 }, (_, i) => login(users[i % users.length])));
		const asking = others(path, cookie);
		await sleep(200);
		const at = performance.now();
		const all = await Promise.all(ready.map((go) => go()));
		const took = performance.now() - at;
		const times = await asking.stop();
		const statuses = [...new Set(all.map((r) => r.status))].map((s) => `${all.filter((r) => r.status === s).length} answered ${s}`).join(', ');
		console.log(`${path} while 100 log in at once (${statuses}, all within ${(took / 1000).toFixed(1)} s): ${figures(times)}`);
	}
} finally {
	argon2.stdin.end();
	await d.stop();
}
