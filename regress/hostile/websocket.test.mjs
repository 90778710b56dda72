// WebSockets by RFC 6455, frame by frame: what a server of another make (ws, of VS
// Code's own) says to a client of each kind, good and bad, is what it says through ided,
// to the byte, over HTTP/1.1 and HTTP/2; ided adds nothing, leaves nothing out, and
// ends nothing early.  What the server itself says is looked at as well: one that took
// everything would show nothing.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import crypto from 'node:crypto';
import http2 from 'node:http2';
import net from 'node:net';
import zlib from 'node:zlib';
import { freePort, idePath, startDaemon } from '../system/daemon.mjs';
import { each } from './backend.mjs';

const { WebSocketServer } = createRequire(import.meta.url)(`${idePath}/server/node_modules/ws`);
const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, CONT = 0;
const PATIENCE = 20000;
let d, server, port, cookie, turn_ = 0;
const h2 = [];

before(async () => {
	port = await freePort();
	server = new WebSocketServer({ host: '127.0.0.1', port, maxPayload: 64 << 20, perMessageDeflate: { threshold: 0 },
		handleProtocols: (set) => (set.has('second') ? 'second' : false) });
	server.on('connection', (ws) => {
		ws.on('error', () => {});
		ws.on('message', (data, binary) => ws.send(data, { binary }));
	});
	d = await startDaemon({ users: ['ann'], prefork: 'spare 8', conf: `location "/ws/" { proxy to 127.0.0.1 port ${port} }` });
	cookie = await d.login('ann');
}, { timeout: 60000 });
after(async () => { for (const c of await Promise.all(h2)) c.destroy(); server?.close(); await d?.stop(); });

// --- frames ---

function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true, key = [0x12, 0x34, 0x56, 0x78], long = 0 } = {}) {
	const data = Buffer.from(payload);
	const n = data.length;
	const size = long || (n < 126 ? 1 : n < 65536 ? 2 : 8);
	const head = Buffer.alloc(2 + (size === 1 ? 0 : size));
	head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode;
	head[1] = (masked ? 0x80 : 0) | (size === 1 ? n : size === 2 ? 126 : 127);
	if (size === 2) head.writeUInt16BE(n, 2);
	if (size === 8) head.writeBigUInt64BE(BigInt(n), 2);
	if (!masked) return Buffer.concat([head, data]);
	const out = Buffer.from(data);
	for (let i = 0; i < n; i++) out[i] ^= key[i & 3];
	return Buffer.concat([head, Buffer.from(key), out]);
}
const close = (code, reason = '') => {
	const b = Buffer.alloc(2);
	b.writeUInt16BE(code);
	return frame(CLOSE, Buffer.concat([b, Buffer.from(reason)]));
};
const text = (s, o) => frame(TEXT, s, o);

// What a server said, as frames; what is no whole one is left.
function frames(bytes) {
	const list = [];
	let at = 0;
	for (;;) {
		if (bytes.length < at + 2) break;
		let n = bytes[at + 1] & 0x7f, h = 2;
		if (n === 126) { if (bytes.length < at + 4) break; n = bytes.readUInt16BE(at + 2); h = 4; }
		else if (n === 127) { if (bytes.length < at + 10) break; n = Number(bytes.readBigUInt64BE(at + 2)); h = 10; }
		if (bytes.length < at + h + n) break;
		list.push({ opcode: bytes[at] & 15, fin: (bytes[at] & 0x80) !== 0, rsv: bytes[at] >> 4 & 7, masked: (bytes[at + 1] & 0x80) !== 0,
			data: bytes.subarray(at + h, at + h + n) });
		at += h + n;
	}
	return { list, rest: bytes.length - at };
}
const closeCode = (list) => { const c = list.find((f) => f.opcode === CLOSE); return c && c.data.length >= 2 ? c.data.readUInt16BE(0) : c && 1005; };

// --- the three ways ---

// { write(bytes), end(), over: what came, once it has ended, and the head }
function overSocket(s, head) {
	let got = Buffer.alloc(0), at = -1;
	const parts = [];
	const o = { write: (b) => s.write(b), end: () => s.end() };
	o.over = new Promise((resolve) => {
		const done = (how) => { clearTimeout(t); s.destroy(); resolve({ how, head: o.head, bytes: Buffer.concat(parts) }); };
		const t = setTimeout(done, PATIENCE, 'time');
		o.said = (b) => { parts.push(b); o.seen?.(b); };
		s.on('data', (b) => {
			if (at !== -1) return o.said(b);
			got = Buffer.concat([got, b]);
			at = got.indexOf('\r\n\r\n');
			if (at === -1) return undefined;
			const lines = got.subarray(0, at).toString('latin1').split('\r\n');
			o.head = Object.fromEntries(lines.slice(1).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
			o.head.status = lines[0].split(' ')[1];
			o.ready();
			if (got.length > at + 4) o.said(got.subarray(at + 4));
			return undefined;
		});
		s.on('end', () => done('end'));
		s.on('error', () => done('error'));
		s.on('close', () => { o.ready(); done('close'); });
	});
	o.opened = new Promise((resolve) => { o.ready = resolve; });
	s.write(`GET /ws/echo HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
	return o.opened.then(() => o);
}
const lines = (headers) => Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('');

const ways = {
	bare: (headers = {}) => new Promise((resolve, reject) => {
		const s = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => { s.setNoDelay(true); resolve(s); });
		s.on('error', reject);
	}).then((s) => overSocket(s, `Host: 127.0.0.1:${port}\r\n${lines(headers)}`)),
	'HTTP/1.1': (headers = {}) => d.raw({ allowHalfOpen: true }).then((s) => {
		s.setNoDelay(true);
		return overSocket(s, `Host: localhost:${d.port}\r\nCookie: ${cookie}\r\nOrigin: ${d.origin}\r\n${lines(headers)}`);
	}),
	'HTTP/2': (headers = {}) => session().then((c) => new Promise((resolve) => {
		const s = c.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws/echo', ':authority': `localhost:${d.port}`,
			'sec-websocket-version': '13', cookie, origin: d.origin, ...headers }, { endStream: false });
		const parts = [];
		const o = { write: (b) => s.write(b), end: () => s.end() };
		o.over = new Promise((over) => {
			const done = (how) => { clearTimeout(t); s.close(); over({ how, head: o.head, bytes: Buffer.concat(parts) }); };
			const t = setTimeout(done, PATIENCE, 'time');
			s.on('data', (b) => { parts.push(b); o.seen?.(b); });
			s.on('end', () => done('end'));
			s.on('error', () => done('error'));
			s.on('close', () => { done('close'); resolve(o); });
		});
		s.on('response', (h) => { o.head = { ...h, status: h[':status'] === 200 ? '101' : String(h[':status']) }; resolve(o); });
	})),
};

// One of three connections, each with a worker of its own.
function session() {
	const i = turn_++ % 3;
	if (h2[i] === undefined) {
		const c = http2.connect(d.origin, { rejectUnauthorized: false });
		c.on('error', () => {});
		h2[i] = new Promise((r) => { c.once('remoteSettings', () => r(c)); });
	}
	return h2[i];
}

const turn = () => new Promise((r) => { setImmediate(r); });

// Says all of it, and leaves when the server says good-bye, or at the end.
async function run(way, c) {
	const o = await ways[way](c.headers);
	let all = Buffer.alloc(0), left = false;
	const leave = () => { if (!left) { left = true; o.end(); } };
	// Of large ones only the end is looked at: nothing else of them is a good-bye.
	o.seen = (b) => {
		all = all.length > 1 << 20 ? Buffer.concat([all.subarray(-1024), b]) : Buffer.concat([all, b]);
		if (c.large ? all.length >= 4 && all.subarray(-4).equals(c.large) : frames(all).list.some((f) => f.opcode === CLOSE)) leave();
	};
	for (const piece of c.send) {
		for (let at = 0; at < piece.length && !left; at += c.chop || piece.length) {
			o.write(piece.subarray(at, at + (c.chop || piece.length)));
			if (c.chop) await turn();
		}
		if (c.apart) await turn();
	}
	if (c.leave) leave();
	return o.over;
}

// --- what is said ---

const cases = [];
const add = (name, send, o = {}) => {
	// Who is not sent away says good-bye.
	if (!o.bad && !o.leave && o.code === undefined) { send = [...send, close(1000)]; o.code = 1000; }
	cases.push({ name, send, ...o, code: o.bad ?? o.code });
};

// 5.1, 5.2: lengths, kinds, and however it is cut.
for (const [name, op, letter] of [['text', TEXT, '*'], ['binary', BINARY, '\xfe']])
	for (const n of [0, 1, 124, 125, 126, 127, 128, 255, 256, 32767, 65534, 65535, 65536, 65537]) {
		const data = op === TEXT ? letter.repeat(n) : Buffer.alloc(n, letter, 'latin1');
		add(`${name} of ${n}`, [frame(op, data)], { echo: [data] });
		if (n > 1 && n < 70000) add(`${name} of ${n}, in pieces`, [frame(op, data)], { echo: [data], chop: n < 300 ? 1 : 997 });
	}
for (const long of [2, 8]) add(`a length in ${long} bytes more than it needs`, [frame(TEXT, 'hello', { long })]);
add('a length with its highest bit', [Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])], { bad: 1009 });
add('a length beyond what anybody takes', [Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])], { bad: 1009 });
add('unmasked', [text('hello', { masked: false })], { bad: 1002 });
add('unmasked after one that was', [text('a'), text('hello', { masked: false })], { bad: 1002, echo: ['a'] });
for (const key of [[0, 0, 0, 0], [255, 255, 255, 255], [0, 1, 0, 255]]) add(`a key of ${key}`, [text('hello', { key })], { echo: ['hello'] });
for (const n of [2, 10, 100, 1000]) {
	add(`${n} messages in one go`, [Buffer.concat(Array.from({ length: n }, (_, i) => text(`m${i}`)))], { echo: Array.from({ length: n }, (_, i) => `m${i}`) });
	if (n <= 100) add(`${n} messages, each by itself`, Array.from({ length: n }, (_, i) => text(`m${i}`)), { apart: true, echo: Array.from({ length: n }, (_, i) => `m${i}`) });
}

// 5.5.2, 5.5.3: pings and pongs.
for (const [name, data] of [['nothing', ''], ['text', 'hello'], ['bytes', Buffer.from([0, 255, 254, 253, 0])], ['125 bytes', Buffer.alloc(125, 0xfe)]]) {
	add(`a ping with ${name}`, [frame(PING, data)], { pong: [data] });
	add(`a ping with ${name}, byte by byte`, [frame(PING, data)], { pong: [data], chop: 1 });
	add(`a pong that nobody asked for, with ${name}`, [frame(PONG, data), text('on')], { echo: ['on'] });
}
add('a ping that is too long', [frame(PING, Buffer.alloc(126))], { bad: 1002 });
add('a pong that is too long', [frame(PONG, Buffer.alloc(126))], { bad: 1002 });
add('ten pings', Array.from({ length: 10 }, (_, i) => frame(PING, `p${i}`)), { pong: Array.from({ length: 10 }, (_, i) => `p${i}`) });
add('ten pings, byte by byte', Array.from({ length: 10 }, (_, i) => frame(PING, `p${i}`)), { chop: 1, pong: Array.from({ length: 10 }, (_, i) => `p${i}`) });
add('a pong, then a ping', [frame(PONG, 'x'), frame(PING, 'y')], { pong: ['y'] });

// 5.2: bits and opcodes that mean nothing here.
for (let rsv = 1; rsv < 8; rsv++) {
	for (const [name, op] of [['text', TEXT], ['binary', BINARY], ['ping', PING], ['close', CLOSE]])
		add(`reserved bits ${rsv} in ${name}`, [frame(op, op === CLOSE ? '' : 'x', { rsv })], { bad: 1002 });
	add(`reserved bits ${rsv} after a message`, [text('a'), text('b', { rsv }), frame(PING)], { bad: 1002, echo: ['a'], chop: rsv & 1 });
}
for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
	add(`opcode ${op}`, [frame(op)], { bad: 1002 });
	add(`opcode ${op} with a payload`, [frame(op, 'x')], { bad: 1002 });
	add(`opcode ${op} after a message`, [text('a'), frame(op, 'x'), frame(PING)], { bad: 1002, echo: ['a'], chop: op & 1 });
}

// 5.4: fragments.
const part = (s, first, last) => frame(first ? TEXT : CONT, s, { fin: last });
for (const chop of [0, 1]) {
	const how = { chop, apart: !chop };
	const cut = chop ? ', byte by byte' : '';
	add(`two fragments${cut}`, [part('one', true, false), part('two', false, true)], { ...how, echo: ['onetwo'] });
	add(`empty fragments${cut}`, [part('', true, false), part('', false, false), part('', false, true)], { ...how, echo: [''] });
	add(`the middle one is not empty${cut}`, [part('', true, false), part('mid', false, false), part('', false, true)], { ...how, echo: ['mid'] });
	add(`a ping between fragments${cut}`, [part('one', true, false), frame(PING, 'p'), part('two', false, true)], { ...how, echo: ['onetwo'], pong: ['p'] });
	add(`pings and pongs between fragments${cut}`, [part('a', true, false), frame(PING, '1'), part('b', false, false), frame(PONG), frame(PING, '2'), part('c', false, true)],
		{ ...how, echo: ['abc'], pong: ['1', '2'] });
	add(`a ping in fragments${cut}`, [frame(PING, 'x', { fin: false }), frame(CONT, 'y')], { ...how, bad: 1002 });
	add(`a pong in fragments${cut}`, [frame(PONG, 'x', { fin: false }), frame(CONT, 'y')], { ...how, bad: 1002 });
	add(`a close in fragments${cut}`, [frame(CLOSE, '', { fin: false })], { ...how, bad: 1002 });
	add(`nothing to go on with${cut}`, [part('x', false, true), text('hello')], { ...how, bad: 1002 });
	add(`nothing to go on with, and not the last${cut}`, [part('x', false, false), text('hello')], { ...how, bad: 1002 });
	add(`nothing to go on with, after a message${cut}`, [text('a'), part('x', false, true)], { ...how, bad: 1002, echo: ['a'] });
	add(`a message within another${cut}`, [part('one', true, false), text('two')], { ...how, bad: 1002 });
	add(`a message without its last fragment${cut}`, [part('one', true, false), part('two', false, false)], { ...how, code: undefined, leave: true });
	add(`three in a row${cut}`, [part('1', true, false), part('2', false, true), part('3', true, false), part('4', false, true), text('5')], { ...how, echo: ['12', '34', '5'] });
}
for (const size of [1, 10, 125, 1300]) {
	const data = Buffer.alloc(size === 1 ? 500 : 65536, 'f');
	const list = [];
	for (let at = 0; at < data.length; at += size) list.push(frame(at === 0 ? BINARY : CONT, data.subarray(at, at + size), { fin: at + size >= data.length }));
	add(`${data.length} bytes in fragments of ${size}`, [Buffer.concat(list)], { echo: [data] });
}

// 8.1: UTF-8.
const bytes = (hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
for (const s of ['Hello-µ@ßöäüàá-UTF-8!!', 'κόσμε', '\u0000', '\u0080', '\u0800', '\u{10000}', '\u007f', '\u07ff', '\uffff', '\ud7ff', '\ue000', '\ufffd', '\u{10ffff}',
	'\ufffe', '\u{1ffff}', '\u{8fffe}', '\u{10fffe}', '\ufeff', 'à\u0300\u0301', '日本語', '🙂👩‍👩‍👧', '\u202e', '\u2028']) {
	const b = Buffer.from(s);
	add(`UTF-8: ${b.toString('hex')}`, [text(b)], { echo: [b] });
	add(`UTF-8: ${b.toString('hex')}, byte by byte`, [text(b)], { echo: [b], chop: 1 });
	if (b.length > 1) add(`UTF-8: ${b.toString('hex')}, a fragment a byte`, [...b].map((x, i) => frame(i === 0 ? TEXT : CONT, [x], { fin: i === b.length - 1 })), { echo: [b] });
}
for (const hex of ['80', 'bf', '8080', '80bf80', 'c0', 'c020', 'e0', 'e080', 'e020', 'f0', 'f08080', 'f8', 'f888808080', 'fc', 'fc8480808080', 'fe', 'ff', 'fefeffff',
	'c080', 'c0af', 'c1bf', 'e080af', 'e08080', 'e09fbf', 'f08080af', 'f08080 80', 'f08fbfbf', 'f880808080', 'fc8080808080', 'eda080', 'edadbf', 'edae80', 'edafbf', 'edb080',
	'edbe80', 'edbfbf', 'eda080edb080', 'edafbfedbfbf', 'f4908080', 'f7bfbfbf', 'fbbfbfbfbf', 'cebae1bdb9cf83cebcceb5eda080656469746564', 'cebae1bdb9cf83cebcceb5f490 8080656469746564', 'e2 82', 'f0 9f 99']) {
	const b = bytes(hex);
	add(`no UTF-8: ${hex}`, [text(b)], { bad: 1007 });
	add(`no UTF-8: ${hex}, byte by byte`, [text(b), frame(PING)], { bad: 1007, chop: 1 });
	add(`no UTF-8 as a message of bytes: ${hex}`, [frame(BINARY, b)], { echo: [b] });
}
add('no UTF-8 over fragments', [frame(TEXT, bytes('ce'), { fin: false }), frame(CONT, bytes('ce'))], { bad: 1007 });

// 7: good-byes.
for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
	add(`close ${code}`, [close(code)], { code });
	add(`close ${code} with a reason, byte by byte`, [close(code, 'für heute')], { code, chop: 1 });
}
for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) add(`close ${code}`, [close(code)], { bad: 1002 });
add('close without a code', [frame(CLOSE)], { code: 1005 });
add('close with half a code', [frame(CLOSE, 'x')], { bad: 1002 });
add('close with the longest reason', [close(1000, 'x'.repeat(123))], { code: 1000 });
add('close with a longer one', [close(1000, 'x'.repeat(124))], { bad: 1002 });
add('close with a reason that is no UTF-8', [frame(CLOSE, bytes('03e8cebae1bdb9eda080'))], { bad: 1007 });
add('close twice', [close(1000), close(1001)], { code: 1000 });
add('a ping after close', [close(1000), frame(PING, 'x')], { code: 1000 });
add('a message after close', [close(1000), text('x')], { code: 1000 });
add('close within a message', [part('x', true, false), close(1000), part('y', false, true)], { code: 1000 });
add('close behind a large message', [frame(BINARY, Buffer.alloc(262144, 7)), close(1000), frame(PING)], { code: 1000, echo: [Buffer.alloc(262144, 7)] });
add('gone without a word', [text('x')], { echo: ['x'], leave: true, code: undefined });
add('gone in the middle of a frame', [text('hello').subarray(0, 8)], { leave: true, code: undefined });
add('gone in the middle of a head', [Buffer.from([0x81])], { leave: true, code: undefined });

// RFC 7692: messages that are compressed.
const deflated = (s) => zlib.deflateRawSync(s, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
const offer = (s) => ({ 'sec-websocket-extensions': s });
const sentence = 'A sentence of words, words and words. '.repeat(40);
for (const o of ['permessage-deflate', 'permessage-deflate; client_max_window_bits', 'permessage-deflate; server_no_context_takeover', 'permessage-deflate; client_no_context_takeover',
	'permessage-deflate; server_max_window_bits=10', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover', 'permessage-deflate; server_max_window_bits=9; client_max_window_bits=9',
	'x-unknown, permessage-deflate']) {
	add(`${o}: small and large ones`, ['', 'a', 'hello', sentence, sentence, 'x'.repeat(70000)].map((s) => frame(TEXT, deflated(s), { rsv: 4 })), { headers: offer(o), deflate: true });
	add(`${o}: not compressed this time`, [text('plain'), frame(TEXT, deflated('hello'), { rsv: 4 })], { headers: offer(o), deflate: true });
	add(`${o}: in fragments`, [frame(TEXT, deflated(sentence).subarray(0, 10), { rsv: 4, fin: false }), frame(PING, 'p'), frame(CONT, deflated(sentence).subarray(10))],
		{ headers: offer(o), deflate: true, pong: ['p'] });
	add(`${o}: byte by byte`, [frame(TEXT, deflated(sentence), { rsv: 4 })], { headers: offer(o), deflate: true, chop: 1 });
	add(`${o}: nothing that can be unpacked`, [frame(TEXT, Buffer.from('ffffffffff', 'hex'), { rsv: 4 })], { headers: offer(o), deflate: true, bad: 1007 });
	add(`${o}: the bit in a later fragment`, [frame(TEXT, 'a', { fin: false }), frame(CONT, deflated('b'), { rsv: 4 })], { headers: offer(o), deflate: true, bad: 1002 });
	add(`${o}: the bit in a ping`, [frame(PING, 'a', { rsv: 4 })], { headers: offer(o), deflate: true, bad: 1002 });
}
add('an extension that nobody knows', [text('x')], { headers: offer('x-unknown'), echo: ['x'] });
add('a protocol of several', [text('x')], { headers: { 'sec-websocket-protocol': 'first, second' }, echo: ['x'], protocol: 'second' });
add('a protocol that is not spoken', [text('x')], { headers: { 'sec-websocket-protocol': 'first' }, echo: ['x'] });

const names = new Set();
for (const c of cases) { assert.ok(!names.has(c.name), `twice: ${c.name}`); names.add(c.name); }

// --- and what comes of it ---

// Is the server's own answer what the standard asks for?
function fault(c, r) {
	const { list, rest } = frames(r.bytes);
	if (r.head?.status !== '101') return `answered with ${r.head?.status}`;
	if (r.how !== 'end') return `ended by ${r.how}`;
	if (rest > 0 || list.some((f) => f.masked)) return 'no frames of a server';
	if (c.code !== undefined && closeCode(list) !== c.code && !(c.bad && [1002, 1007, 1009].includes(closeCode(list)))) return `closed with ${closeCode(list)}`;
	if (c.bad && !list.some((f) => f.opcode === CLOSE)) return 'not refused';
	if (c.deflate !== undefined && !/permessage-deflate/.test(r.head['sec-websocket-extensions'])) return 'not compressed';
	if (r.head['sec-websocket-protocol'] !== c.protocol) return `protocol ${r.head['sec-websocket-protocol']}`;
	const said = list.filter((f) => f.opcode === TEXT || f.opcode === BINARY).map((f) => f.data);
	if (c.echo && !(said.length === c.echo.length && said.every((b, i) => b.equals(Buffer.from(c.echo[i]))))) return `${said.length} messages came back`;
	const pongs = list.filter((f) => f.opcode === PONG).map((f) => f.data);
	if (c.pong && !(pongs.length === c.pong.length && pongs.every((b, i) => b.equals(Buffer.from(c.pong[i]))))) return `${pongs.length} pongs`;
	return null;
}
const same = (a, b) => a.bytes.equals(b.bytes) && a.how === b.how &&
	['status', 'sec-websocket-extensions', 'sec-websocket-protocol'].every((h) => a.head?.[h] === b.head?.[h]);
const show = (r) => `${r.how} ${r.bytes.length} ${r.bytes.subarray(0, 40).toString('hex')}`;

const heard = new Map();
test('the server alone does as the standard says', { timeout: 120000 }, async (t) => {
	t.diagnostic(`${cases.length} cases`);
	const wrong = [];
	await each(cases, async (c) => {
		const r = await run('bare', c);
		heard.set(c.name, r);
		const f = fault(c, r);
		if (f) wrong.push(`${c.name}: ${f}; ${show(r)}`);
	}, 8);
	assert.deepEqual(wrong, []);
});

for (const [way, nth] of [['HTTP/1.1', 1], ['HTTP/2', process.env.IDED_LONG ? 1 : 3]])
	test(`${way}: through ided it is the same, to the byte${nth > 1 ? ' (a third of them; IDED_LONG=1: all)' : ''}`, { timeout: 240000 }, async () => {
		const wrong = [];
		await each(cases.filter((_, i) => i % nth === 0), async (c) => {
			const r = await run(way, c), want = heard.get(c.name) ?? await run('bare', c);
			if (!same(r, want)) wrong.push(`${c.name}: ${show(r)}\n  and not ${show(want)}`);
		}, 8);
		assert.deepEqual(wrong, []);
	});

for (const way of ['HTTP/1.1', 'HTTP/2'])
	test(`${way}: large messages, whole and in fragments`, { timeout: 120000 }, async () => {
		for (const [n, size] of [[1 << 20, 0], [4 << 20, 0], [4 << 20, 65536], [4 << 20, 1 << 20]].concat(process.env.IDED_LONG ? [[16 << 20, 0], [48 << 20, 0]] : [])) {
			const data = crypto.randomBytes(n), list = [];
			for (let at = 0; at < n; at += size || n) list.push(frame(at === 0 ? BINARY : CONT, data.subarray(at, at + (size || n)), { fin: at + (size || n) >= n }));
			const r = await run(way, { send: [...list, close(1000)], large: Buffer.from([0x88, 2, 0x03, 0xe8]) });
			assert.equal(r.how, 'end', `${n} in ${size}`);
			const back = frames(r.bytes).list.filter((f) => f.opcode === BINARY);
			assert.equal(back.length, 1);
			assert.ok(back[0].data.equals(data), `${n} in ${size}`);
		}
	});
