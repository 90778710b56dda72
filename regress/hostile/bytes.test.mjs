// Any bytes at all on the socket: 400, an alert or a closed connection, soon,
// and never a crash.  What is drawn is drawn from a seed, which a failure names.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { Duplex } from 'node:stream';
import { startDaemon, freePort, waitFor } from '../system/daemon.mjs';
import { each, sources, status } from './backend.mjs';

const N = process.env.IDED_LONG ? 20000 : 200; // of each kind that is drawn
const source = sources(14);
const seed = process.env.IDED_SEED || crypto.randomBytes(8).toString('hex');
let d;
let plain;
let redirect;
let hello; // a real first flight
before(async () => {
	[plain, redirect] = [await freePort(), await freePort()];
	d = await startDaemon({ prefork: 'spare 8\n\thandshake-timeout 5s\n\theader-timeout 5s',
		conf: `listen on 127.0.0.1 port ${plain}\nlisten on 127.0.0.1 port ${redirect} redirect\n` });
	hello = await firstFlight();
});
after(() => d?.stop());

// Bytes that depend on the seed and the name alone.
function draw(name) {
	const c = crypto.createCipheriv('aes-128-ctr', crypto.createHash('sha256').update(`${seed} ${name}`).digest().subarray(0, 16), Buffer.alloc(16));
	return (n) => c.update(Buffer.alloc(n));
}
const number = (r, max) => r(4).readUInt32LE() % max;

function firstFlight() {
	return new Promise((resolve) => {
		const sink = new Duplex({ read() {}, write(b, e, cb) { resolve(b); cb(); } });
		tls.connect({ socket: sink, servername: 'localhost', ALPNProtocols: ['h2', 'http/1.1'] }).on('error', () => {});
	});
}

// Sends it all, ends our side unless it is to stay open; what came until the end.
function throwAt(port, bytes, { end = true, ms = 20000 } = {}) {
	return new Promise((resolve) => {
		const s = net.connect({ port, host: '127.0.0.1', localAddress: source(), allowHalfOpen: true });
		let got = Buffer.alloc(0);
		const done = (why) => { clearTimeout(t); s.destroy(); resolve({ got, why }); };
		const t = setTimeout(done, ms, 'timeout');
		s.on('data', (b) => { got = Buffer.concat([got, b]); });
		s.on('end', () => done('end'));
		s.on('error', () => done('error'));
		s.on('close', () => done('close'));
		s.on('connect', () => { if (end) s.end(bytes); else s.write(bytes); });
	});
}

// Inside a handshake that was made properly.
async function inside(bytes, { alpn, raw } = {}) {
	const under = net.connect({ port: d.port, host: '127.0.0.1', localAddress: source() });
	return new Promise((resolve) => {
		const s = tls.connect({ socket: under, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: [alpn ?? 'http/1.1'] });
		let got = Buffer.alloc(0);
		const done = (why) => { clearTimeout(t); s.destroy(); under.destroy(); resolve({ got, why }); };
		const t = setTimeout(done, 20000, 'timeout');
		s.on('data', (b) => { got = Buffer.concat([got, b]); });
		for (const e of ['end', 'error', 'close']) s.on(e, () => done(e));
		under.on('error', () => done('error'));
		s.on('secureConnect', () => {
			if (!raw) s.end(bytes);
			else { under.write(bytes); under.end(); } // as if it were a record
		});
	});
}

const list = (n, fn) => Array.from({ length: n }, (_, i) => fn(i));
const record = (type, body, version = 0x0301, length = body.length) => {
	const h = Buffer.alloc(5);
	h[0] = type;
	h.writeUInt16BE(version, 1);
	h.writeUInt16BE(length, 3);
	return Buffer.concat([h, body]);
};
const text = (s) => Buffer.from(s, 'latin1');

async function survive(what, payloads, fn) {
	const late = [];
	await each(payloads, async (p, i) => {
		const r = await fn(p, i);
		if (r.why === 'timeout') late.push(i);
		// Nothing of ours but an alert, or an answer that refuses or redirects.
		if (r.got.length > 0 && r.got[0] !== 0x15 && r.got[0] !== 0x16 && r.got[0] !== 0x14 && r.got[0] !== 0x17 && !r.http2)
			if (!/^HTTP\/1\.1 (4\d\d|5\d\d|308) /.test(r.got.toString('latin1'))) late.push(`${i}: ${r.got.subarray(0, 60).toString('latin1')}`);
	});
	assert.deepEqual(late, [], `${what}: seed ${seed}`);
	assert.equal(status(d).crashes, 0, `${what}: seed ${seed}`);
}

const RANDOM = () => list(N, (i) => { const r = draw(`random ${i}`); return r(1 + number(r, i % 10 === 0 ? 60000 : 600)); });

test('random bytes on the TLS port', { timeout: 600000 }, () => survive('random', RANDOM(), (p) => throwAt(d.port, p)));
test('random bytes on the plain port', { timeout: 600000 }, () => survive('plain', RANDOM(), (p) => throwAt(plain, p)));
test('random bytes on the redirecting port', { timeout: 600000 }, () => survive('redirect', RANDOM(), (p) => throwAt(redirect, p)));
test('random bytes that look like records', { timeout: 600000 }, () => survive('records', list(N, (i) => {
	const r = draw(`record ${i}`);
	const body = r(number(r, 2000));
	return Buffer.concat([record(20 + number(r, 5), body, 0x0300 + number(r, 6), i % 3 ? body.length : number(r, 65536)), r(number(r, 100))]);
}), (p) => throwAt(d.port, p)));
test('a first flight cut at every byte', { timeout: 600000 }, () => survive('cut', list(hello.length, (i) => hello.subarray(0, i)), (p) => throwAt(d.port, p)));
test('a first flight with changed bytes', { timeout: 600000 }, () => survive('changed', list(N, (i) => {
	const r = draw(`changed ${i}`);
	const b = Buffer.from(hello);
	for (let k = 0; k <= number(r, 4); k++) b[number(r, b.length)] = r(1)[0];
	return b;
}), (p) => throwAt(d.port, p)));
test('a first flight in records of all lengths', { timeout: 600000 }, () => survive('fragments', list(60, (i) => {
	const out = [];
	for (let at = 5; at < hello.length; at += i + 1) out.push(record(22, hello.subarray(at, at + i + 1)));
	return Buffer.concat(out);
}), (p) => throwAt(d.port, p)));

const handshake = (type, n) => Buffer.concat([Buffer.from([type, n >> 16, n >> 8 & 255, n & 255])]);
test('records and protocols that have no business here', { timeout: 120000 }, () => survive('other', [
	Buffer.alloc(0), Buffer.from([0x16]), record(22, Buffer.alloc(0)), Buffer.concat(list(1000, () => record(22, Buffer.alloc(0)))),
	Buffer.concat(list(1000, () => record(21, Buffer.from([1, 100])))), record(21, Buffer.from([2, 40])), record(21, Buffer.from([1, 0])),
	Buffer.concat(list(1000, () => record(20, Buffer.from([1])))), record(23, Buffer.alloc(100)), record(24, Buffer.from([1, 0x40, 0])),
	record(22, handshake(1, 0xffffff)), record(22, Buffer.concat([handshake(1, 0xffff), Buffer.alloc(16000)])), record(22, Buffer.alloc(18500), 0x0301, 18500),
	record(22, handshake(0, 0)), record(22, handshake(2, 0)), record(22, handshake(16, 0)), record(22, handshake(20, 0)), record(22, handshake(24, 1)),
	record(22, hello.subarray(5), 0x0000), record(22, hello.subarray(5), 0xffff), Buffer.concat([hello, hello]), Buffer.concat([hello, record(23, Buffer.alloc(50))]),
	Buffer.concat([hello, record(20, Buffer.from([1])), record(22, Buffer.alloc(36))]), Buffer.concat([hello, record(21, Buffer.from([1, 0]))]),
	text('\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80'), text('SSH-2.0-x\r\n'), text('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n'),
	text('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c'), text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'), text('EHLO x\r\n'), text('\x03\0\0\x13\x0e\xe0\0\0'), text('\x05\x01\0'),
	text('\0'.repeat(70000)), text('\n'.repeat(70000)), text('\xff'.repeat(70000)), text('A'.repeat(70000)),
], (p) => throwAt(d.port, p)));
test('plain HTTP on the TLS port is told where to go', async () => {
	const ask = async (s) => (await throwAt(d.port, text(s))).got.toString();
	const path = `/ide/?folder=/x&y=${'z'.repeat(1500)}`;
	let r = await ask(`GET ${path} HTTP/1.1\r\nHost: LocalHost:${d.port}\r\n\r\n`);
	assert.ok(r.startsWith('HTTP/1.1 308 '), r);
	assert.ok(r.includes(`\r\nlocation: https://localhost:${d.port}${path}\r\n`), r);
	r = await ask('HEAD / HTTP/1.1\r\nHost: localhost:443\r\n\r\n');
	assert.match(r, /\r\nlocation: https:\/\/localhost\/\r\n/);
	// What is no request, or said something already, is only told.
	for (const s of ['POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
		'GET /\t HTTP/1.1\r\nHost: localhost\r\n\r\n', 'GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n', 'GET / HTTP/1.1\r\nHo',
		'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n', `GET /${'a'.repeat(3000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`]) {
		r = await ask(s);
		assert.match(r, /^HTTP\/1\.1 400 [^]*https:/, s);
		assert.doesNotMatch(r, /location/, s);
	}
});
test('TLS on the plain ports', () => survive('TLS on plain', [hello, Buffer.concat([hello, hello]), hello.subarray(0, 3)],
	async (p) => { await throwAt(redirect, p); return throwAt(plain, p); }));

test('random bytes as HTTP/1.1', { timeout: 600000 }, () => survive('inside h1', RANDOM().slice(0, N / 2), (p) => inside(p)));
test('random bytes as HTTP/2', { timeout: 600000 }, () => survive('inside h2', RANDOM().slice(0, N / 2),
	async (p) => ({ ...await inside(p, { alpn: 'h2' }), http2: true })));
test('random frames as HTTP/2', { timeout: 600000 }, () => survive('frames', list(N / 2, (i) => {
	const r = draw(`frame ${i}`);
	const out = [text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])];
	for (let k = 0; k <= number(r, 20); k++) {
		const body = r(number(r, 40));
		const h = Buffer.concat([Buffer.from([0, 0, i % 4 ? body.length : number(r, 256), number(r, 12)]), r(1), Buffer.from([0, 0, 0, number(r, 8)])]);
		out.push(h, body);
	}
	return Buffer.concat(out);
}), async (p) => ({ ...await inside(p, { alpn: 'h2' }), http2: true })));
test('random bytes where records should be, after the handshake', { timeout: 600000 }, () => survive('raw', list(N / 4, (i) => {
	const r = draw(`raw ${i}`);
	const body = r(number(r, 300));
	return i % 2 ? body : record(20 + number(r, 5), body, 0x0303);
}), (p) => inside(p, { raw: true })));

test('a silent or stuck client is sent away in time', { timeout: 60000 }, async () => {
	const cases = [Buffer.alloc(0), Buffer.from([0x16]), hello.subarray(0, 100), hello, record(22, hello.subarray(5, 50))];
	const r = await Promise.all([...cases.map((p) => throwAt(d.port, p, { end: false })),
		...['', 'G', 'GET / HTTP/1.1\r\n'].map((x) => throwAt(plain, text(x), { end: false }))]);
	assert.deepEqual(r.map((x) => x.why).filter((x) => x === 'timeout'), []);
});

test('all workers that served that are gone, and service is as it was', { timeout: 60000 }, async () => {
	await waitFor('only spares', () => { const s = status(d); return s.workers === s.spare; });
	assert.equal((await d.request('GET', '/healthz', { localAddress: source() })).status, 200);
	assert.equal(status(d).crashes, 0);
});
