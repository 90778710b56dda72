// A daemon whose users' sandboxes hold the recorder (recorder.js) in VS Code's
// place, and what was recorded there.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Daemon, idePath, top, waitFor } from '../system/daemon.mjs';

const here = path.join(top, 'regress/hostile');

// A folder as `make ide` leaves it, as far as ided looks at it.
export function makeIde(server = `${here}/recorder.js`) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-recorder-'));
	fs.chmodSync(dir, 0o755);
	for (const d of ['node/bin', 'server/out', 'static/vscode', 'static/front'])
		fs.mkdirSync(`${dir}/${d}`, { recursive: true });
	const node = `${idePath}/node/bin/node`;
	try { fs.linkSync(node, `${dir}/node/bin/node`); } catch { fs.copyFileSync(node, `${dir}/node/bin/node`); }
	fs.copyFileSync(server, `${dir}/server/out/server-main.js`);
	fs.copyFileSync(`${here}/evil.js`, `${dir}/server/out/evil.js`);
	fs.writeFileSync(`${dir}/product`, 'quality=stable\ncommit=0\nversion=1.0.0\n');
	return dir;
}

class RecorderDaemon extends Daemon {
	async stop(o) {
		await super.stop(o);
		fs.rmSync(this.opts.idePath, { recursive: true, force: true });
	}

	// What reached a user's sandbox: for each connection its bytes (latin1).
	record(user) { return readRecord(`${this.home(user)}/record.jsonl`); }
}

export function readRecord(file) {
	const conns = new Map();
	if (!fs.existsSync(file)) return [];
	for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
		if (line === '') continue;
		const r = JSON.parse(line);
		const c = conns.get(r.conn) ?? { conn: r.conn, bytes: '', end: false };
		if (r.data !== undefined) c.bytes += Buffer.from(r.data, 'base64').toString('latin1');
		if (r.end) c.end = true;
		conns.set(r.conn, c);
	}
	return [...conns.values()];
}

// With a user "ann" whose sandbox runs; d.bearer is her credential.
export async function startRecorder(opts = {}) {
	const d = new RecorderDaemon({ ...opts, idePath: makeIde(opts.server) });
	await d.prepare();
	await d.start();
	for (const u of opts.users ?? ['ann']) d.addUser(u);
	d.bearer = (await d.login('ann')).split('=')[1];
	await waitFor('the recorder to answer', async () => {
		const r = await d.request('GET', '/ide/hello?folder=/', { headers: { authorization: `Bearer ${d.bearer}` } });
		return r.status === 200;
	});
	return d;
}

// A source of its own for each: what one is punished for is not for the next.
export function sources(second) {
	let n = 0;
	return () => {
		n++;
		return `127.${second}.${1 + (n >> 8) % 250}.${1 + n % 250}`;
	};
}

// One payload on a connection of its own, then the end of our side; what comes
// until the end of the other.  Nothing that takes as long as `ms` is waited for.
export async function send(d, bytes, { ms = 15000, pieces = [bytes], ...opts } = {}) {
	const s = await d.raw({ allowHalfOpen: true, ...opts });
	return new Promise((resolve) => {
		let out = '';
		let timedout = false;
		const done = () => { clearTimeout(t); s.destroy(); resolve({ out, timedout }); };
		const t = setTimeout(() => { timedout = true; done(); }, ms);
		s.setNoDelay(true);
		s.on('data', (b) => { out += b.toString('latin1'); });
		s.on('error', done);
		s.on('close', done);
		s.on('end', done);
		(async () => {
			for (const p of pieces.slice(0, -1)) {
				s.write(Buffer.from(p, 'latin1'));
				await new Promise((r) => { setImmediate(r); });
			}
			s.end(Buffer.from(pieces.at(-1), 'latin1'));
		})();
	});
}

// The answers in what came back: [{ status, head, body }], rest.
export function answers(out, heads = []) {
	const list = [];
	let at = 0;
	while (out.startsWith('HTTP/1.', at)) {
		const end = out.indexOf('\r\n\r\n', at);
		if (end === -1) break;
		const head = out.slice(at, end);
		const status = Number(head.slice(9, 12));
		at = end + 4;
		let body = '';
		if (status >= 200 && !heads.includes(list.length)) {
			const n = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
			if (/^transfer-encoding: chunked/im.test(head)) {
				for (;;) {
					const m = /^([0-9a-f]+)\r\n/.exec(out.slice(at, at + 20));
					if (m === null) break;
					const size = parseInt(m[1], 16);
					body += out.slice(at + m[0].length, at + m[0].length + size);
					at += m[0].length + size + 2;
					if (size === 0) break;
				}
			} else if (n > 0 && status !== 304) {
				body = out.slice(at, at + n);
				at += n;
			}
		}
		if (status >= 200) list.push({ status, head, body });
	}
	list.rest = out.slice(at);
	return list;
}

// Nothing crashed, nothing was refused for what a test did to another.
export const status = (d) => JSON.parse(d.ok(['-j', 'status']));

// Everything else runs on in parallel, a few at a time.
export async function each(list, fn, atOnce = 8) {
	let i = 0;
	await Promise.all(Array.from({ length: atOnce }, async () => {
		while (i < list.length) await fn(list[i], i++);
	}));
}
