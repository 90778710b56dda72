// What comes back from a user's own IDE is the user's, hence hostile, and a service of
// the site's own may be broken into: the answers of evil.js, over both protocols, from
// either.  Each becomes a proper answer or a
// broken one that shows as broken; nothing is unbounded, nothing spills into the
// next answer, and nobody else's connection notices.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import os from 'node:os';
import { answers, readRecord, sources, startRecorder, status } from './backend.mjs';
import { frugal, idePath, top, waitFor } from '../system/daemon.mjs';

const { names } = createRequire(import.meta.url)('./evil.js');
const source = sources(12);
// The user's IDE, and a location of the configuration.
const places = ['/ide', '/service'];
let d;
let bob;
let service;

// What the client gets to see: the status; `cut`: a body that is not whole.
const whole = { status: 200, body: 'hello' };
const refused = { status: 502 };
const cut = { status: 200, cut: true };
const expected = {
	...Object.fromEntries(names.map((n) => [n, refused])),
	'our-cookie': { ...whole, check: (h) => { assert.deepEqual(h['set-cookie'], ['own=1']); } },
	'our-headers': { ...whole, check: (h, at) => {
		assert.match(h['strict-transport-security'], /^max-age=31536000/);
		assert.match(h['x-request-id'], /^[0-9a-f]{16}$/);
		assert.ok(Math.abs(Date.parse(h.date) - Date.now()) < 60000);
		if (at !== '/ide') return; // how its pages may be framed is a service's affair
		assert.equal(h['x-frame-options'], 'SAMEORIGIN');
		assert.equal(h['x-content-type-options'], 'nosniff');
		assert.equal(h['referrer-policy'], 'same-origin');
	}, all: (h) => { for (const n of ['server', 'alt-svc']) assert.equal(h[n], undefined); } },
	'hop-headers': { ...whole, check: (h) => {
		for (const n of ['x-hop', 'keep-alive', 'te', 'trailer', 'proxy-authenticate', 'upgrade']) assert.equal(h[n], undefined, n);
	} },
	'short': cut, 'lost-in-body': cut, 'chunk-cut': cut,
	'long': whole, 'two-answers': whole, 'late-answer': whole,
	'head-body': whole, 'head-chunked': whole, // to GET; HEAD is below
	'body-304': { status: 304, body: '' },
	'one-100': whole, 'one-103': whole, 'headers-90': refused, 'close-after': whole,
	'chunk-size': cut, 'chunk-huge': cut, 'chunk-no-crlf': { status: 200, cut: true },
	'chunk-lf': cut, 'chunk-ext-endless': cut, 'chunk-trailer-endless': cut,
	'chunk-trailer': { ...whole, check: (h) => { assert.equal(h['set-cookie'], undefined); } },
	'endless-body': { status: 200, endless: true }, 'endless-chunks': { status: 200, endless: true },
	'ws-200': whole, 'ws-403': { status: 403, body: 'no' },
};
const LIMIT = 4 << 20; // enough of an endless answer

before(async () => {
	const dir = fs.mkdtempSync(`${os.tmpdir()}/ided-service-`);
	const socket = `${dir}/socket`;
	service = spawn(`${idePath}/node/bin/node`, [`${top}/regress/hostile/recorder.js`, '--socket-path', socket],
		{ env: { HOME: dir }, stdio: ['ignore', 'inherit', 'inherit'] });
	service.dir = dir;
	await waitFor('the service', () => fs.existsSync(socket));
	d = await startRecorder({ users: ['ann', 'bob'], prefork: 'spare 8', env: frugal, conf: `location "/service/" { proxy to unix "${socket}" }` });
	bob = { token: (await d.login('bob')).split('=')[1], agent: new https.Agent({ keepAlive: true, maxSockets: 1 }) };
	await waitFor("bob's recorder", async () => (await fromBob()).status === 200);
	bob.socket = await websocket(bob.token, '/ide/echo');
});
after(async () => { bob?.agent.destroy(); bob?.socket?.destroy(); service?.kill(); await d?.stop(); if (service) fs.rmSync(service.dir, { recursive: true, force: true }); });

const fromBob = () => d.request('GET', '/ide/bob', { agent: bob.agent, headers: { authorization: `Bearer ${bob.token}` } });

async function websocket(token, path, want = 101) {
	const s = await d.raw({ localAddress: source() });
	s.write(`GET ${path} HTTP/1.1\r\nHost: localhost:${d.port}\r\nAuthorization: Bearer ${token}\r\nOrigin: ${d.origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
	const head = await new Promise((resolve) => {
		let out = '';
		s.on('data', (b) => { out += b.toString('latin1'); if (out.includes('\r\n\r\n')) resolve(out); });
		s.on('close', () => resolve(out));
		s.on('error', () => resolve(out));
	});
	assert.match(head, new RegExp(`^HTTP/1\\.1 ${want} `));
	s.removeAllListeners('data');
	return s;
}

// Everything that is open for others works on.
async function othersAreFine() {
	const r = await fromBob();
	assert.equal(r.status, 200);
	assert.equal(r.json.line, 'GET /ide/bob HTTP/1.1');
	const text = crypto.randomBytes(8);
	bob.socket.write(text);
	await new Promise((resolve, reject) => {
		let got = Buffer.alloc(0);
		const on = (b) => {
			got = Buffer.concat([got, b]);
			if (!got.includes(text)) return;
			bob.socket.off('data', on);
			resolve();
		};
		bob.socket.on('data', on);
		bob.socket.once('close', () => reject(new Error("bob's WebSocket was closed")));
	});
}

const parseHead = (head) => {
	const h = {};
	for (const l of head.split('\r\n').slice(1)) {
		const [n, v] = [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)];
		if (n === 'set-cookie') (h[n] ??= []).push(v);
		else h[n] = v;
	}
	return h;
};

// The bad answer, and right behind it a good one, on one connection.
async function overH1(at, name, method = 'GET') {
	const s = await d.raw({ allowHalfOpen: true, localAddress: source() });
	const auth = `Host: localhost:${d.port}\r\nAuthorization: Bearer ${d.bearer}\r\n`;
	const get = (m, p) => `${m} ${p} HTTP/1.1\r\n${auth}\r\n`;
	return new Promise((resolve) => {
		let out = '';
		const done = (why) => {
			clearTimeout(t);
			s.destroy();
			const list = answers(out, method === 'HEAD' ? [0] : []);
			resolve({ out, why, list, status: list[0]?.status ?? Number(out.slice(9, 12)) });
		};
		const t = setTimeout(done, 20000, 'timeout');
		s.on('data', (b) => {
			out += b.toString('latin1');
			if (out.length > LIMIT) done('limit');
		});
		s.on('end', () => done('end'));
		s.on('close', () => done('close'));
		s.on('error', () => done('error'));
		s.write(get(method, `${at}/evil/${name}`));
		// A late one is late: it must not meet the next request.
		setTimeout(() => s.end(get('GET', `${at}/next`)), name === 'late-answer' ? 150 : 0);
	});
}

for (const name of names) {
	test(`HTTP/1.1: ${name}`, { timeout: 60000 }, () => Promise.all(places.map(async (at) => {
		const want = expected[name];
		const r = await overH1(at, name);
		assert.notEqual(r.why, 'timeout', r.out.slice(0, 500));
		assert.equal(r.status, want.status, r.out.slice(0, 500));
		assert.doesNotMatch(r.out, /forged/);
		// Ours are the last headers and the only framing.
		assert.doesNotMatch(r.out.slice(0, r.out.indexOf('\r\n\r\n')), /[^\r]\n|\r[^\n]|\0/);
		if (want.endless) {
			assert.equal(r.why, 'limit');
		} else if (want.cut) {
			// Not whole, and nothing behind it that could be taken for the rest.
			assert.doesNotMatch(r.out, /0\r\n\r\n$|\/next/);
		} else {
			if (want.body !== undefined) assert.equal(r.list[0].body, want.body);
			want.check?.(parseHead(r.list[0].head), at);
			want.all?.(parseHead(r.list[0].head));
			assert.equal(r.list.rest, '', 'bytes that belong to no answer');
			assert.equal(r.list.length, 2);
			assert.match(r.list[1].body, new RegExp(`GET ${at}/next HTTP`));
		}
	})).then(othersAreFine));
}

for (const name of ['head-body', 'head-chunked', 'two-answers', 'short', 'body-204', 'endless-body', 'long']) {
	test(`HEAD: ${name}`, { timeout: 60000 }, () => Promise.all(places.map(async (at) => {
		const r = await overH1(at, name, 'HEAD');
		assert.equal(r.list.length, 2, r.out);
		assert.doesNotMatch(r.out, /hello|forged/);
		assert.match(r.list[1].body, new RegExp(`GET ${at}/next HTTP`));
		assert.equal(r.list.rest, '');
	})).then(othersAreFine));
}

function connect() {
	return new Promise((resolve, reject) => {
		const c = http2.connect(`https://localhost:${d.port}`, { rejectUnauthorized: false,
			lookup: (h, o, cb) => (o.all ? cb(null, [{ address: '127.0.0.1', family: 4 }]) : cb(null, '127.0.0.1', 4)) });
		c.on('error', reject);
		c.once('remoteSettings', () => resolve(c));
	});
}

function overH2(c, headers, end = true) {
	return new Promise((resolve) => {
		const r = c.request({ authorization: `Bearer ${d.bearer}`, ...headers }, { endStream: end });
		const out = { status: 0, headers: {}, raw: '', failed: false };
		r.on('response', (h) => { out.headers = h; out.status = h[':status']; if (!end) r.close(); });
		r.on('data', (b) => {
			out.raw += b.toString('latin1');
			if (out.raw.length > LIMIT) { out.limit = true; r.close(http2.constants.NGHTTP2_CANCEL); }
		});
		r.on('error', () => { out.failed = true; });
		r.on('aborted', () => { out.failed = true; });
		r.on('close', () => { out.failed ||= r.rstCode !== 0; resolve(out); });
	});
}

test('HTTP/2: all of them side by side on one connection, good ones between', { timeout: 120000 }, async () => {
	const c = await connect();
	const wrong = [];
	// A second answer that comes when the next question has gone already cannot be
	// told from its own: whoever does that lies to himself.
	await Promise.all(places.flatMap((at) => names.filter((n) => n !== 'late-answer').map(async (name) => {
		const want = expected[name];
		const r = await overH2(c, { ':path': `${at}/evil/${name}` });
		const good = await overH2(c, { ':path': `${at}/good/${name}` });
		if (good.status !== 200 || !good.raw.includes(`${at}/good/${name} HTTP`)) wrong.push(`${name}: the next is ${good.status} ${good.raw}`);
		if (r.status !== want.status && !(want.cut && r.status === 0)) wrong.push(`${name}: ${r.status}`);
		if (/forged/.test(r.raw)) wrong.push(`${name}: another answer's body`);
		if (want.cut && !r.failed) wrong.push(`${name}: taken for whole`);
		if (want.endless && !r.limit) wrong.push(`${name}: ended`);
		if (want.body !== undefined && (r.failed || r.raw !== want.body)) wrong.push(`${name}: ${JSON.stringify(r.raw.slice(0, 100))}`);
		try { want.check?.(r.headers, at); want.all?.(r.headers); } catch (e) { wrong.push(`${name}: ${e.message}`); }
	})));
	c.destroy();
	assert.deepEqual(wrong, []);
	await othersAreFine();
});

for (const [name, want] of Object.entries({ 'ws-200': 502, 'ws-403': 403, 'ws-wrong-accept': 502, 'ws-no-accept': 502, 'ws-no-upgrade': 502,
	'ws-other': 502, 'ws-length': 502, 'ws-close': 502, 'ws-lost': 502, 'endless-100': 502, 'two-lengths': 502 })) {
	test(`a WebSocket that is not granted: ${name}`, { timeout: 60000 }, () => Promise.all(places.map(async (at) => {
		(await websocket(d.bearer, `${at}/evil/${name}`, want)).destroy();
		const c = await connect();
		const r = await overH2(c, { ':method': 'CONNECT', ':protocol': 'websocket', ':path': `${at}/evil/${name}`,
			'sec-websocket-version': '13', origin: d.origin }, false);
		c.destroy();
		assert.equal(r.status, want);
	})).then(othersAreFine));
}

test('an endless answer that nobody reads takes no memory', { timeout: 60000 }, async () => {
	const rss = () => Math.max(0, ...d.role('worker').map((p) => {
		try { return Number(/^RssAnon:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${p.pid}/status`, 'utf8'))[1]); } catch { return 0; }
	}));
	const before = rss();
	const auth = `Host: localhost:${d.port}\r\nAuthorization: Bearer ${d.bearer}\r\n`;
	const idle = await d.raw({ localAddress: source() });
	idle.write(`GET /ide/evil/endless-body HTTP/1.1\r\n${auth}\r\n`);
	await new Promise((r) => { idle.once('data', r); });
	idle.pause();
	const c = await connect();
	for (let i = 0; i < 50; i++) {
		const r = c.request({ ':path': '/ide/evil/endless-body', authorization: `Bearer ${d.bearer}` });
		r.on('error', () => {});
		r.on('response', () => r.pause());
	}
	// All buffers on the way fill up; from then on nothing moves.
	let last = -1;
	await waitFor('memory to stand still', () => { const n = rss(); const still = n === last; last = n; return still; }, 30000, 1000);
	assert.ok(last - before < 16384, `${last - before} kB more`);
	await othersAreFine();
	c.destroy();
	idle.destroy();
});

// What a client says must not become another request, or another header, behind a
// location either; all of it is parsed once, and written anew.
test('no request becomes two on the way to a service', { timeout: 60000 }, async () => {
	const auth = `Host: localhost:${d.port}\r\nAuthorization: Bearer ${d.bearer}\r\n`;
	const before = readRecord(`${service.dir}/record.jsonl`).length;
	for (const head of ['Content-Length: 5\r\nContent-Length: 6\r\n', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked, identity\r\n',
		'Transfer-Encoding : chunked\r\n', 'X-A: b\r\n Content-Length: 5\r\n', 'X-A: b\nX-Ided-User: root\r\n', 'X-A: b\rX-Ided-User: root\r\n', 'Content-Length: +5\r\n'])
		assert.match((await d.exchange(`POST /service/x HTTP/1.1\r\n${auth}Origin: ${d.origin}\r\n${head}\r\nhelloGET /service/smuggled HTTP/1.1\r\n\r\n`)).out, /^HTTP\/1\.1 40[03] /, head);
	assert.equal(readRecord(`${service.dir}/record.jsonl`).length, before, 'and nothing of them got there');
	const sent = 'X-Ided-User: root\r\nX-IDED-ROLES: admin\r\nX_Ided_User: root\r\nx-ided-assertion: x\r\nConnection: close, X-Ided-User, X-Ided-Assertion\r\nCookie: __Host-ided=x; a=b\r\n';
	assert.match((await d.exchange(`GET /service/last HTTP/1.1\r\n${auth}${sent}\r\n`)).out, /^HTTP\/1\.1 200 /);
	const got = readRecord(`${service.dir}/record.jsonl`).map((c) => c.bytes).find((b) => b.includes('GET /service/last '));
	const head = got.slice(got.lastIndexOf('GET /service/last ')).split('\r\n').slice(1);
	assert.deepEqual(head.filter((l) => /ided/i.test(l)).map((l) => l.replace(/: ey.*/, ': ey')),
		['X-Ided-User: ann', 'X-Ided-Roles: user', head.find((l) => l.startsWith('X-Ided-Session: ')), 'X-Ided-Assertion: ey']);
	assert.doesNotMatch(got, /root|authorization/i);
	assert.ok(head.includes('Cookie: a=b'));
});

test('no worker crashed, and nobody was punished', () => {
	const s = status(d);
	assert.equal(s.crashes, 0);
	assert.equal(s.penalised, 0);
});
