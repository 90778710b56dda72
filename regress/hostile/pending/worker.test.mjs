// A worker under full control of an attacker: it says what it likes to auth,
// keys and master, and gets nothing but what its one user may have.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

// The same programs, but for the worker.
process.env.O = path.join(process.env.O || 'obj', 'regress/hostile/bin');
const { startDaemon, password, sleep, waitFor } = await import('../../system/daemon.mjs');
const { Evil, table, violation, wire, read, AUTH, FAIL, P, S, PAYLOAD_MAX, source } =
	await import('../evil.mjs');

let d, M, rows, past, pids, spki, keyid;
const tokens = {};
const ids = {};
const uids = {};
const roles = ['auth', 'keys', 'master', 'isolation', 'zygote'];
const pidsNow = () => Object.fromEntries(roles.map((r) => [r, d.role(r).map((p) => p.pid)]));
const fdCount = (role) => fs.readdirSync(`/proc/${d.role(role)[0].pid}/fd`).length;
const rss = (role) => Number(/^VmRSS:\s+(\d+)/m.exec(
	fs.readFileSync(`/proc/${d.role(role)[0].pid}/status`, 'utf8'))[1]);

async function evil(user) {
	const e = await Evil.connect(d.port);
	if (user) {
		const w = read.who((await e.ask('auth', M.AUTH_TOKEN, { payload: wire.token(tokens[user]) })).data);
		assert.equal(w.result, AUTH.ok);
		assert.equal(w.name, user);
	}
	return e;
}

async function login(e, user, pw = password, id = 1) {
	const r = await e.ask('auth', M.LOGIN, { id, payload: wire.login(user, pw, 'evil/1.0'), ms: 20000 });
	assert.equal(r.type, M.WHO, JSON.stringify(r));
	return read.who(r.data);
}

// Everything still runs, and does its work for somebody else.
async function alive(what) {
	assert.deepEqual(pidsNow(), pids, `${what}: processes`);
	const e = await evil('bob');
	const r = await e.ask('auth', M.PORTAL);
	assert.equal(r.type, M.ROW_SANDBOX, what);
	assert.equal(read.sandbox(r.data).user, 'bob');
	e.close();
	assert.equal(d.ctl(['status']).status, 0, what);
}

const isClosed = async (e, chan) => assert.equal((await e.recv(chan)).what, 'eof', `${chan} is closed`);
const sessionsOf = (user) => JSON.parse(d.ok(['-j', 'session', 'list', user]) || '[]');

before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], ratelimit: 'login 1000 per 15m',
		prefork: 'spare 12\nmax 4000\nper-source 100\nstartups 3000:30:4000' });
	const e = await Evil.connect(d.port);
	({ rows, M, max: past } = await table(e));
	e.close();
	for (const user of ['ann', 'bob']) {
		const one = await Evil.connect(d.port);
		const w = await login(one, user);
		assert.equal(w.result, AUTH.ok);
		tokens[user] = w.token;
		ids[user] = w.session;
		uids[user] = w.uid;
		one.close();
	}
	const cert = new crypto.X509Certificate(fs.readFileSync(`${d.dir}/server.crt`));
	spki = cert.publicKey;
	keyid = crypto.createHash('sha256').update(spki.export({ type: 'spki', format: 'der' })).digest();
	await sleep(300);
	pids = pidsNow();
});
after(() => d?.stop());

test('the table holds what a worker may say, and nothing with a descriptor', () => {
	const said = rows.filter((r) => r && (r.from & P.worker)).map((r) => r.name).sort();
	assert.deepEqual(said, ['AUTH_TOKEN', 'BEAT', 'IDE', 'LAST', 'LOG', 'LOGIN', 'LOGOUT', 'MINT', 'PORTAL',
		'SESSION_END', 'SESS_GET', 'SESS_PUT', 'SIGN', 'STAGE', 'WANT_AUTH']);
	for (const r of rows) if (r && (r.from & P.worker)) assert.equal(r.fd, 0, r.name);
});

// --- every type, direction, length, number of descriptors ---

const kinds = ['null', 'folder', 'path', 'memory', 'client', 'channel', 'pipe', 'seqpacket', 'listen'];

function* matrix(chan, state) {
	let n = 0;
	for (const type of [...Array(past + 1).keys(), 255, 256, 65535]) {
		const row = rows[type] || { min: 0, max: 0 };
		const lens = new Set([0, row.min - 1, row.min, row.max, row.max + 1, PAYLOAD_MAX, 20000]);
		for (const size of [...lens].filter((l) => l >= 0))
			for (const nfds of [0, 1, 2, 253]) {
				const m = { version: 1, type, size, len: size, nfds, hasfd: nfds > 0 ? 1 : 0,
					kind: kinds[n++ % kinds.length] };
				const why = violation(rows, chan, state, m);
				if (why) yield { m, why };
			}
		// Heads that lie.
		for (const lie of [{ len: row.min + 1 }, { len: 0xffffffff }, { hasfd: 1 }, { hasfd: 2 },
			{ nfds: 1, hasfd: 0 }, { version: 0 }, { version: 2 }, { version: 65535 }]) {
			const m = { version: 1, type, size: row.min, len: row.min, nfds: 0, hasfd: 0, kind: 'null', ...lie };
			const why = violation(rows, chan, state, m);
			if (why) yield { m, why };
		}
	}
}

const violationLines = (log) => {
	const counts = new Map();
	const re = /ided-(\w+)\[\d+\] warning channel\.violation peer="worker" message="(\w+)" type=(\d+) len=(\d+) why="([^"]*)"/g;
	for (const [, proc, name, type, len, why] of log.matchAll(re)) {
		const k = `${proc} ${name} ${type} ${len} ${why}`;
		counts.set(k, (counts.get(k) || 0) + 1);
	}
	return counts;
};

async function all(jobs, width, fn) {
	const list = jobs[Symbol.iterator]();
	await Promise.all(Array.from({ length: width }, async () => {
		for (let j = list.next(); !j.done; j = list.next()) await fn(j.value);
	}));
}

// One connection carries a violation of each channel.
async function breakAll(state, user) {
	const want = new Map();
	const before = violationLines(d.log);
	// Auth last: it tells master, who then gives the worker up.
	const lists = { master: user ? [] : [...matrix('master', S.fresh)],
		keys: user ? [] : [...matrix('keys', S.fresh)], auth: [...matrix('auth', state)] };
	const most = Math.max(...Object.values(lists).map((l) => l.length));
	const problems = [];
	await all(Array(most).keys(), 12, async (i) => {
		const e = await evil(user);
		const chans = Object.keys(lists).filter((c) => lists[c][i]);
		const replies = await Promise.all(chans.flatMap((c) => {
			const { m } = lists[c][i];
			return [e.send(c, m.type, m), e.recv(c, 10000)];
		}));
		chans.forEach((c, k) => {
			const { m, why } = lists[c][i];
			const key = `${c} ${rows[m.type]?.name ?? 'unknown'} ${m.type} ${m.len} ${why}`;
			want.set(key, (want.get(key) || 0) + 1);
			if (replies[2 * k] !== 'ok' || replies[2 * k + 1].what !== 'eof')
				problems.push(`${JSON.stringify(m)} to ${c} (${why}): ${replies[2 * k]}, ${JSON.stringify(replies[2 * k + 1])}`);
		});
		e.close();
	});
	assert.deepEqual(problems.slice(0, 10), []);
	const got = () => {
		const now = violationLines(d.log);
		return new Map([...now].map(([k, n]) => [k, n - (before.get(k) || 0)]).filter(([, n]) => n > 0));
	};
	const total = (c) => [...c.values()].reduce((a, b) => a + b, 0);
	await waitFor('all to be logged', () => total(got()) >= total(want), 5000).catch(() => {});
	const differ = [...new Set([...want.keys(), ...got().keys()])]
		.filter((k) => want.get(k) !== got().get(k))
		.map((k) => `${k}: ${got().get(k)} lines instead of ${want.get(k)}`);
	assert.deepEqual(differ.slice(0, 10), []);
	return total(want);
}

test('every type, direction, length and number of descriptors, from a worker that nobody logged in on', async (t) => {
	const before = { auth: fdCount('auth'), keys: fdCount('keys'), master: fdCount('master') };
	const n = await breakAll(S.fresh);
	t.diagnostic(`${n} violations`);
	assert.ok(n > 5000, `${n}`);
	await alive('after it');
	for (const role of Object.keys(before))
		await waitFor(`descriptors of ${role}`, () => fdCount(role) <= before[role] + 4, 10000)
			.catch(() => assert.fail(`${role}: ${before[role]} descriptors before, ${fdCount(role)} after`));
});

test('the same to auth, from a worker that is bound to a user', async (t) => {
	const n = await breakAll(S.bound, 'ann');
	t.diagnostic(`${n} violations`);
	assert.ok(n > 1500, `${n}`);
	await alive('after it');
});

test('bytes that are no message', async () => {
	for (const chan of ['auth', 'keys', 'master']) {
		const e = await Evil.connect(d.port);
		for (const size of [1, 15]) {
			const f = await Evil.connect(d.port);
			assert.equal(await f.cmd('raw', chan, 0, 'null', size, 'ff'), 'ok');
			await isClosed(f, chan);
			f.close();
		}
		// Descriptors without a byte are not even a message to the kernel; with
		// one, they are closed with the channel.
		assert.equal(await e.cmd('raw', chan, 200, 'channel', 1, '00'), 'ok');
		await isClosed(e, chan);
		e.close();
	}
	await alive('after it');
});

test('orders of other roles are refused, and not obeyed', async () => {
	const users = JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => u.name);
	const orders = [
		['master', 'STOP'], ['master', 'CONF_MASTER', 1, 'memory'], ['master', 'LISTEN', 1, 'listen'],
		['master', 'LISTEN_DONE'], ['master', 'JOIN_AUTH', 1, 'seqpacket'], ['master', 'JOIN_ZYGOTE', 1, 'seqpacket'],
		['master', 'WORKER_NOTE'], ['master', 'WORKER_EXIT'], ['master', 'READY'], ['master', 'LOG_FILE', 1, 'memory'],
		['auth', 'CTL_USER_ADD'], ['auth', 'CTL_STOP'], ['auth', 'CTL_USER_LIST'], ['auth', 'CTL_USER_PASSWD'],
		['auth', 'CTL_SANDBOX_STOP'], ['auth', 'CTL_EXEC'], ['auth', 'CTL_SESSION_LIST'], ['auth', 'RELOAD'],
		['auth', 'STOPPING'], ['auth', 'WORKER_AUTH', 1, 'seqpacket'], ['auth', 'JOIN_HASH', 1, 'seqpacket'],
		['auth', 'SB_FD', 1, 'client'], ['auth', 'SB_ROW'], ['auth', 'SB_GONE'], ['auth', 'HASHED'],
		['auth', 'CONF_AUTH', 1, 'memory'], ['auth', 'STATUS_MASTER'],
		['keys', 'KEY', 1, 'memory'], ['keys', 'WORKER_KEYS', 1, 'seqpacket'], ['keys', 'LOG_FILE', 1, 'memory'],
	];
	for (const [chan, name, nfds = 0, kind = 'null'] of orders)
		for (const user of chan === 'auth' ? [undefined, 'ann'] : [undefined]) {
			const e = await evil(user);
			let payload = Buffer.alloc(rows[M[name]].max);
			if (name === 'WORKER_NOTE') payload = wire.note(1 << 16, 1);
			if (name === 'CTL_EXEC') payload = wire.exec('bob', 'id').subarray(0, rows[M[name]].max);
			assert.equal(await e.send(chan, M[name], { payload, nfds, kind }), 'ok', name);
			await isClosed(e, chan);
			e.close();
		}
	await alive('after it');
	assert.deepEqual(JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => u.name), users);
	assert.doesNotMatch(d.log, /ided\.stop/);
});

// --- states ---

test('a worker that nobody logged in on gets nothing', async () => {
	for (const name of ['IDE', 'PORTAL', 'MINT', 'LAST', 'SESSION_END', 'LOGOUT', 'BEAT']) {
		const e = await Evil.connect(d.port);
		const payload = name === 'SESSION_END' ? wire.session(ids.ann) : name === 'IDE' ? wire.ide() :
			name === 'LAST' ? wire.last('folder=/evil') : undefined;
		assert.equal(await e.send('auth', M[name], { payload }), 'ok');
		await isClosed(e, 'auth');
		e.close();
	}
	assert.ok(sessionsOf('ann').some((s) => s.session === ids.ann), "ann's session is there");
	await alive('after it');
});

test('guessed tokens are denied', async () => {
	const e = await Evil.connect(d.port);
	for (const token of [Buffer.alloc(32), Buffer.alloc(32, 255), crypto.randomBytes(32),
		Buffer.from(ids.ann.repeat(2)), crypto.createHash('sha256').update(Buffer.from(tokens.ann, 'hex')).digest(),
		Buffer.from(tokens.ann, 'hex').reverse()]) {
		const r = await e.ask('auth', M.AUTH_TOKEN, { payload: token });
		const w = read.who(r.data);
		assert.equal(w.result, AUTH.denied);
		assert.deepEqual([w.name, w.session, w.uid, w.last], ['', '', 0, '']);
	}
	e.close();
});

test("bound to one user: another's token ends the channel, and tells nothing", async () => {
	const e = await evil('ann');
	const r = await e.ask('auth', M.AUTH_TOKEN, { payload: wire.token(tokens.bob) });
	const w = read.who(r.data);
	assert.equal(w.result, AUTH.otherUser);
	assert.deepEqual([w.name, w.session, w.uid, w.last, w.token], ['', '', 0, '', '0'.repeat(64)]);
	await isClosed(e, 'auth');
	e.close();
	await waitFor('its line', () => /worker\.other_user .*user="ann"/.test(d.log));
});

test("bound to one user: another's right password ends the channel, and makes no session", async () => {
	const before = sessionsOf('bob').length;
	const e = await evil('ann');
	const w = await login(e, 'bob');
	assert.equal(w.result, AUTH.otherUser);
	assert.deepEqual([w.name, w.session, w.token], ['', '', '0'.repeat(64)]);
	await isClosed(e, 'auth');
	e.close();
	assert.equal(sessionsOf('bob').length, before);
});

test("two answers at once: a token may not overtake another's login", async () => {
	const e = await Evil.connect(d.port);
	const [, , first, second] = await Promise.all([
		e.send('auth', M.LOGIN, { id: 7, payload: wire.login('bob', password) }),
		e.send('auth', M.AUTH_TOKEN, { id: 8, payload: wire.token(tokens.ann) }),
		e.recv('auth', 10000), e.recv('auth', 10000)]);
	assert.deepEqual([first.id, read.who(first.data).name], [8, 'ann']);
	assert.deepEqual([second.id, read.who(second.data).result], [7, AUTH.otherUser]);
	await isClosed(e, 'auth');
	e.close();
});

test("another user's session cannot be ended, one's own can", async () => {
	const e = await Evil.connect(d.port);
	assert.equal((await login(e, 'ann')).result, AUTH.ok);
	for (const id of [ids.bob, '0000000000000000', '', `${ids.bob}`.toUpperCase(), '../../../etc/pass', '%s%s%s%s%s%s%n']) {
		const r = await e.ask('auth', M.SESSION_END, { payload: wire.session(id.slice(0, 16)) });
		assert.equal(r.type, M.FAIL, id);
		assert.deepEqual(read.fail(r.data), { code: FAIL.notFound, text: 'not found' });
	}
	assert.ok(sessionsOf('bob').some((s) => s.session === ids.bob));
	const own = await Evil.connect(d.port);
	const w = await login(own, 'ann');
	const r = await e.ask('auth', M.SESSION_END, { payload: wire.session(w.session) });
	assert.equal(r.type, M.OK);
	// The other worker of that session hears of it, and is done.
	assert.equal((await own.recv('auth')).type, M.REVOKED);
	assert.ok(!sessionsOf('ann').some((s) => s.session === w.session));
	own.close();
	e.close();
});

test('strings without an end are a violation', async () => {
	const full = (n) => Buffer.alloc(n, 'a');
	const login0 = wire.login('ann', password);
	const cases = [['LAST', full(1024)], ['SESSION_END', full(24)], ['IDE', full(24)],
		['LOGIN', Buffer.concat([full(255), login0.subarray(255)])],
		['LOGIN', Buffer.concat([login0.subarray(0, 255), full(1025), login0.subarray(1280)])],
		['LOGIN', Buffer.concat([login0.subarray(0, 1280), full(256), login0.subarray(1536)])],
		['LOGIN', Buffer.concat([login0.subarray(0, 1536), full(17), login0.subarray(1553)])]];
	for (const [name, payload] of cases) {
		const at = d.log.length;
		const e = await evil('ann');
		assert.equal(payload.length, rows[M[name]].max);
		assert.equal(await e.send('auth', M[name], { payload }), 'ok');
		await isClosed(e, 'auth');
		await waitFor('its line', () => /worker\.violation .*user="ann" why="[^"]+"/.test(d.log.slice(at)));
		e.close();
	}
	await alive('after it');
});

test('the portal shows only what is one\'s own', async () => {
	const e = await evil('ann');
	const r = await e.ask('auth', M.PORTAL, { id: 77 });
	assert.equal(r.type, M.ROW_SANDBOX);
	assert.equal(read.sandbox(r.data).user, 'ann');
	let n = 0;
	for (;;) {
		const row = await e.recv('auth');
		assert.equal(row.id, 77);
		if (row.type === M.OK) break;
		assert.equal(row.type, M.ROW_SESSION);
		assert.equal(read.session(row.data).user, 'ann');
		n++;
	}
	assert.equal(n, sessionsOf('ann').length);
	e.close();
});

test('after logout nothing that it says counts', async () => {
	const e = await Evil.connect(d.port);
	const w = await login(e, 'ann');
	assert.equal((await e.ask('auth', M.LOGOUT)).type, M.OK);
	for (const [name, payload] of [['PORTAL'], ['MINT'], ['IDE', wire.ide()], ['AUTH_TOKEN', wire.token(tokens.ann)],
		['AUTH_TOKEN', wire.token(tokens.bob)], ['LAST', wire.last('folder=/evil')]])
		await e.send('auth', M[name], { payload });
	// Ten seconds to leave, then the channel goes.
	assert.equal(await e.cmd('drain', 'auth', 15000), 'drained 0 eof');
	e.close();
	const again = await Evil.connect(d.port);
	assert.equal(read.who((await again.ask('auth', M.AUTH_TOKEN, { payload: wire.token(w.token) })).data).result, AUTH.denied);
	again.close();
});

test("a revoked user's worker gets nothing more, though it does not leave", async () => {
	const e = await Evil.connect(d.port);
	const w = await login(e, 'ann');
	d.ok(['session', 'revoke', w.session]);
	assert.equal((await e.recv('auth')).type, M.REVOKED);
	await e.send('auth', M.PORTAL);
	await e.send('auth', M.IDE, { payload: wire.ide() });
	assert.equal((await e.recv('auth', 1500)).what, 'none');
	e.close();
});

// --- what a bound worker may have ---

test('a descriptor of the IDE is one of the own sandbox', async () => {
	for (const user of ['ann', 'bob']) {
		const e = await evil(user);
		const r = await e.ask('auth', M.IDE, { payload: wire.ide(), ms: 90000 });
		assert.equal(r.type, M.IDE_FD, JSON.stringify(r));
		assert.equal(await e.cmd('peer'), `peer ${uids[user]}`);
		e.close();
	}
	assert.deepEqual(d.sandboxes().map((s) => s.user).sort(), ['ann', 'bob']);
	for (const user of ['ann', 'bob']) d.ok(['sandbox', 'stop', user]);
});

// --- keys ---

const context = (hash = 32) => Buffer.concat([Buffer.alloc(64, ' '),
	Buffer.from('TLS 1.3, server CertificateVerify\0', 'latin1'), crypto.randomBytes(hash)]);

test('one signature for each connection, of a TLS handshake', async () => {
	const e = await Evil.connect(d.port);
	const tbs = context();
	const r = await e.ask('keys', M.SIGN, { payload: wire.sign(keyid, 0x0403, tbs) });
	assert.equal(r.type, M.SIGNED);
	const s = read.signed(r.data);
	assert.equal(s.ok, 1);
	assert.ok(crypto.verify('sha256', tbs, spki, s.sig));
	const at = d.log.length;
	await e.send('keys', M.SIGN, { payload: wire.sign(keyid, 0x0403, context()) });
	await isClosed(e, 'keys');
	await waitFor('its line', () => /ided-keys\S* warning channel\.violation peer="worker" message="SIGN" .*why="message in the wrong state"/.test(d.log.slice(at)));
	e.close();
	// The same after a signature that was refused.
	const f = await Evil.connect(d.port);
	const none = read.signed((await f.ask('keys', M.SIGN, { payload: wire.sign(Buffer.alloc(32), 0x0403, tbs) })).data);
	assert.deepEqual([none.ok, none.sig.length], [0, 0]);
	await f.send('keys', M.SIGN, { payload: wire.sign(keyid, 0x0403, tbs) });
	await isClosed(f, 'keys');
	f.close();
});

test('nothing else is signed', async () => {
	const good = context();
	const flip = (at) => { const b = Buffer.from(good); b[at] ^= 1; return b; };
	const client = Buffer.from(good.toString('latin1').replace('server', 'client'), 'latin1');
	const cases = [
		['random bytes', wire.sign(keyid, 0x0403, crypto.randomBytes(130))],
		['nothing', wire.sign(keyid, 0x0403, Buffer.alloc(0))],
		['a digest', wire.sign(keyid, 0x0403, crypto.randomBytes(32))],
		['a certificate', wire.sign(keyid, 0x0403, Buffer.from('30820122308201', 'hex'))],
		['a client\'s signature', wire.sign(keyid, 0x0403, client)],
		['a context that begins otherwise', wire.sign(keyid, 0x0403, flip(0))],
		['a context that ends otherwise', wire.sign(keyid, 0x0403, flip(97))],
		['a hash too short', wire.sign(keyid, 0x0403, good.subarray(0, -1))],
		['a hash too long', wire.sign(keyid, 0x0403, Buffer.concat([good, Buffer.alloc(1)]))],
		['a length beyond the message', wire.sign(keyid, 0x0403, good, 1025)],
		['the largest length', wire.sign(keyid, 0x0403, good, 0xffffffff)],
		['a scheme of another key', wire.sign(keyid, 0x0804, good)],
		['a scheme without a name', wire.sign(keyid, 0xffff, good)],
		['SHA-1', wire.sign(keyid, 0x0203, good)],
		['RSA without padding', wire.sign(keyid, 0x0101, good)],
		['TLS 1.2 with an unknown group', wire.sign(keyid, 0x0403,
			Buffer.concat([crypto.randomBytes(64), Buffer.from([3, 0, 99, 32]), crypto.randomBytes(32)]))],
		['TLS 1.2 with a point of another length', wire.sign(keyid, 0x0403,
			Buffer.concat([crypto.randomBytes(64), Buffer.from([3, 0, 0x1d, 33]), crypto.randomBytes(33)]))],
	];
	for (const [what, payload] of cases) {
		const at = d.log.length;
		const e = await Evil.connect(d.port);
		assert.equal(await e.send('keys', M.SIGN, { payload }), 'ok');
		await isClosed(e, 'keys').catch(() => assert.fail(`${what} was answered`));
		await waitFor(what, () => /ided-keys\S* warning worker\.violation .*message="SIGN" why="[^"]+"/.test(d.log.slice(at)));
		e.close();
	}
	await alive('after it');
});

test('TLS sessions: unknown ids, replays, and places that are taken', async () => {
	const id = crypto.randomBytes(32);
	const get = async (x) => {
		const e = await Evil.connect(d.port);
		const r = await e.ask('keys', M.SESS_GET, { payload: wire.sess(x) });
		e.close();
		assert.equal(r.type, M.SESS);
		assert.ok(r.data.subarray(40 + read.sess(r.data).len).every((b) => b === 0), 'nothing behind it');
		return read.sess(r.data);
	};
	const put = async (x, der) => {
		const e = await Evil.connect(d.port);
		assert.equal(await e.send('keys', M.SESS_PUT, { payload: wire.sess(x, der) }), 'ok');
		// An answer to what follows says that it was taken.
		assert.equal((await e.ask('keys', M.SESS_GET, { payload: wire.sess(crypto.randomBytes(32)) })).type, M.SESS);
		e.close();
	};
	assert.equal((await get(id)).len, 0);
	assert.equal((await get(Buffer.alloc(32))).len, 0);
	await put(id, Buffer.from('the first one'));
	await put(id, Buffer.from("an attacker's"));
	assert.equal((await get(id)).der.toString(), 'the first one');
	assert.equal((await get(id)).len, 0, 'given out once');
	await put(id, Buffer.alloc(4096, 1));
	assert.equal((await get(id)).len, 0, 'larger than a session is');
});

test('TLS sessions: more than a handshake needs is a violation', async () => {
	const id = () => crypto.randomBytes(32);
	const cases = [
		['an empty session', [['SESS_PUT', wire.sess(id())]]],
		['a length beyond the message', [['SESS_PUT', wire.sess(id(), Buffer.alloc(1), 4097)]]],
		['the largest length', [['SESS_PUT', wire.sess(id(), Buffer.alloc(1), 0xffffffff)]]],
		['a question with an answer', [['SESS_GET', wire.sess(id(), Buffer.alloc(8))]]],
		['two questions', [['SESS_GET', wire.sess(id())], ['SESS_GET', wire.sess(id())]]],
		['three sessions', Array.from({ length: 3 }, () => ['SESS_PUT', wire.sess(id(), Buffer.alloc(8))])],
		['a question after the signature', [['SIGN', wire.sign(keyid, 0x0403, context())], ['SESS_GET', wire.sess(id())]]],
	];
	for (const [what, messages] of cases) {
		const e = await Evil.connect(d.port);
		for (const [name, payload] of messages)
			await e.send('keys', M[name], { payload });
		assert.match(await e.cmd('drain', 'keys', 3000), /^drained [01] eof$/, what);
		e.close();
	}
	await alive('after it');
});

// --- floods ---

// How long somebody else waits meanwhile, at worst.
async function whileOthers(work) {
	const e = await evil('bob');
	let over = false, worst = 0, n = 0;
	const others = (async () => {
		while (!over) {
			const t = Date.now();
			const r = await e.ask('auth', M.PORTAL, { id: ++n, ms: 20000 });
			assert.equal(r.type, M.ROW_SANDBOX);
			while ((await e.recv('auth', 20000)).type !== M.OK) ;
			worst = Math.max(worst, Date.now() - t);
			await sleep(60);
		}
	})();
	try { await work(); } finally { over = true; await others; e.close(); }
	assert.ok(n > 3, 'others were served');
	return worst;
}

test('a flood of questions, and no answer is read: nobody waits, nothing grows', async (t) => {
	const was = { auth: rss('auth'), keys: rss('keys'), master: rss('master') };
	const floods = [['auth', 'PORTAL', Buffer.alloc(0), 'ann'], ['auth', 'AUTH_TOKEN', crypto.randomBytes(32)],
		['auth', 'AUTH_TOKEN', Buffer.from(tokens.ann, 'hex'), 'ann'], ['auth', 'MINT', Buffer.alloc(0), 'ann'],
		['auth', 'BEAT', Buffer.alloc(0), 'ann'], ['auth', 'SESSION_END', wire.session(ids.bob), 'ann'],
		['auth', 'LAST', wire.last('folder=/home/ann/x'), 'ann'], ['auth', 'LOGIN', wire.login('nobody', 'x')],
		['master', 'STAGE', wire.stage(2, 1)], ['master', 'LOG', wire.log(4, 'flood', 'a line of a worker')]];
	const at = d.log.length;
	const worst = await whileOthers(async () => {
		const es = [];
		await Promise.all(floods.flatMap((f) => [f, f]).map(async ([chan, name, payload, user]) => {
			const e = await evil(user);
			es.push(e);
			await e.cmd('flood', chan, M[name], 1, 20000, payload.length, payload.toString('hex'));
		}));
		await sleep(2000);
		for (const e of es) e.close();
	});
	t.diagnostic(`others waited ${worst} ms at worst`);
	assert.ok(worst < 3000, `others waited ${worst} ms`);
	for (const role of Object.keys(was)) {
		const grown = rss(role) - was[role];
		assert.ok(grown < 16 * 1024, `${role} grew by ${grown} kB`);
	}
	const lines = (d.log.slice(at).match(/ flood /g) || []).length;
	assert.ok(lines > 0 && lines < 400, `${lines} lines of log by two workers`);
	await alive('after it');
	assert.ok(sessionsOf('bob').some((s) => s.session === ids.bob));
});

test('nobody logs in by trying: one at a time, then limited', async () => {
	const limited = await startDaemon({ users: ['ann'], ratelimit: 'login 5 per 1m',
		prefork: 'spare 4\nmax 400\nper-source 100\nstartups 300:30:400' });
	try {
		const from = source();
		const e = await Evil.connect(limited.port, from);
		// Ten at once on one channel: one is looked at, nine are not.
		const sent = await Promise.all(Array.from({ length: 10 }, (_, i) =>
			e.send('auth', M.LOGIN, { id: i + 1, payload: wire.login('ann', `Guess-${i}`) })));
		assert.deepEqual(new Set(sent), new Set(['ok']));
		const answers = [];
		for (let i = 0; i < 10; i++) answers.push(read.who((await e.recv('auth', 20000)).data).result);
		assert.deepEqual(answers.sort(), [AUTH.denied, ...Array(9).fill(AUTH.busy)]);
		// One after the other, on channels of their own.
		const results = [];
		for (let i = 0; i < 8; i++) {
			const f = await Evil.connect(limited.port, from).catch(() => null);
			const r = f && await f.ask('auth', M.LOGIN, { payload: wire.login('ann', `Again-${i}`), ms: 20000 })
				.catch(() => null);
			results.push(r?.data ? read.who(r.data).result : 'refused');
			f?.close();
		}
		// Five in all are looked at; then auth limits, or master lets nobody in.
		assert.deepEqual(results.filter((r) => r === AUTH.denied).length, 4 - results.filter((r) => r === 'refused' && results.indexOf(r) < 4).length, `${results}`);
		assert.ok(!results.includes(AUTH.ok));
		assert.ok(results.slice(4).every((r) => r === AUTH.limited || r === 'refused'), `${results}`);
		// The one who knows the password, from elsewhere, gets in.
		const g = await Evil.connect(limited.port);
		assert.equal(read.who((await g.ask('auth', M.LOGIN, { payload: wire.login('ann', password), ms: 20000 })).data).result, AUTH.ok);
		g.close();
		e.close();
	} finally {
		await limited.stop();
	}
});

test('descriptors of the IDE that nobody takes: others still get theirs', async () => {
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	const first = await evil('ann');
	assert.equal((await first.ask('auth', M.IDE, { payload: wire.ide(), ms: 90000 })).type, M.IDE_FD);
	first.close();
	const es = await Promise.all(Array.from({ length: 10 }, () => evil('ann')));
	await Promise.all(es.map((e) => e.cmd('flood', 'auth', M.IDE, 1, 300, 24, wire.ide().toString('hex'))));
	await sleep(3000);
	const e = await evil('bob');
	const r = await e.ask('auth', M.IDE, { payload: wire.ide(), ms: 90000 });
	assert.equal(r.type, M.IDE_FD, JSON.stringify(r));
	e.close();
	for (const x of es) x.close();
	await alive('after it');
	await waitFor("auth's descriptors", () => fdCount('auth') < 200, 10000);
	for (const user of ['ann', 'bob']) d.ok(['sandbox', 'stop', user]);
});

// --- forging ---

test('what a worker logs is one line, of its own, and not above an error', async () => {
	const at = d.log.length;
	const lines = [
		['x\nided-auth[1] notice login.ok', 'user="root"'],
		['event\r\n', 'a\r\n2026-01-01T00:00:00.000Z ided-auth[1] notice login.ok user="root"'],
		['color', '\x1b[2J\x1b]0;owned\x07 \x9b31m'],
		['quote', '" level="emerg" proc="auth'],
		['bytes', '\xff\xfe\xc0\xaf'],
		['', '%s%n%x'],
	];
	for (const [event, line] of lines) {
		const e = await Evil.connect(d.port);
		assert.equal(await e.send('master', M.LOG, { payload: wire.log(0, event, line) }), 'ok');
		await sleep(50);
		e.close();
	}
	await waitFor('six lines', () => (d.log.slice(at).match(/ ided-worker\[/g) || []).length >= 6);
	const got = d.log.slice(at).split('\n').filter((l) => / ided-worker\[/.test(l));
	assert.equal(got.length, 6);
	for (const l of d.log.slice(at).split('\n').filter(Boolean))
		assert.match(l, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ided-[a-z]+\[\d+\] (error|warning|notice|info|debug) /);
	for (const l of got) {
		assert.match(l, /Z ided-worker\[\d+\] error /);
		assert.doesNotMatch(l, /[\x00-\x1f\x7f]/); // eslint-disable-line no-control-regex
	}
	// A level or a string that is none is dropped, and nobody is the worse for it.
	const bad = await Evil.connect(d.port);
	for (const payload of [wire.log(99, 'x', 'y'), Buffer.alloc(1656, 'a')])
		assert.equal(await bad.send('master', M.LOG, { payload }), 'ok');
	assert.equal((await bad.recv('master', 300)).what, 'none');
	bad.close();
	await alive('after it');
});

test('a worker can only make its own source look bad', async () => {
	const from = source();
	const e = await Evil.connect(d.port, from);
	for (const [stage, n] of [[0, 0], [3, 0xffffffff], [4, 1], [99, 7], [0xffffffff, 0xffffffff]])
		assert.equal(await e.send('master', M.STAGE, { payload: wire.stage(stage, n) }), 'ok');
	for (let i = 0; i < 40; i++) await e.send('master', M.STAGE, { payload: wire.stage(4) });
	assert.equal((await e.recv('master', 500)).what, 'none', 'its channel goes on');
	// Others come in as before, and it does not.
	await alive('after it');
	const again = await Evil.connect(d.port, from);
	await assert.rejects(again.who());
	e.close();
});

test('a worker that broke a rule is punished by its source, for as long as a crash', async () => {
	const from = source();
	const e = await Evil.connect(d.port, from);
	await e.send('master', M.STOP);
	await isClosed(e, 'master');
	const again = await Evil.connect(d.port, from);
	await assert.rejects(again.who());
	e.close();
	await alive('after it');
});

for (const chan of ['master', 'auth', 'keys'])
	test(`a worker that broke a rule towards ${chan} does not go on living`, async () => {
		const e = await Evil.connect(d.port);
		const { pid } = await e.who();
		await e.send(chan, 65535);
		await isClosed(e, chan);
		await waitFor('its end', () => !fs.existsSync(`/proc/${pid}`), 5000);
		e.close();
	});

test('in the end: the same processes, none of them larger, nobody crashed', async () => {
	await alive('in the end');
	const s = JSON.parse(d.ok(['-j', 'status']));
	assert.equal((Array.isArray(s) ? s[0] : s).crashes, 0);
	assert.doesNotMatch(d.log, /BUG:|ided-(auth|keys|master|isolation)\[\d+\] (emerg|alert|critical)/);
});
