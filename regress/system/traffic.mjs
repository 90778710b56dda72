// Connections of every kind that a daemon serves, for tests that look at what
// they leave behind.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { idePath, waitFor } from './daemon.mjs';

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
		const got = await Promise.all(list.map(([path, cookie]) => request2(c, { ':path': path, ...(cookie ? { cookie } : {}) })));
		for (const [i, [path, , want = 200]] of list.entries()) assert.equal(got[i], want, `h2 ${path}`);
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
	get2: (t, d) => page2(d, [['/healthz'], ['/login'], [t.file], [t.file], ['/nothing', '', 404]]),
	async login(t, d) {
		await keepAlive(d, async (agent) => {
			const cookie = await d.login('ann', undefined, { agent });
			assert.equal((await d.request('GET', '/', { agent, headers: { cookie } })).status, 200);
			const out = await d.post('/logout', {}, { agent, headers: { cookie } });
			assert.ok(out.status === 303 || out.status === 302, `logout: ${out.status}`);
		});
	},
	portal2: (t, d) => page2(d, [['/', t.cookie], ['/api/me', t.cookie], ['/api/sessions', t.cookie]]),
	async proxied(t, d) {
		await keepAlive(d, async (agent) => {
			for (const url of ['/ide/?folder=/home/ann', '/ide/version'])
				assert.equal((await d.request('GET', url, { agent, headers: { cookie: t.cookie } })).status, 200, url);
		});
	},
	proxied2: (t, d) => page2(d, [['/ide/?folder=/home/ann', t.cookie], ['/ide/version', t.cookie]]),
	async socket(t, d) {
		const s = await d.raw();
		const upgraded = answered(s, '\r\n\r\n', 'WebSocket');
		s.write(`GET ${t.socket()} HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\n` +
			`Cookie: ${t.cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
			`Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
		assert.match((await upgraded).toString('latin1'), /^HTTP\/1\.1 101 /);
		const back = answered(s, pong, 'WebSocket');
		s.write(ping);
		await back;
		s.destroy();
	},
	async socket2(t, d) {
		const c = await connect2(d);
		try {
			const r = c.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': t.socket(),
				'sec-websocket-version': '13', cookie: t.cookie, origin: d.origin }, { endStream: false });
			const h = await new Promise((resolve, reject) => { r.once('response', resolve); r.once('error', reject); });
			assert.equal(h[':status'], 200);
			const back = answered(r, pong, 'WebSocket');
			r.write(ping);
			await back;
		} finally { c.destroy(); }
	},
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

// Makes ready what the connections need: a user with VS Code running.
export async function prepareTraffic(d) {
	const t = { file: smallFile(), cookie: await d.login('ann') };
	const page = await waitFor("ann's VS Code", async () => {
		const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie: t.cookie } });
		return r.status === 200 && r;
	}, 120000, 500);
	const [, commit] = /([a-z]+-[0-9a-f]{40})\/static/.exec(page.body);
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
