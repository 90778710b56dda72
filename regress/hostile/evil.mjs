// A client of the attacker's worker (evil_worker.c), and what the message table
// says, written down a second time: violation() must agree with chan.c.
import net from 'node:net';
import crypto from 'node:crypto';
import { obj } from '../system/daemon.mjs';

export const P = { master: 0x1, worker: 0x4, auth: 0x8, keys: 0x20 };
export const S = { fresh: 1, bound: 2 };
export const PAYLOAD_MAX = 16384;
const HEAD = 16;

// Each connection from a source of its own: what one is punished for must not
// get in the way of the next.
let sources = 0;
export function source() {
	sources++;
	return `127.${64 + (sources >> 16)}.${(sources >> 8) & 255}.${sources & 255}`;
}

export class Evil {
	constructor(socket) {
		this.s = socket;
		this.rest = '';
		this.waiting = [];
		this.s.setEncoding('latin1');
		this.s.on('data', (d) => {
			this.rest += d;
			let i;
			while ((i = this.rest.indexOf('\n')) !== -1) {
				const line = this.rest.slice(0, i);
				this.rest = this.rest.slice(i + 1);
				this.waiting.shift()?.resolve(line);
			}
		});
		const over = () => { for (const w of this.waiting.splice(0)) w.reject(new Error('the connection ended')); };
		this.s.on('close', over);
		this.ended = new Promise((r) => { this.s.on('close', r); });
		this.s.on('error', over);
	}

	static connect(port, from = source()) {
		return new Promise((resolve, reject) => {
			const s = net.connect({ host: '127.0.0.1', port, localAddress: from });
			s.once('error', reject);
			s.setNoDelay(true);
			s.once('connect', () => { const e = new Evil(s); e.from = from; resolve(e); });
		});
	}

	// Commands may be given without waiting for one another.
	cmd(...words) {
		return new Promise((resolve, reject) => {
			this.waiting.push({ resolve, reject });
			this.s.write(`${words.join(' ')}\n`);
		});
	}

	async who() {
		const [, pid, master, auth, keys] = (await this.cmd('who')).split(' ').map(Number);
		return { pid, master, auth, keys };
	}

	// A message as the table wants it, unless told otherwise.
	send(chan, type, o = {}) {
		const payload = o.payload || Buffer.alloc(0);
		const size = o.size ?? payload.length;
		const nfds = o.nfds ?? 0;
		return this.cmd('send', chan, o.version ?? 1, type, o.id ?? 1, o.len ?? size,
			o.hasfd ?? (nfds > 0 ? 1 : 0), nfds, o.kind || 'null', size, payload.toString('hex'));
	}

	async recv(chan, ms = 5000) {
		const [what, type, id, len, hasfd, hex] = (await this.cmd('recv', chan, ms)).split(' ');
		if (what !== 'msg') return { what };
		return { what, type: Number(type), id: Number(id), len: Number(len), hasfd: Number(hasfd),
			data: Buffer.from(hex || '', 'hex') };
	}

	async ask(chan, type, o = {}) {
		const r = await this.send(chan, type, o);
		if (r !== 'ok') return { what: r };
		return this.recv(chan, o.ms);
	}

	// The worker leaves only when its client does: a connection that ends before
	// that was ended with it, by kill(2).
	async killed(what = 'the worker', ms = 8000) {
		let t;
		const late = new Promise((_, no) => { t = setTimeout(() => no(new Error(`${what} lives on`)), ms); });
		try { await Promise.race([this.ended, late]); } finally { clearTimeout(t); }
	}

	// Say what must not be said, and be killed for it.
	async offend(chan, type, o = {}, what = undefined) {
		this.send(chan, type, o).catch(() => {});
		await this.killed(what ?? `a worker that said ${type} to ${chan}`);
	}

	close() { this.s.destroy(); }
}

export async function table(evil) {
	const words = (await evil.cmd('table')).split(' ');
	const rows = [];
	for (let i = 0; words[i] === 'row'; i += 9) {
		const [type, name, from, to, state, fd, min, max] = words.slice(i + 1, i + 9)
			.map((w, k) => (k === 1 ? w : Number(w)));
		rows[type] = { type, name, from, to, state, fd, min, max };
	}
	const byName = Object.fromEntries(rows.filter(Boolean).map((r) => [r.name, r.type]));
	return { rows, M: byName, max: rows.length };
}

// What the receiver must say about a message of a worker, null when it is one
// that the table allows.
export function violation(rows, chan, state, m) {
	const row = rows[m.type];
	if (HEAD + m.size > HEAD + PAYLOAD_MAX) return 'message too long';
	if (m.nfds > 1) return 'more than one descriptor';
	if (m.version !== 1) return 'another version: are old and new executables mixed?';
	if (!row) return 'unknown message';
	if (!(row.from & P.worker)) return 'message that this peer may not send';
	if (!(row.to & P[chan])) return 'message that is not for this process';
	if (!(row.state & state)) return 'message in the wrong state';
	if (m.len !== m.size) return 'length differs from what came';
	if (m.len < row.min || m.len > row.max) return 'length out of bounds';
	if (m.hasfd > 1 || (m.hasfd === 1) !== (m.nfds === 1))
		return 'descriptor announced and not there, or there and not announced';
	if (m.nfds === 1) return 'descriptor missing or not wanted';
	return null;
}

// --- payloads (wire.h) ---

const numbers = (...n) => { const b = Buffer.alloc(4 * n.length); n.forEach((v, i) => b.writeUInt32LE(v, 4 * i)); return b; };
const wide = (...n) => { const b = Buffer.alloc(8 * n.length); n.forEach((v, i) => b.writeBigUInt64LE(BigInt.asUintN(64, BigInt(v)), 8 * i)); return b; };
const text = (size, s) => { const b = Buffer.alloc(size); b.write(s, 'latin1'); return b; };
export const wire = {
	token: (hex) => Buffer.from(hex, 'hex'),
	login: (name, password) => Buffer.concat([text(255, name), text(1025, password), Buffer.alloc(8)]),
	port: (n) => { const b = Buffer.alloc(8); b.writeUInt16LE(n); return b; },
	share: (id, n) => { const b = Buffer.alloc(12); id.copy(b); b.writeUInt16LE(n, 10); return b; },
	shareCode: (nonce, id, n) => Buffer.concat([wire.portCode(nonce, n), wire.share(id, n), Buffer.alloc(4)]),
	shareToken: (token, id, n) => Buffer.concat([wire.portToken(token, n), wire.share(id, n), Buffer.alloc(4)]),
	shareEnter: (code, nonce, id, n) => Buffer.concat([wire.portEnter(code, nonce, n), wire.share(id, n), Buffer.alloc(4)]),
	shareAdd: (n, kind, user = '') => { const b = Buffer.alloc(56); text(36, user).copy(b); b.writeUInt32LE(n, 36); b.writeUInt32LE(kind, 40);
		return b; },
	shareEnd: (n, user = '') => { const b = Buffer.alloc(40); text(36, user).copy(b); b.writeUInt32LE(n, 36); return b; },
	portCode: (nonce, n) => { const b = Buffer.alloc(40); nonce.copy(b); b.writeUInt16LE(n, 32); return b; },
	portToken: (token, n) => { const b = Buffer.alloc(40); token.copy(b); b.writeUInt16LE(n, 32); return b; },
	portEnter: (code, nonce, n) => { const b = Buffer.alloc(88); code.copy(b); nonce.copy(b, 32); b.writeUInt16LE(n, 80); return b; },
	locationFile: (id, path) => Buffer.concat([id, text(1024, path)]),
	last: (q) => text(1024, q),
	session: (id) => text(24, id),
	hold: (on) => numbers(on),
	activity: (idle) => numbers(idle, 0),
	ref: (user) => text(40, user),
	sessionRef: (id) => text(24, id),
	list: ({ cursor = '', find = '', user = '', role = '', state = 0, limit = 0 } = {}) => Buffer.concat([text(128, cursor), text(72, find),
		text(33, user), text(35, role), numbers(state, limit)]),
	stage: (stage, requests = 0) => { const b = Buffer.alloc(24); b.writeUInt32LE(stage, 0); b.writeUInt32LE(requests, 4); return b; },
	log: (level, event, line) => { const b = Buffer.alloc(1656); b.writeUInt32LE(level, 0); text(48, event).copy(b, 4); text(1600, line).copy(b, 52); return b; },
	note: (id, kind) => { const b = Buffer.alloc(40); b.writeBigUInt64LE(BigInt(id), 0); b.writeUInt32LE(kind, 8); return b; },
	sess: (id, der = Buffer.alloc(0), len = der.length) => { const b = Buffer.alloc(4136); id.copy(b, 0); b.writeUInt32LE(len, 32); der.copy(b, 40); return b; },
	sign: (keyid, scheme, tbs, len = tbs.length) => { const b = Buffer.alloc(1064); keyid.copy(b, 0); b.writeUInt32LE(scheme, 32); b.writeUInt32LE(len, 36); tbs.copy(b, 40); return b; },
	edit: ({ user = '', name = '', email = '', display = '', roles = '', metadata = '', password = '', set = 0, version = 0, active = 0, change = 0, like = 0, once } = {}) =>
		Buffer.concat([text(33, user), text(33, name), text(255, email), text(200, display), text(272, roles), text(1024, metadata), text(1025, password),
			Buffer.alloc(2), numbers(set, version, active, change, like), once ?? Buffer.alloc(64)]),
	limits: (user, set, big, small) => Buffer.concat([text(36, user), numbers(set, 0, 0), wide(big, big, big), numbers(small, small, small, 0)]),
	remove: (user, workspace) => Buffer.concat([text(36, user), numbers(workspace, 0)]),
	settings: (json, version = 0) => Buffer.concat([wide(version), text(12288, json)]),
	tokenAdd: (name, scopes, lifetime = 0) => Buffer.concat([text(65, name), text(519, scopes), wide(lifetime), Buffer.alloc(64)]),
	reset: (token, password) => Buffer.concat([token, text(1025, password), Buffer.alloc(7)]),
	password: (old, fresh) => Buffer.concat([text(1025, old), text(1031, fresh)]),
	audit: ({ cursor = '', user = '', from = 0, after = 0, to = 0, limit = 0, oldest = 0, follow = 0 } = {}) => Buffer.concat([text(88, cursor), text(256, user),
		Buffer.alloc(48 + 48 + 16 + 128), wide(from, after, to), numbers(limit, oldest, follow, 0)]),
	lease: (kind, serial, used) => numbers(kind, serial, used, 0),
	exec: (user, ...argv) => { const b = Buffer.alloc(36 + 4 + 4 + 4 + 8192); b.write(user); const a = Buffer.from(`${argv.join('\0')}\0`); b.writeUInt32LE(argv.length, 40); b.writeUInt32LE(a.length, 44); a.copy(b, 48); return b; },
};

const str = (b, at, size) => b.subarray(at, at + size).toString('latin1').replace(/\0.*$/s, '');
export const AUTH = { ok: 1, denied: 2, otherUser: 3, limited: 4, busy: 5 };
export const STAGE = { idle: 1, badRequest: 2, timeout: 3 };
export const FAIL = { internal: 1, busy: 2, timeout: 3, notFound: 4, exists: 5, invalid: 6, denied: 7 };
export const read = {
	who: (b) => ({ result: b.readUInt32LE(0), retry: b.readUInt32LE(4), token: b.subarray(8, 40).toString('hex'),
		name: str(b, 40, 33), role: str(b, 73, 33), session: str(b, 106, 17), uid: b.readUInt32LE(128), last: str(b, 424, 1024) }),
	fail: (b) => ({ code: b.readUInt32LE(0), text: str(b, 4, 512) }),
	field: (b) => str(b, 516, 32),
	account: (b) => ({ name: str(b, 0, 33), email: str(b, 33, 255), display: str(b, 288, 200), roles: str(b, 488, 272) }),
	token: (b) => ({ id: str(b, 0, 17), user: str(b, 17, 33), name: str(b, 50, 65) }),
	made: (b) => b.subarray(656, 688),
	settings: (b) => str(b, 8, 12288),
	ok: (b) => str(b, 0, 512),
	sandbox: (b) => ({ user: str(b, 0, 33), uid: b.readUInt32LE(36) }),
	session: (b) => ({ session: str(b, 0, 17), user: str(b, 17, 33), current: b.readUInt32LE(364) }),
	sess: (b) => ({ id: b.subarray(0, 32), len: b.readUInt32LE(32), der: b.subarray(40, 40 + b.readUInt32LE(32)) }),
	signed: (b) => ({ ok: b.readUInt32LE(0), sig: b.subarray(8, 8 + b.readUInt32LE(4)) }),
};
// The name of a location: a digest of what the configuration says of it (location.h).
export function locationId({ prefix, kind, target, role = '' }) {
	const b = Buffer.alloc(4748); // struct conf_location
	b.write(prefix, 0);
	b[64] = kind;
	b.write(target, 65);
	b.write(role, 65 + 1024);
	return crypto.createHash('sha256').update(b).digest().subarray(0, 16);
}
export { obj };
