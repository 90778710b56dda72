// Connections of every kind that a daemon serves, for tests that look at what
// they leave behind.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { idePath, password, waitFor } from './daemon.mjs';
import { serve } from './port-daemon.mjs';

export function connect2(d) {
	return new Promise((resolve, reject) => {
		const c = http2.connect(`https://localhost:${d.port}`, { rejectUnauthorized: false,
			lookup: (h, o, cb) => (o.all ? cb(null, [{ address: '127.0.0.1', family: 4 }]) :
				cb(null, '127.0.0.1', 4)) });
		c.once('error', reject);
		c.once('remoteSettings', () => resolve(c));
	});
}

export function request2(c, headers) {
	return new Promise((resolve, reject) => {
		const r = c.request(headers);
		let status;
		r.on('response', (h) => { status = h[':status']; });
		r.on('error', reject);
		r.on('close', () => resolve(status));
		r.resume();
		r.end();
	});
}

// A masked ping in a frame of its own, and the pong that answers it.
const mask = Buffer.from([1, 2, 3, 4]);
const said = Buffer.from('hello');
const ping = Buffer.concat([Buffer.from([0x89, 0x80 | said.length]), mask, said.map((b, i) => b ^ mask[i % 4])]);
const pong = Buffer.concat([Buffer.from([0x8a, said.length]), said]);

function answered(stream, part, what) {
	return new Promise((resolve, reject) => {
		let all = Buffer.alloc(0);
		stream.on('data', (b) => { all = Buffer.concat([all, b]); if (all.includes(part)) resolve(all); });
		stream.on('error', reject);
		stream.on('close', () => reject(new Error(`${what}: closed after ${all.toString('latin1').slice(0, 300)}`)));
	});
}

function smallFile() {
	const root = `${idePath}/static/front`;
	const f = fs.readdirSync(root, { recursive: true }).find((n) => /\.(svg|css)$/.test(n));
	return `/_static/${f}`;
}

// One connection's requests, one after another, over HTTP/1.1.
async function keepAlive(d, fn) {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	try { return await fn(agent); } finally { agent.destroy(); }
}

async function page2(d, list) {
	const c = await connect2(d);
	try {
		const got = await Promise.all(list.map(([path, headers]) => request2(c, { ':path': path, ...headers })));
		for (const [i, [path, , want = 200]] of list.entries()) assert.equal(got[i], want, `h2 ${path}`);
	} finally { c.destroy(); }
}

// Calls of the API on one connection: [method, path, body], of which each is answered
// as a success.
const bearer = (t) => ({ authorization: `Bearer ${t}` });
async function call(d, agent, method, path, { token, body } = {}) {
	const text = body && JSON.stringify(body);
	const r = await d.request(method, path, { agent, body: text, headers: { accept: 'application/json',
		...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...(token && bearer(token)) } });
	assert.ok(r.status === 200 || r.status === 201, `${method} ${path}: ${r.status} ${r.body}`);
	return r.json.data;
}

// Opens a WebSocket over HTTP/1.1, and takes it away once a ping has come back: as
// what VS Code answers, or as it was.
async function pinged(d, path, cookie, back) {
	const s = await d.raw();
	const upgraded = answered(s, '\r\n\r\n', 'WebSocket');
	s.write(`GET ${path} HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\n` +
		`Cookie: ${cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
		`Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
	assert.match((await upgraded).toString('latin1'), /^HTTP\/1\.1 101 /);
	const answer = answered(s, back, 'WebSocket');
	s.write(ping);
	await answer;
	s.destroy();
}

async function pinged2(d, path, cookie, back) {
	const c = await connect2(d);
	try {
		const r = c.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': path,
			'sec-websocket-version': '13', cookie, origin: d.origin }, { endStream: false });
		const h = await new Promise((resolve, reject) => { r.once('response', resolve); r.once('error', reject); });
		assert.equal(h[':status'], 200);
		const answer = answered(r, back, 'WebSocket');
		r.write(ping);
		await answer;
	} finally { c.destroy(); }
}

const kinds = {
	async get(t, d) {
		await keepAlive(d, async (agent) => {
			for (const url of ['/healthz', '/login', t.file, t.file])
				assert.equal((await d.request('GET', url, { agent })).status, 200, url);
			assert.equal((await d.request('GET', t.file, { agent, headers: { range: 'bytes=5-9' } })).status, 206);
			assert.equal((await d.request('GET', '/nothing', { agent })).status, 404);
		});
	},
	get2: (t, d) => page2(d, [['/healthz'], ['/login'], [t.file], [t.file], ['/nothing', {}, 404]]),
	async login(t, d) {
		await keepAlive(d, async (agent) => {
			const cookie = await d.login('ann', undefined, { agent });
			assert.equal((await d.request('GET', '/', { agent, headers: { cookie } })).status, 200);
			const out = await d.post('/logout', {}, { agent, headers: { cookie } });
			assert.ok(out.status === 303 || out.status === 302, `logout: ${out.status}`);
		});
	},
	portal2: (t, d) => page2(d, ['/', '/api/me', '/api/sessions'].map((p) => [p, { cookie: t.cookie }])),
	// A pair of tokens, made anew, and ended.
	async pair(t, d) {
		await keepAlive(d, async (agent) => {
			const first = await call(d, agent, 'POST', '/api/auth/login', { body: { username: 'ann', password } });
			await call(d, agent, 'GET', '/api/auth/me', { token: first.accessToken });
			const next = await call(d, agent, 'POST', '/api/auth/refresh', { body: { refreshToken: first.refreshToken } });
			await call(d, agent, 'GET', '/api/sessions', { token: next.accessToken });
			await call(d, agent, 'POST', '/api/auth/logout', { token: next.accessToken });
		});
	},
	// An API token, with which settings are changed and read, and another is refused.
	async token(t, d, n) {
		await keepAlive(d, async (agent) => {
			const { token } = t;
			await call(d, agent, 'PATCH', '/api/users/me/settings', { token, body: { [`k${n % 8}`]: 'x'.repeat(n % 512) } });
			await call(d, agent, 'GET', '/api/users/me/settings', { token });
			await call(d, agent, 'GET', '/api/users/me/tokens', { token });
			const wrong = await d.request('GET', '/api/me', { headers: bearer(`${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`) });
			assert.equal(wrong.status, 401);
		});
	},
	token2: (t, d) => page2(d, [['/api/openapi.json'], ...['/api/auth/me', '/api/users/me/settings', '/api/users/me/tokens']
		.map((p) => [p, bearer(t.token)])]),
	async proxied(t, d) {
		await keepAlive(d, async (agent) => {
			for (const url of ['/ide/?folder=/home/ann', '/ide/version'])
				assert.equal((await d.request('GET', url, { agent, headers: { cookie: t.cookie } })).status, 200, url);
		});
	},
	proxied2: (t, d) => page2(d, ['/ide/?folder=/home/ann', '/ide/version'].map((p) => [p, { cookie: t.cookie }])),
	// A program on a port of the sandbox, and one where none listens.
	async port(t, d) {
		await keepAlive(d, async (agent) => {
			const headers = { cookie: t.cookie, origin: d.origin };
			const body = Buffer.alloc(100000, 'b');
			const r = await d.request('POST', '/proxy/3000/up', { agent, body, headers: { ...headers, 'content-length': body.length } });
			assert.equal(r.json.bytes, body.length);
			assert.equal((await d.request('GET', '/proxy/3000/big?n=200000', { agent, headers })).raw.length, 200000);
			assert.equal((await d.request('GET', '/proxy/3001/', { agent, headers })).status, 502);
		});
	},
	port2: (t, d) => page2(d, ['/proxy/3000/', '/absproxy/3000/x', '/proxy/3000/big?n=200000'].map((p) => [p, { cookie: t.cookie }])),
	socket: (t, d) => pinged(d, t.socket(), t.cookie, pong),
	socket2: (t, d) => pinged2(d, t.socket(), t.cookie, pong),
	portSocket: (t, d) => pinged(d, '/proxy/3000/socket', t.cookie, ping),
	portSocket2: (t, d) => pinged2(d, '/proxy/3000/socket', t.cookie, ping),
	// From sources of their own, as each is made to wait for what it did.
	async broken(t, d, n) {
		const localAddress = `127.1.${n >> 8}.${n & 255}`;
		const r = await d.exchange('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', { localAddress });
		assert.match(r.out, /^HTTP\/1\.1 400 /);
	},
	async noTls(t, d, n) {
		const localAddress = `127.2.${n >> 8}.${n & 255}`;
		await new Promise((resolve) => {
			const s = net.connect({ host: '127.0.0.1', port: d.port, localAddress }, () => s.write('GET / HTTP/1.0\r\n\r\n'));
			s.on('error', resolve);
			s.on('close', resolve);
			s.resume();
		});
	},
};

// All of it comes from one address, and much of it without a login.
export const room = 'spare 4\nmax 400\nper-source 200\nstartups 300:30:400';

// Makes ready what the connections need: a user with VS Code running, a token for
// programs, and a server on port 3000 of the sandbox.
export async function prepareTraffic(d) {
	const t = { file: smallFile(), cookie: await d.login('ann') };
	const page = await waitFor("ann's VS Code", async () => {
		const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie: t.cookie } });
		return r.status === 200 && r;
	}, 120000, 500);
	const [, commit] = /([a-z]+-[0-9a-f]{40})\/static/.exec(page.body);
	const made = await d.request('POST', '/api/users/me/tokens', { headers: { cookie: t.cookie, origin: d.origin,
		accept: 'application/json', 'content-type': 'application/json' }, body: JSON.stringify({ name: 'traffic', scopes: ['account.own'] }) });
	assert.equal(made.status, 201, made.body);
	t.token = made.json.data.token;
	await serve(d, 'ann', 3000);
	t.socket = () => `/ide/${commit}?reconnectionToken=${crypto.randomUUID()}&reconnection=false&skipWebSocketFrames=false`;
	return t;
}

// count connections, some at a time; each kind as often as the others.
export async function traffic(d, t, count, { atOnce = 6, from = 0 } = {}) {
	const names = Object.keys(kinds);
	let next = from;
	await Promise.all(Array.from({ length: atOnce }, async () => {
		while (next < from + count) {
			const n = next++;
			const kind = names[n % names.length];
			try {
				await kinds[kind](t, d, n);
			} catch (e) {
				throw new Error(`connection ${n} (${kind}): ${e.message}\n${d.log.slice(-3000)}`, { cause: e });
			}
		}
	}));
}
