// What strangers write into the log and the audit trail: never a line of their own,
// whatever they put where; and never more than so many lines, however much they ask for.
// What was left out is counted to the last one.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { Daemon, freePort, load, password } from '../system/daemon.mjs';
import { sources } from './backend.mjs';

const REQUESTS = process.env.IDED_LONG ? 100000 : load(2500);
const next = sources(20);
let d, plain, file, stopped = false;
before(async () => {
	plain = await freePort();
	d = new Daemon({ prefork: 'spare 16\nmax 300\nper-source 100\nstartups 200:30:300', auth: 'registration open' });
	file = `${d.dir}/audit.log`;
	d.opts.conf = `listen on 127.0.0.1 port ${plain}\naudit { file "${file}" rotate never\n\tstore keep 30d }`;
	await d.prepare();
	await d.start();
	d.addUser('ann');
	d.addUser('root1', 'admin');
});
after(() => d?.stop());

// Over a connection of its own, from wherever; all that comes back.
const send = (bytes, localAddress = next()) => new Promise((resolve) => {
	const s = net.connect({ port: plain, host: '127.0.0.1', localAddress });
	let out = '';
	s.setTimeout(20000, () => s.destroy());
	s.on('connect', () => s.end(Buffer.from(bytes, 'latin1')));
	s.on('data', (b) => { out += b.toString('latin1'); });
	s.on('error', () => {});
	s.on('close', () => resolve(out));
});
const logged = () => d.log.split('\n').filter(Boolean);
const records = () => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
const lone = (l) => /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]/.test(l);

// One that nobody was given, whole as far as a worker can tell: its end is a CRC-32.
function apiToken(n) {
	const text = `ided_${String(n).padStart(43, '0')}`;
	let c = 0xffffffff, sum = '';
	for (const b of Buffer.from(text)) {
		c ^= b;
		for (let k = 0; k < 8; k++) c = (c >>> 1) ^ (0xedb88320 & -(c & 1));
	}
	for (c = ~c >>> 0; sum.length < 6; c = Math.floor(c / 62))
		sum = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[c % 62] + sum;
	return text + sum;
}

const FORGED = '2026-01-01T00:00:00.000Z ided-auth[1] notice login.ok user="root"';
const evil = [`x\r\n${FORGED}`, `x\n${FORGED}`, `x\r${FORGED}`, 'x\0y', '\x1b[2J\x1b[31mx', '\x9b31mx', '\xc2\x9b31mx', '\xe2\x80\xaex', '\xe2\x80\xa8x', '\xff\xfe\xc0\xaf',
	'" level="emerg" proc="auth', '\\n\\x1b[2J', '%0d%0a%1b%5b2J', '%s%n%x', '\x7f\x08\x08'];

test('in every field of a request: no line but ours', { timeout: 120000 }, async () => {
	const head = (line, ...headers) => `${line}\r\nHost: 127.0.0.1:${plain}\r\nConnection: close\r\n${headers.map((h) => `${h}\r\n`).join('')}\r\n`;
	const places = [(v) => head(`${v} / HTTP/1.1`), (v) => head(`GET ${v} HTTP/1.1`), (v) => head(`GET /x${v} HTTP/1.1`), (v) => head(`GET /login?to=${v} HTTP/1.1`),
		(v) => head(`GET / ${v}`), (v) => `GET / HTTP/1.1\r\nHost: ${v}\r\n\r\n`, (v) => head('GET / HTTP/1.1', `${v}: x`),
		...['User-Agent', 'Cookie', 'Authorization', 'Origin', 'Referer', 'X-Forwarded-For', 'Content-Type', 'Transfer-Encoding', 'Content-Length', 'Upgrade']
			.map((name) => (v) => head('GET /api/me HTTP/1.1', `${name}: ${v}`)),
		(v) => head('GET /api/me HTTP/1.1', `Cookie: __Host-ided=${v}`), (v) => head('GET /api/me HTTP/1.1', `Authorization: Bearer ${v}`),
		(v) => `POST /login HTTP/1.1\r\nHost: 127.0.0.1:${plain}\r\nTransfer-Encoding: chunked\r\n\r\n1;${v}\r\nx\r\n0\r\n${v}\r\n\r\n`];
	const all = places.flatMap((p) => evil.map((v) => p(v)));
	const jobs = all.values();
	await Promise.all(Array.from({ length: 8 }, async () => { for (const bytes of jobs) await send(bytes); }));
	// In bodies, which may hold anything.
	const text = (v) => Buffer.from(v, 'latin1').toString('utf8').replaceAll('\ufffd', '?');
	const json = (method, path, body, headers = {}) => d.ask(method, path, { body: JSON.stringify(body), localAddress: next(),
		headers: { accept: 'application/json', origin: d.origin, 'content-type': 'application/json', ...headers } });
	const cookie = await d.login('root1', password, { localAddress: next() });
	const bodies = evil.values();
	await Promise.all(Array.from({ length: 4 }, async () => {
		for (const v of bodies) {
			await d.post('/login', { username: v, password: v, to: v }, { localAddress: next() });
			await json('POST', '/api/auth/login', { username: text(v), password: text(v) });
			await json('POST', '/api/auth/register', { username: text(v), email: text(v), password: text(v) });
			await json('POST', '/api/auth/refresh', { refreshToken: text(v) });
			await json('POST', '/api/users', { username: text(v), email: text(v), displayName: text(v), password }, { cookie });
			await json('PATCH', '/api/users/ann', { displayName: text(v), metadata: { [text(v)]: text(v) } }, { cookie });
			await json('POST', '/api/users/me/tokens', { name: text(v), scopes: [text(v)] }, { cookie });
			await d.ask('GET', `/api/admin/audit?q=${encodeURIComponent(text(v))}`, { headers: { cookie, accept: 'application/json' }, localAddress: next() });
			await json('POST', '/csp-report', { 'csp-report': { 'blocked-uri': text(v), 'violated-directive': text(v), 'document-uri': text(v), 'source-file': text(v) } },
				{ 'content-type': 'application/csp-report' });
		}
	}));
	await d.says(/request\.bad/);
	assert.equal(d.ctl(['status']).status, 0);
	for (const l of logged()) {
		assert.match(l, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ided-[a-z]+\[\d+\] (error|warning|notice|info|debug) [a-z0-9._-]+( |$)/);
		assert.ok(!lone(l), JSON.stringify(l));
		assert.ok(!l.startsWith('2026-01-01T00:00:00.000Z') && !/^\S+ ided-auth\S+ notice login\.ok /.test(l), l);
	}
	for (const l of fs.readFileSync(file, 'utf8').split('\n')) assert.ok(!lone(l), JSON.stringify(l));
	assert.ok(!records().some((r) => r.event === 'login.ok' && r.user === 'root'));
	assert.ok(records().some((r) => r.event === 'login.failed' && r.user.includes('ided-auth[1]')), 'they were there');
	const v = d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out + v.err);
});

test(`${REQUESTS} bad requests, and those that are denied: bounded, and counted to the last`, { timeout: 1200000 }, async () => {
	const of = (ls, event) => ls.filter((l) => l.split(' ')[3] === event);
	// What was left out above is told.
	await d.stop({ keep: true });
	const { seq } = records().at(-1);
	await d.start();
	const size = d.log.length;
	const start = Date.now();
	// One that is no request at all: its connection ends.  And twenty bad ones before it.
	const none = 'GET / HTTP/1.1\r\nNo Header\r\n\r\n';
	const twenty = `GET /%00 HTTP/1.1\r\nHost: 127.0.0.1:${plain}\r\n\r\n`.repeat(20);
	let left = REQUESTS, bad = 0, connections = 0;
	await Promise.all(Array.from({ length: 8 }, async () => {
		while (left > 0) {
			const n = ++connections % 2 ? 1 : 21;
			left -= n;
			const all = [...(await send((n > 1 ? twenty : '') + none)).matchAll(/HTTP\/1\.1 (\d+) /g)];
			assert.ok(all.length === n && all.every((m) => m[1] === '400'), `${all}`);
			bad += all.length;
		}
	}));
	// One address makes a flood of what is audited, another one does it once.
	const [flood, one] = [next(), next()];
	const cookie = await d.login('ann', password, { localAddress: next() });
	const ask = (localAddress, agent, headers) => d.ask('GET', '/api/admin/audit', { localAddress, agent, headers: { accept: 'application/json', ...headers } });
	const agents = Array.from({ length: 4 }, () => new https.Agent({ keepAlive: true, maxSockets: 1 }));
	const denied = load(300);
	let token = 0;
	const bearer = () => ({ authorization: `Bearer ${apiToken(++token)}` });
	await Promise.all(agents.map(async (agent, i) => {
		for (let n = 0; n < denied / 2; n++) {
			const r = await (i < 2 ? ask(flood, agent, { cookie }) : ask(flood, agent, bearer()));
			assert.equal(r.status, i < 2 ? 403 : 401);
		}
		agent.destroy();
	}));
	assert.equal((await ask(one, undefined, { cookie })).status, 403);
	assert.equal((await ask(one, undefined, bearer())).status, 401);
	const seconds = (Date.now() - start) / 1000;
	// Whoever stops ided hears of the rest at once.
	await d.stop({ keep: true });
	stopped = true;
	const now = logged();
	const grown = d.log.length - size;
	const left_out = (event) => of(now, 'log.suppressed').filter((l) => l.includes(` event="${event}"`))
		.reduce((n, l) => n + Number(/ lines=(\d+)/.exec(l)[1]), 0);
	for (const [event, made] of [['request.bad', connections], ['request.done', bad]]) {
		const n = of(now, event).length;
		assert.equal(n + left_out(event), made, `${event}: ${n} lines, and ${left_out(event)} left out`);
		assert.ok(n <= 100 + 10 * (seconds + 2), `${event}: ${n} lines in ${seconds} s`);
		assert.ok(n >= Math.min(50, made), `${event}: ${n} lines`); // few are made under a sanitizer
	}
	for (const l of of(now, 'request.bad')) assert.match(l, / source="127\.\d+\.\d+\.\d+" /);
	const fresh = records().filter((r) => r.seq > seq);
	for (const [event, made] of [['access.denied', 2 * Math.ceil(denied / 2) + 1], ['token.denied', 2 * Math.ceil(denied / 2) + 1]]) {
		const own = fresh.filter((r) => r.event === event);
		const counts = fresh.filter((r) => r.event === 'audit.suppressed' && r.detail.event === event);
		assert.equal(own.length + counts.reduce((n, r) => n + r.detail.records, 0), made, event);
		assert.ok(own.length <= 100 + 2 * (seconds + 2), `${own.length} records of ${event}`);
		assert.ok(counts.length > 0 && counts.every((r) => r.source === flood && r.detail.most === r.detail.records), JSON.stringify(counts));
		assert.equal(own.filter((r) => r.source === one).length, 1, 'whom the flood is not to hide');
	}
	console.log(`${bad} bad requests in ${seconds.toFixed(1)} s: ${now.length} lines, ${grown} bytes of log; ` +
		`${2 * denied} denied: ${fresh.length} records`);
});

test('and the trail is whole', async () => {
	if (stopped) await d.start();
	const v = d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out + v.err);
});
