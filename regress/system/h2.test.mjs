// HTTP/2 as a client sees it: requests side by side, bodies both ways, back
// pressure, WebSockets by extended CONNECT, and what is refused.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http2 from 'node:http2';
import { startDaemon, password, sleep } from './daemon.mjs';
import { Raw, frame, literal, requestBlock } from '../hostile/h2-floods.mjs';

let d;
let ann;
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'] });
	ann = await d.login('ann');
});
after(() => d?.stop());

function connect() {
	return new Promise((resolve, reject) => {
		const c = http2.connect(`https://localhost:${d.port}`, {
			rejectUnauthorized: false, maxSessionMemory: 100,
			lookup: (h, o, cb) => (o.all ? cb(null, [{ address: '127.0.0.1', family: 4 }]) :
				cb(null, '127.0.0.1', 4)) });
		c.once('error', reject);
		c.once('remoteSettings', (s) => { c.theirs = s; resolve(c); });
	});
}

function request(c, headers, body, opts) {
	return new Promise((resolve) => {
		const r = c.request(headers, opts);
		const out = { status: 0, headers: {}, error: null };
		const parts = [];
		r.on('response', (h) => { out.headers = h; out.status = h[':status']; });
		r.on('data', (b) => parts.push(b));
		r.on('error', (e) => { out.error = e; });
		r.on('close', () => {
			out.raw = Buffer.concat(parts);
			out.body = out.raw.toString('utf8');
			out.code = r.rstCode;
			resolve(out);
		});
		if (body !== undefined) r.end(body);
	});
}

async function on(fn) {
	const c = await connect();
	try { return await fn(c); } finally { c.destroy(); }
}

const websocket = (path, more = {}) => ({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': path,
	'sec-websocket-version': '13', cookie: ann, origin: d.origin, ...more });

test('the settings that we announce', () => on((c) => {
	assert.equal(c.theirs.maxConcurrentStreams, 100);
	assert.equal(c.theirs.enableConnectProtocol, true);
	assert.equal(c.theirs.maxHeaderListSize, 32768);
}));

test('many requests side by side, more than may run at a time', () => on(async (c) => {
	const all = await Promise.all(Array.from({ length: 300 }, () => request(c, { ':path': '/healthz' })));
	for (const r of all) {
		assert.equal(r.status, 200);
		assert.ok(JSON.parse(r.body).status);
	}
}));

test('HEAD has the length and no body', () => on(async (c) => {
	const get = await request(c, { ':path': '/login' });
	const head = await request(c, { ':method': 'HEAD', ':path': '/login' });
	assert.equal(head.status, 200);
	assert.equal(head.raw.length, 0);
	assert.equal(Number(head.headers['content-length']), get.raw.length);
}));

test('headers of every answer', () => on(async (c) => {
	const r = await request(c, { ':path': '/login' });
	assert.ok(Math.abs(Date.parse(r.headers.date) - Date.now()) < 5000);
	assert.match(r.headers['x-request-id'], /^[0-9a-f]{16}$/);
	for (const h of ['connection', 'keep-alive', 'transfer-encoding', 'server']) assert.equal(r.headers[h], undefined);
}));

test('login, page, and logout that ends the connection', () => on(async (c) => {
	const body = new URLSearchParams({ username: 'bob', password }).toString();
	const r = await request(c, { ':method': 'POST', ':path': '/login', origin: d.origin,
		'content-type': 'application/x-www-form-urlencoded' }, body);
	assert.ok([302, 303].includes(r.status));
	const bob = r.headers['set-cookie'].find((s) => s.startsWith('__Host-ided=')).split(';')[0];
	assert.equal((await request(c, { ':path': '/', cookie: bob })).status, 200);
	const gone = new Promise((done) => { c.on('goaway', done); c.on('close', done); });
	const out = await request(c, { ':method': 'POST', ':path': '/logout', cookie: bob, origin: d.origin }, '');
	assert.ok([302, 303].includes(out.status));
	await gone;
}));

test("another user's cookie on the same connection: 421", () => on(async (c) => {
	const bob = await d.login('bob');
	assert.equal((await request(c, { ':path': '/', cookie: ann })).status, 200);
	assert.equal((await request(c, { ':path': '/', cookie: bob })).status, 421);
}));

test('a request body that is too long is refused, the connection goes on', () => on(async (c) => {
	const r = await request(c, { ':method': 'POST', ':path': '/login', origin: d.origin,
		'content-type': 'application/x-www-form-urlencoded' }, Buffer.alloc(40 << 20, 'a'));
	assert.ok(r.status === 413 || r.code !== 0);
	assert.equal((await request(c, { ':path': '/healthz' })).status, 200);
}));

// What nghttp2's client would not send, in raw frames: each is answered with
// 4xx or 5xx, or the stream or the connection is reset; none is 2xx.
const plain = (o) => requestBlock({ port: d.port, path: '/healthz', ...o });
const bad = {
	'CRLF in a value': () => plainWith('x', 'a\r\ntransfer-encoding: chunked'),
	'LF in a value': () => plainWith('x', 'a\nb'),
	'NUL in a value': () => plainWith('x', 'a\0b'),
	'capital in a name': () => plainWith('X', 'a'),
	'colon in a name': () => plainWith('x: y', 'a'),
	'space in a name': () => plainWith('x y', 'a'),
	'CRLF in a name': () => plainWith('x\r\ny', 'a'),
	'empty name': () => plainWith('', 'a'),
	'connection': () => plainWith('connection', 'close'),
	'transfer-encoding': () => plainWith('transfer-encoding', 'chunked'),
	'upgrade': () => plainWith('upgrade', 'h2c'),
	'te': () => plainWith('te', 'gzip'),
	'host is another': () => plainWith('host', 'evil.example'),
	'alias of a name': () => plainWith('content_length', '5'),
	'two lengths': () => Buffer.concat([plain(), literal('content-length', '0'), literal('content-length', '0')]),
	'length without body': () => plainWith('content-length', '5'),
	'second :path': () => Buffer.concat([plain(), literal(':path', '/login')]),
	'pseudo header at the end': () => Buffer.concat([literal('a', 'b'), plain()]),
	'unknown pseudo header': () => plainWith(':x', 'y'),
	'CRLF in :path': () => plain({ path: '/healthz HTTP/1.1\r\nhost: evil' }),
	'space in :path': () => plain({ path: '/health z' }),
	':path without slash': () => plain({ path: 'healthz' }),
	'absolute :path': () => plain({ path: 'http://evil/healthz' }),
	'empty :path': () => plain({ path: '' }),
	'space in :method': () => plain({ method: 'GET /x' }),
	'CRLF in :authority': () => plain({ authority: 'localhost\r\nx: y' }),
	'user in :authority': () => plain({ authority: `a@localhost:${d.port}` }),
	'no :authority': () => Buffer.concat([literal(':method', 'GET'), literal(':scheme', 'https'), literal(':path', '/healthz')]),
	'http as :scheme': () => Buffer.concat([literal(':method', 'GET'), literal(':scheme', 'http'),
		literal(':authority', `localhost:${d.port}`), literal(':path', '/healthz')]),
	'CONNECT': () => Buffer.concat([literal(':method', 'CONNECT'), literal(':authority', 'localhost:22')]),
	'CONNECT for another protocol': () => Buffer.concat([literal(':method', 'CONNECT'), literal(':protocol', 'connect-udp'),
		literal(':scheme', 'https'), literal(':authority', `localhost:${d.port}`), literal(':path', '/healthz')]),
	'101 headers': () => Buffer.concat([plain(), ...Array.from({ length: 101 }, (_, i) => literal(`x${i}`, 'y'))]),
	'12000 bytes of target': () => plain({ path: `/${'a'.repeat(12000)}` }),
};
const plainWith = (name, value) => Buffer.concat([plain(), literal(name, value)]);

// :status of the answer without a whole HPACK decoder: a fresh table, so it is
// one of the static indexes, or a literal.
function statusOf(block) {
	const known = { 0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500 };
	return known[block[0]] ?? 'other';
}

for (const [name, block] of Object.entries(bad)) {
	test(`refused: ${name}`, async () => {
		const c = await new Raw({ port: d.port }).open();
		const answer = new Promise((resolve) => {
			c.onframe = (f) => {
				if (f.type === 1) resolve(statusOf(f.payload));
				if (f.type === 3 || f.type === 7) resolve('reset');
			};
			c.s.on('close', () => resolve('closed'));
			setTimeout(() => resolve('nothing'), 20000).unref();
		});
		await c.send(frame(1, 0x5, 1, block()));
		const got = await answer;
		c.s.destroy();
		assert.ok(!['nothing', 200, 204, 206, 304].includes(got), `${name}: ${got}`);
	});
}

test('a header list beyond 32 KiB: 431', () => on(async (c) => {
	const h = { ':path': '/healthz' };
	for (let i = 0; i < 12; i++) h[`x-${i}`] = 'y'.repeat(3000);
	const r = await request(c, h);
	assert.equal(r.status, 431);
	assert.equal((await request(c, { ':path': '/healthz' })).status, 200);
}));

test('extended CONNECT where no WebSocket is', () => on(async (c) => {
	const r = await request(c, websocket('/healthz'), undefined, { endStream: false });
	assert.ok(r.status >= 400);
}));

test('a WebSocket without login, and from another origin', () => on(async (c) => {
	const no = await request(c, websocket('/ide/x', { cookie: undefined }), undefined, { endStream: false });
	assert.equal(no.status, 401);
	const evil = await request(c, websocket('/ide/x', { origin: 'https://evil.example' }), undefined, { endStream: false });
	assert.equal(evil.status, 403);
}));

test("the user's own IDE through HTTP/2: page and WebSocket", { timeout: 120000 }, () => on(async (c) => {
	let page;
	for (let i = 0; i < 60; i++) {
		page = await request(c, { ':path': '/ide/?folder=/tmp', cookie: ann, accept: 'text/html' });
		if (page.status === 200) break;
		await sleep(1000);
	}
	assert.equal(page.status, 200);
	assert.match(page.body, /vscode-workbench-web-configuration|workbench/);
	assert.ok(page.headers['content-security-policy']);
	const token = crypto.randomUUID();
	const r = c.request(websocket(`/ide/?reconnectionToken=${token}&reconnection=false&skipWebSocketFrames=false`),
		{ endStream: false });
	const h = await new Promise((resolve, reject) => { r.once('response', resolve); r.once('error', reject); });
	assert.equal(h[':status'], 200);
	assert.equal(h['sec-websocket-accept'], undefined);
	// A masked ping is answered with a pong that carries the same.
	const mask = Buffer.from([1, 2, 3, 4]);
	const text = Buffer.from('hello');
	r.write(Buffer.concat([Buffer.from([0x89, 0x80 | text.length]), mask, text.map((b, i) => b ^ mask[i % 4])]));
	const got = await new Promise((resolve) => {
		let all = Buffer.alloc(0);
		r.on('data', (b) => { all = Buffer.concat([all, b]); if (all.includes(text)) resolve(all); });
		r.on('close', () => resolve(all));
	});
	assert.ok(got.includes(Buffer.concat([Buffer.from([0x8a, text.length]), text])));
	r.close();
}));

test('revocation closes a live WebSocket at once', { timeout: 60000 }, () => on(async (c) => {
	const bob = await d.login('bob');
	let r;
	let h;
	for (let i = 0; i < 40; i++) {
		r = c.request(websocket(`/ide/?reconnectionToken=${crypto.randomUUID()}&reconnection=false`, { cookie: bob }),
			{ endStream: false });
		r.on('error', () => {});
		h = await new Promise((resolve) => { r.once('response', resolve); r.once('close', () => resolve({})); });
		if (h[':status'] === 200) break;
		await sleep(1000);
	}
	assert.equal(h[':status'], 200);
	const gone = new Promise((resolve) => { r.once('close', resolve); });
	const start = Date.now();
	d.ok(['user', 'disable', 'bob']);
	await gone;
	assert.ok(Date.now() - start < 8000, 'not only when a worker is ended that does not leave');
	d.ok(['user', 'enable', 'bob']);
}));

test('a reader that stands still does not stop the others', () => on(async (c) => {
	const slow = c.request({ ':path': '/login' });
	slow.pause();
	slow.on('error', () => {});
	const rest = await Promise.all(Array.from({ length: 20 }, () => request(c, { ':path': '/login' })));
	assert.ok(rest.every((r) => r.status === 200));
	slow.close();
}));

test('a connection on which one request follows the other is not idle', async () => {
	const e = await startDaemon({ prefork: 'spare 2\nidle-timeout 4s' });
	const c = http2.connect(`https://127.0.0.1:${e.port}`, { rejectUnauthorized: false });
	let ended = null;
	c.on('goaway', () => { ended ??= 'GOAWAY'; });
	c.on('close', () => { ended ??= 'closed'; });
	c.on('error', (err) => { ended ??= err.message; });
	try {
		const from = Date.now();
		while (Date.now() - from < 6000 && !ended) {
			const r = await request(c, { ':path': '/healthz' });
			assert.equal(r.status, 200, `${ended}`);
		}
		assert.equal(ended, null);
	} finally {
		c.destroy();
		await e.stop();
	}
});
