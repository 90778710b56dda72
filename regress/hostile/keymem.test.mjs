// The private key, and what resumes sessions, are in the keys process alone: after
// a thousand connections (with RSA fewer, unless there is time), all memory of every other one is searched for them, in
// each order of bytes that OpenSSL keeps them in.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { ended, sanitized, startDaemon, waitFor } from '../system/daemon.mjs';
import { each, sources, status } from './backend.mjs';

const source = sources(16);
const N = { ec: 1000, rsa: process.env.IDED_LONG ? 1000 : 200 };

// What is written, or could have been: not the programs' own text.
function* regions(pid) {
	for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
		const m = /^([0-9a-f]+)-([0-9a-f]+) (r)(w)?\S* \S+ \S+ (\d+)\s*(.*)$/.exec(line);
		if (m === null || /^\[v/.test(m[6]) || (!m[4] && m[5] !== '0')) continue;
		yield [BigInt(`0x${m[1]}`), BigInt(`0x${m[2]}`)];
	}
}

// Names of the patterns that are in the memory of that process.
function search(pid, patterns) {
	const found = new Set();
	const longest = Math.max(...patterns.map((p) => p.bytes.length));
	const fd = fs.openSync(`/proc/${pid}/mem`, 'r');
	let size = 0;
	try {
		for (const [from, to] of regions(pid)) {
			for (let at = from; at < to; at += 1n << 20n) {
				const n = Number(to - at < (1n << 20n) + BigInt(longest) ? to - at : (1n << 20n) + BigInt(longest));
				const buf = Buffer.alloc(n);
				let got;
				try { got = fs.readSync(fd, buf, 0, n, at); } catch { continue; /* kept from root, too */ }
				size += got;
				for (const p of patterns) if (buf.subarray(0, got).includes(p.bytes)) found.add(p.name);
			}
		}
	} finally {
		fs.closeSync(fd);
	}
	return { found: [...found], size };
}

// Secret numbers of the key: as in DER, as a BIGNUM's limbs lie in memory, and
// either half of both, in case that only a part was left.
function keyPatterns(pem) {
	const jwk = crypto.createPrivateKey(pem).export({ format: 'jwk' });
	const list = [];
	for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi']) {
		if (jwk[name] === undefined) continue;
		const be = Buffer.from(jwk[name], 'base64url');
		const le = Buffer.from(be).reverse();
		for (const [order, bytes] of [['big-endian', be], ['limbs', le]]) {
			const half = bytes.length >> 1;
			list.push({ name: `${name}, ${order}`, bytes });
			list.push({ name: `${name}, ${order}, first half`, bytes: bytes.subarray(0, half) });
			list.push({ name: `${name}, ${order}, second half`, bytes: bytes.subarray(half) });
		}
	}
	pem.split('\n').filter((l) => /^[A-Za-z0-9+/=]{20,}$/.test(l)).forEach((l, i) => list.push({ name: `PEM, line ${i}`, bytes: Buffer.from(l) }));
	return list;
}

// The secret in a session: SSL_SESSION in DER, its second long OCTET STRING.
function sessionSecret(der) {
	let at = der[1] & 0x80 ? 2 + (der[1] & 0x7f) : 2;
	const strings = [];
	while (at < der.length && strings.length < 3) {
		const [tag, len] = [der[at], der[at + 1]];
		assert.ok(len < 0x80);
		if (tag === 4) strings.push(der.subarray(at + 2, at + 2 + len));
		at += 2 + len;
	}
	return strings[2]; // cipher, session id, secret
}

for (const kind of ['ec', 'rsa']) {
	test(`${kind}: in keys, and nowhere else`, { timeout: 300000, skip: sanitized && 'a sanitizer maps terabytes' }, async (t) => {
		const d = await startDaemon({ certificate: kind, users: ['ann'], prefork: 'spare 8\nidle-timeout 10m' });
		try {
			const patterns = keyPatterns(fs.readFileSync(`${d.dir}/server.key`, 'utf8'));
			const sessions = [];
			const live = [];
			const stays = (i) => i > N[kind] * 0.7;
			const cookie = await d.login('ann');
			let resumed = 0;
			await each(Array.from({ length: N[kind] }, (_, i) => i), async (i) => {
				const old = i % 4 === 3 ? sessions.pop() : undefined;
				const s = await d.raw({ localAddress: source(), session: old, maxVersion: i % 10 === 0 ? 'TLSv1.2' : undefined });
				s.on('error', () => {});
				if (s.isSessionReused()) resumed++;
				if (s.getProtocol() === 'TLSv1.3') s.once('session', (b) => sessions.push(b));
				await new Promise((resolve) => {
					s.once('data', resolve);
					s.once('close', resolve);
					// Those that are to stay are somebody's: nobody's are closed soon.
					s.write(`GET ${stays(i) ? '/api/me' : '/healthz'} HTTP/1.1\r\nHost: localhost:${d.port}\r\n${stays(i) ? `Cookie: ${cookie}\r\n` : ''}\r\n`);
				});
				if (stays(i) && live.length < 20) live.push(s);
				else s.destroy();
			});
			assert.ok(resumed > N[kind] / 10, `${resumed} resumed`);
			// Of connections that are over.
			const secrets = sessions.slice(0, 50).map((b, i) => ({ name: `secret of session ${i}`, bytes: sessionSecret(b) }));
			for (const s of secrets) assert.ok(s.bytes.length >= 32);
			const all = [...patterns, ...secrets];

			// Whoever has left meanwhile, or does so now, is not looked into.
			await waitFor('the others to leave', () => { const s = status(d); return s.workers <= s.spare + live.length; });
			const roles = { worker: 0, zygote: 0, master: 0, auth: 0, hash: 0, isolation: 0 };
			let searched = 0;
			for (const p of d.tree()) {
				const role = p.cmd.replace(/^ided: /, '').split(/[ :]/)[0];
				if (role === 'keys') continue;
				let r;
				try { r = search(p.pid, all); } catch (e) { if (!ended(p.pid)) throw e; continue; }
				if (ended(p.pid)) continue;
				assert.deepEqual(r.found, [], `${p.cmd}, pid ${p.pid}`);
				assert.ok(r.size > 100000, `${p.cmd}: ${r.size} bytes read`);
				roles[role] = (roles[role] ?? 0) + 1;
				searched += r.size;
			}
			t.diagnostic(`${JSON.stringify(roles)}, ${searched >> 20} MiB, ${all.length} patterns, ${resumed} sessions resumed`);
			for (const [role, n] of Object.entries(roles)) assert.ok(n > 0, `no ${role} was searched`);
			assert.ok(roles.worker >= 20);

			// The control: what is looked for is found where it is.
			const [keys] = d.role('keys');
			const there = search(keys.pid, all).found;
			assert.ok(there.some((n) => /^d, /.test(n)), `${there}`);
			assert.ok(there.filter((n) => /^secret/.test(n)).length > secrets.length / 2, `${there}`);
			for (const s of live) s.destroy();
		} finally {
			await d.stop();
		}
	});
}
