// What other servers make of bytes: the readings by which a front and a server
// behind it come to disagree.  Each returns the requests that it sees, as
// "METHOD TARGET body-length".  A head that all of them read alike cannot be
// used to smuggle; strict() says what is wrong with one by RFC 9112.
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import fs from 'node:fs';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

// One way to read; every option is a leniency of some server that exists.
function reader({ lf = false, cr = false, first = false, cl = false, teLoose = false, fold = false,
	trim = false, alias = false, sizeLoose = false, nul = false }) {
	return (bytes) => {
		const list = [];
		let at = 0;
		const line = () => {
			let end = bytes.indexOf('\r\n', at);
			let size = 2;
			if (lf) {
				const n = bytes.indexOf('\n', at);
				if (n !== -1 && (end === -1 || n <= end)) { end = n; size = 1; }
			}
			if (cr) {
				const n = bytes.indexOf('\r', at);
				if (n !== -1 && (end === -1 || n < end)) { end = n; size = bytes[n + 1] === '\n' ? 2 : 1; }
			}
			if (end === -1) return null;
			let text = bytes.slice(at, end);
			at = end + size;
			if (lf && text.endsWith('\r')) text = text.slice(0, -1);
			return text;
		};
		for (;;) {
			let start = line();
			while (start === '') start = line();
			if (start === null) return list;
			const [method, target] = start.trim().split(/[ \t]+/);
			const fields = [];
			for (;;) {
				const text = line();
				if (text === null) return [...list, `${method} ${target} head-open`];
				if (text === '') break;
				if (/^[ \t]/.test(text) && fields.length > 0) {
					if (fold) fields.at(-1).value += ` ${text.trim()}`;
					continue;
				}
				const colon = text.indexOf(':');
				if (colon === -1) continue;
				let name = text.slice(0, colon).toLowerCase();
				let value = text.slice(colon + 1).trim();
				if (trim) name = name.replace(/^[\s\0]+|[\s\0]+$/g, '');
				if (alias) name = name.replaceAll('_', '-');
				if (nul) { name = name.split('\0')[0]; value = value.split('\0')[0]; }
				fields.push({ name, value });
			}
			const of = (n) => fields.filter((f) => f.name === n).map((f) => f.value);
			const codings = of('transfer-encoding');
			const chunked = teLoose ? codings.some((v) => /chunked/i.test(v)) :
				codings.some((v) => v.toLowerCase() === 'chunked');
			const lengths = of('content-length');
			const length = lengths.length === 0 ? null :
				parseInt((first ? lengths[0] : lengths.at(-1)).replace(/^[+]/, ''), 10);
			if (chunked && !(cl && length !== null)) {
				let total = 0;
				for (;;) {
					const text = line();
					if (text === null) return [...list, `${method} ${target} chunks-open`];
					const n = sizeLoose ? parseInt(text.replace(/^[\s+]*(0x)?/i, ''), 16) :
						/^[0-9a-f]+ *(;.*)?$/i.test(text) ? parseInt(text, 16) : NaN;
					if (!(n >= 0)) return [...list, `${method} ${target} chunks-bad`];
					if (n === 0) {
						for (let t = line(); t !== '' && t !== null;) t = line();
						break;
					}
					total += n;
					at += n;
					if (at > bytes.length) return [...list, `${method} ${target} chunks-open`];
					if (bytes.startsWith('\r\n', at)) at += 2;
					else if (lf && bytes[at] === '\n') at += 1;
				}
				list.push(`${method} ${target} ${total}`);
				continue;
			}
			const n = length === null || Number.isNaN(length) || length < 0 ? 0 : length;
			if (at + n > bytes.length) return [...list, `${method} ${target} body-open`];
			at += n;
			list.push(`${method} ${target} ${n}`);
		}
	};
}

export const readings = {
	'as the RFC says': reader({}),
	'LF ends a line': reader({ lf: true }),
	'CR ends a line': reader({ cr: true, lf: true }),
	'the length wins': reader({ cl: true }),
	'any coding that has the word': reader({ teLoose: true }),
	'the first of two lengths': reader({ first: true }),
	'folds are joined': reader({ fold: true, teLoose: true }),
	'names are trimmed': reader({ trim: true, teLoose: true }),
	'underscores are hyphens': reader({ alias: true, teLoose: true }),
	'sizes are read as far as they go': reader({ sizeLoose: true, lf: true }),
	'NUL ends a value': reader({ nul: true, trim: true, teLoose: true }),
};

// Why these bytes are no sequence of requests that everybody must read alike;
// null when they are.
export function strict(bytes) {
	let at = 0;
	while (at < bytes.length) {
		const end = bytes.indexOf('\r\n\r\n', at);
		if (end === -1) return 'a head without an end';
		const [start, ...fields] = bytes.slice(at, end).split('\r\n');
		if (/[\r\n\0]/.test(start + fields.join(''))) return 'a bare CR, LF or NUL in the head';
		if (!/^[A-Z!#$%&'*+\-.^_`|~0-9a-z]+ \S+ HTTP\/1\.1$/.test(start)) return `request line: ${start}`;
		const seen = new Map();
		for (const f of fields) {
			const colon = f.indexOf(':');
			if (colon === -1 || !TOKEN.test(f.slice(0, colon))) return `header: ${f}`;
			// eslint-disable-next-line no-control-regex
			if (/[\x00-\x08\x0a-\x1f\x7f]/.test(f)) return `control character: ${f}`;
			const name = f.slice(0, colon).toLowerCase();
			seen.set(name, [...(seen.get(name) ?? []), f.slice(colon + 1).trim()]);
		}
		if (seen.get('host')?.length !== 1) return 'not one Host';
		const te = seen.get('transfer-encoding') ?? [];
		const cl = seen.get('content-length') ?? [];
		if (te.length + cl.length > 1) return 'framing said twice';
		for (const n of [...seen.keys()])
			if (n.replaceAll('_', '-') !== n && /^(transfer|content|host|x.forwarded)/.test(n)) return `alias ${n}`;
		at = end + 4;
		if (te.length === 1) {
			if (te[0] !== 'chunked') return `Transfer-Encoding: ${te[0]}`;
			for (;;) {
				const m = /^([0-9a-f]{1,16})\r\n/.exec(bytes.slice(at, at + 20));
				if (m === null) return bytes.length === at ? null : 'chunk size';
				const n = parseInt(m[1], 16);
				at += m[0].length + n;
				if (at > bytes.length) return null; // it ended there
				if (!bytes.startsWith('\r\n', at)) return bytes.length === at ? null : 'end of a chunk';
				at += 2;
				if (n === 0) break;
			}
		} else if (cl.length === 1) {
			if (!/^(0|[1-9][0-9]{0,18})$/.test(cl[0]) || BigInt(cl[0]) >= 2n ** 63n) return `Content-Length: ${cl[0]}`;
			at += Number(cl[0]);
			if (at > bytes.length) return null;
		}
	}
	return null;
}

// node's own parser (llhttp), strict and with every leniency, as servers that
// are fed one connection after the other.
export class Llhttp {
	async open() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-llhttp-'));
		this.servers = await Promise.all([false, true].map((insecureHTTPParser) => new Promise((resolve) => {
			const server = http.createServer({ insecureHTTPParser, keepAliveTimeout: 1000 }, (req, res) => {
				let n = 0;
				req.on('data', (d) => { n += d.length; });
				req.on('end', () => { req.socket.list.push(`${req.method} ${req.url} ${n}`); res.end(); });
			});
			server.on('connection', (s) => { s.list = []; this.last = s; });
			server.on('checkContinue', (req, res) => server.emit('request', req, res));
			server.on('upgrade', (req, s) => { s.list.push(`${req.method} ${req.url} 0`); s.destroy(); });
			server.on('clientError', (e, s) => { s.list.push(`error ${e.code}`); s.destroy(); });
			server.file = `${this.dir}/${insecureHTTPParser ? 'loose' : 'strict'}`;
			server.listen(server.file, () => resolve(server));
		})));
		return this;
	}

	read(bytes) {
		return Promise.all(this.servers.map((server) => new Promise((resolve) => {
			let list;
			server.once('connection', (s) => { list = s.list; });
			const c = net.connect({ path: server.file, allowHalfOpen: true }, () => c.end(Buffer.from(bytes, 'latin1')));
			c.resume();
			c.on('error', () => {});
			c.on('close', () => resolve(list ?? []));
			c.on('end', () => c.destroy());
		})));
	}

	close() {
		for (const s of this.servers) s.close();
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

// Why these bytes could be read as something else than `list` by somebody.
export async function ambiguous(bytes, llhttp) {
	const bad = strict(bytes);
	if (bad !== null) return bad;
	const want = readings['as the RFC says'](bytes).filter((r) => !/open$/.test(r)).join('\n');
	for (const [name, read] of Object.entries(readings)) {
		const got = read(bytes).filter((r) => !/open$/.test(r)).join('\n');
		if (got !== want) return `${name}: ${got.slice(0, 200)} for ${want.slice(0, 200)}`;
	}
	const [tight, loose] = await llhttp.read(bytes);
	for (const got of [tight, loose]) {
		const text = got.filter((r) => !/^error/.test(r)).join('\n');
		if (text !== want) return `llhttp: ${got.join('; ').slice(0, 200)} for ${want.slice(0, 200)}`;
	}
	return null;
}
