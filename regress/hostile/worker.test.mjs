// A worker under full control of an attacker: it says what it likes to auth,
// keys and master, gets nothing but what its one user may have, and dies of every
// broken rule.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { frugal, Site, P, S, AUTH, FAIL, PAYLOAD_MAX, isClosed, locationId, password, read, violation, waitFor, weight, wire }
	from './evil-site.mjs';
import { wildcardCertificate } from '../system/port-daemon.mjs';
import crypto from 'node:crypto';

const folder = '/usr/lib';
const locations = [{ prefix: '/files/', kind: 3, target: folder }, { prefix: '/admins/', kind: 3, target: folder, role: 'admin' },
	{ prefix: '/service/', kind: 0, target: '/run/no.such.socket', role: 'admin' }];
let site, d, M, rows;
const evil = (user, from) => site.evil(user, from);
const alive = (what) => site.alive(what);

before(async () => {
	site = await Site.start(frugal, locations.map((l) => `location "${l.prefix}" { ${l.kind === 3 ? 'root' : 'proxy to unix'} "${l.target}"${l.role ? `; require role ${l.role}` : ''} }\n`).join('') +
		'proxy { domain "*.ide.localhost"; share public }\n', { certificateFor: wildcardCertificate });
	({ d, M, rows } = site);
});
after(() => site?.stop());

test('the table holds what a worker may say, and nothing with a descriptor', () => {
	const said = rows.filter((r) => r && (r.from & P.worker)).map((r) => r.name).sort();
	assert.deepEqual(said, ['API_TOKEN', 'AUDIT_QUERY', 'AUTH_TOKEN', 'BEAT', 'HEART_ASK', 'HOLD', 'IDE', 'JWKS', 'JWT_REFRESH',
		'JWT_USE', 'LAST', 'LEASE_ASK', 'LEASE_BACK', 'LOCATION', 'LOCATION_FILE', 'LOCATION_SIGN', 'LOG', 'LOGIN', 'LOGOUT', 'ME', 'METRICS_ASK', 'ME_ACTIVITY', 'ME_PASSWORD', 'ME_PUT', 'ME_SESSIONS',
		'ME_SESSIONS_END', 'ME_SESSION_END', 'ME_USAGE', 'MINT', 'PORT', 'PORTAL', 'PORT_CODE', 'PORT_ENTER', 'PORT_TOKEN',
		'RATELIMITS', 'REGISTER', 'REQUEST', 'RESET_USE', 'ROLES', 'SANDBOXES', 'SANDBOX_KILL', 'SESSIONS', 'SESSIONS_KILL', 'SESSION_END', 'SESSION_KILL',
		'SESS_GET', 'SESS_PUT', 'SETTINGS_GET', 'SETTINGS_PUT', 'SHARE_ADD', 'SHARE_CODE', 'SHARE_END', 'SHARE_ENTER', 'SHARE_LIST', 'SHARE_PORT', 'SHARE_SIGN', 'SHARE_TOKEN', 'SHARE_VISIT', 'SIGN', 'SOURCE', 'STAGE', 'STATS', 'TOKEN_ADD', 'TOKEN_END',
		'TOKEN_LIST', 'TRAFFIC', 'UPDATE', 'USERS', 'USER_ADD', 'USER_APPROVE', 'USER_DELETE', 'USER_DISABLE', 'USER_ENABLE', 'USER_GET',
		'USER_LIMITS', 'USER_PUT', 'USER_RESET', 'USER_TOKENS', 'USER_TOKEN_END', 'WANT_AUTH']);
	for (const r of rows) if (r && (r.from & P.worker)) assert.equal(r.fd, 0, r.name);
});

// --- every type, direction, length, number of descriptors ---

const kinds = ['null', 'folder', 'path', 'memory', 'client', 'channel', 'pipe', 'seqpacket', 'listen'];

const counts = [0, 1, 2, 253];
const long = Boolean(process.env.IDED_LONG);

// What a worker may say to this process comes with every pair of a length and a
// number of descriptors; what it may not, with each of them (in the long run with
// every pair as well).
function* matrix(chan, state) {
	let n = 0;
	for (const type of [...Array(site.past + 1).keys(), 255, 256, 65535]) {
		const row = rows[type] || { min: 0, max: 0 };
		const lens = new Set([0, row.min - 1, row.min, row.max, row.max + 1, PAYLOAD_MAX, 20000]);
		const foreign = !(row.from & P.worker && row.to & P[chan]);
		for (const [i, size] of [...lens].filter((l) => l >= 0).entries())
			for (const nfds of foreign && !long ? [counts[(i + type) % 4]] : counts) {
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
	const lines = new Map();
	const re = /ided-(\w+)\[\d+\] warning channel\.violation peer="worker" message="(\w+)" type=(\d+) len=(\d+) why="([^"]*)"/g;
	for (const [, proc, name, type, len, why] of log.matchAll(re)) {
		const k = `${proc} ${name} ${type} ${len} ${why}`;
		lines.set(k, (lines.get(k) || 0) + 1);
	}
	return lines;
};

async function all(jobs, width, fn) {
	const list = jobs[Symbol.iterator]();
	await Promise.all(Array.from({ length: width }, async () => {
		for (let j = list.next(); !j.done; j = list.next()) await fn(j.value);
	}));
}

// Each violation from a worker of its own, which dies of it.
async function breakAll(chans, state, user) {
	const want = new Map();
	const before = violationLines(d.log);
	const jobs = chans.flatMap((chan) => [...matrix(chan, state)].map((v) => ({ chan, ...v })));
	const problems = [];
	await all(jobs, 12, async ({ chan, m, why }) => {
		const key = `${chan} ${rows[m.type]?.name ?? 'unknown'} ${m.type} ${m.len} ${why}`;
		want.set(key, (want.get(key) || 0) + 1);
		try {
			const e = await evil(user);
			await e.offend(chan, m.type, m, `${JSON.stringify(m)} to ${chan} (${why})`);
		} catch (err) {
			problems.push(err.message);
		}
	});
	assert.deepEqual(problems.slice(0, 10), []);
	const got = () => {
		const now = violationLines(d.log);
		return new Map([...now].map(([k, n]) => [k, n - (before.get(k) || 0)]).filter(([, n]) => n > 0));
	};
	const total = (c) => [...c.values()].reduce((a, b) => a + b, 0);
	await waitFor('all to be logged', () => total(got()) >= total(want)).catch(() => {});
	const differ = [...new Set([...want.keys(), ...got().keys()])]
		.filter((k) => want.get(k) !== got().get(k))
		.map((k) => `${k}: ${got().get(k)} lines instead of ${want.get(k)}`);
	assert.deepEqual(differ.slice(0, 10), []);
	return total(want);
}

// What thousands of workers that died leave behind: nothing.
const weighed = ['master', 'zygote', 'auth', 'keys', 'isolation'];
const weigh = () => Object.fromEntries(weighed.map((r) => [r, { fds: site.fdCount(r), rss: site.rss(r) }]));

async function flat(t, was) {
	for (const role of weighed)
		await waitFor(`descriptors of ${role}`, () => site.fdCount(role) <= was[role].fds, 10000)
			.catch(() => assert.fail(`${role}: ${was[role].fds} descriptors before, ${site.fdCount(role)} after`));
	const now = weigh();
	t.diagnostic(weighed.map((r) => `${r} ${now[r].rss - was[r].rss} kB`).join(', '));
	// Master has an entry for each of their sources, with windows for its requests; both
	// tables have an end.
	for (const role of weighed)
		assert.ok(now[role].rss <= was[role].rss + weight(role === 'master' ? 4096 : 2048), `${role}: ${was[role].rss} kB before, ${now[role].rss} kB after`);
}

test('every type, direction, length and number of descriptors, from a worker that nobody logged in on', async (t) => {
	const was = weigh();
	const n = await breakAll(['master', 'keys', 'auth'], S.fresh);
	t.diagnostic(`${n} violations`);
	assert.ok(n > 3000, `${n}`);
	await alive('after it');
	await flat(t, was);
});

test('the same to auth, from a worker that is bound to a user', async (t) => {
	const was = weigh();
	const n = await breakAll(['auth'], S.bound, 'ann');
	t.diagnostic(`${n} violations`);
	assert.ok(n > 1200, `${n}`);
	await alive('after it');
	await flat(t, was);
});

test('bytes that are no message', async () => {
	for (const chan of ['auth', 'keys', 'master'])
		// Descriptors without a byte are not even a message to the kernel; with
		// one, they are closed with the channel.
		for (const [nfds, kind, size] of [[0, 'null', 1], [0, 'null', 15], [200, 'channel', 1]]) {
			const e = await evil();
			e.cmd('raw', chan, nfds, kind, size, 'ff').catch(() => {});
			await e.killed(`${size} bytes and ${nfds} descriptors to ${chan}`);
		}
	await alive('after it');
});

test('orders of other roles are refused, and not obeyed', async () => {
	const users = JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => u.name);
	const orders = [
		['master', 'STOP'], ['master', 'CONF_MASTER', 1, 'memory'], ['master', 'LISTEN', 1, 'listen'],
		['master', 'LISTEN_DONE'], ['master', 'JOIN_AUTH', 1, 'seqpacket'], ['master', 'JOIN_ZYGOTE', 1, 'seqpacket'],
		['master', 'WORKER_NOTE'], ['master', 'WORKER_EXIT'], ['master', 'READY'], ['master', 'LOG_FILE', 1, 'memory'],
		['auth', 'CTL_RELOAD'], ['auth', 'CTL_STOP'], ['auth', 'CTL_STATUS'], ['auth', 'CTL_HANDOVER'],
		['auth', 'CTL_SANDBOX_STOP'], ['auth', 'CTL_EXEC'], ['auth', 'CTL_SANDBOX_LIST'], ['auth', 'RELOAD'],
		['auth', 'STOPPING'], ['auth', 'WORKER_AUTH', 1, 'seqpacket'], ['auth', 'JOIN_HASH', 1, 'seqpacket'], ['auth', 'JOIN_FETCH', 1, 'seqpacket'],
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
			await e.offend(chan, M[name], { payload, nfds, kind }, `a worker that says ${name} to ${chan}`);
		}
	await alive('after it');
	assert.deepEqual(JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => u.name), users);
	assert.doesNotMatch(d.log, /ided\.stop/);
});

// --- states ---

test('a worker that nobody logged in on gets nothing', async () => {
	for (const name of ['IDE', 'PORTAL', 'MINT', 'UPDATE', 'LAST', 'SESSION_END', 'LOGOUT', 'BEAT', 'HOLD', 'ME_ACTIVITY', 'PORT', 'PORT_CODE']) {
		const e = await evil();
		const payload = name === 'SESSION_END' ? wire.session(site.ids.ann) :
			name === 'LAST' ? wire.last('folder=/evil') : name === 'HOLD' ? wire.hold(1) : name === 'ME_ACTIVITY' ? wire.activity(0) : name === 'PORT' ? wire.port(3000) :
				name === 'PORT_CODE' ? wire.portCode(Buffer.alloc(32), 3000) : undefined;
		await e.offend('auth', M[name], { payload });
	}
	assert.ok(site.sessionsOf('ann').some((s) => s.session === site.ids.ann), "ann's session is there");
	await alive('after it');
});

// --- services of the site's own ---

test("services of the site's own: what the user's role does not permit, and what is no such thing", async () => {
	const [files, admins, service] = locations.map(locationId);
	const e = await evil('ann');
	const fails = async (name, payload, code) => {
		const r = await e.ask('auth', M[name], { payload });
		assert.equal(r.type, M.FAIL, name);
		assert.equal(read.fail(r.data).code, code, `${name} ${read.fail(r.data).text}`);
	};
	const file = await e.ask('auth', M.LOCATION_FILE, { payload: wire.locationFile(files, 'os-release') });
	assert.equal(file.type, M.LOCATION_FILE_FD);
	for (const path of ['', '/', '../passwd', '/etc/passwd', 'systemd/../../../etc/passwd', './os-release', 'systemd//x', 'none', '\xff\xfe', 'os-release/x', 'x'.repeat(1000)])
		await fails('LOCATION_FILE', wire.locationFile(files, path), path === '' ? FAIL.exists : FAIL.notFound);
	await fails('LOCATION_FILE', wire.locationFile(admins, 'os-release'), FAIL.denied);
	await fails('LOCATION', service, FAIL.denied);
	await fails('LOCATION_SIGN', service, FAIL.denied);
	await fails('LOCATION_SIGN', admins, FAIL.denied);
	const gone = 9; // FAIL_UNAVAILABLE
	await fails('LOCATION', files, gone);
	await fails('LOCATION', crypto.randomBytes(16), gone);
	await fails('LOCATION_FILE', wire.locationFile(crypto.randomBytes(16), 'os-release'), gone);
	await fails('LOCATION_SIGN', locationId({ ...locations[2], role: '' }), gone);
	const signed = await e.ask('auth', M.LOCATION_SIGN, { payload: files });
	assert.equal(signed.type, M.LOCATION_SIGNED);
	assert.match(signed.data.toString('latin1'), /\0ann\0/, 'it is told of nobody else');
	e.close();
	for (const name of ['LOCATION', 'LOCATION_SIGN']) {
		const n = await evil();
		await n.offend('auth', M[name], { payload: files });
	}
	const b = await evil('ann');
	await b.offend('auth', M.LOCATION_FILE, { payload: Buffer.concat([files, Buffer.alloc(1024, 'x')]) });
	await alive('after it');
});

// --- ports ---

test('a port: what policy does not permit, and what is not there', async () => {
	const e = await evil('ann');
	for (const [port, code] of [[0, FAIL.denied], [1, FAIL.denied], [22, FAIL.denied], [1023, FAIL.denied]]) {
		const r = await e.ask('auth', M.PORT, { payload: wire.port(port) });
		assert.equal(r.type, M.FAIL);
		assert.equal(read.fail(r.data).code, code, String(port));
	}
	const r = await e.ask('auth', M.PORT, { payload: wire.port(3000), ms: 60000 });
	assert.equal(r.type, M.FAIL);
	e.close();
	await alive('after it');
});

test("a port's sign-on: a code that is guessed, used, late to the wrong port or browser", async () => {
	const sha = (b) => crypto.createHash('sha256').update(b).digest();
	const result = (r) => r.data.readUInt32LE(0);
	const code = async (port = 3000) => {
		const e = await evil('ann'), nonce = sha(crypto.randomBytes(32));
		const r = await e.ask('auth', M.PORT_CODE, { payload: wire.portCode(nonce, port) });
		assert.equal(r.type, M.PORT_CODED);
		e.close();
		return { code: r.data, nonce };
	};
	const enter = async (c, nonce, port = 3000) => {
		const e = await evil();
		const r = await e.ask('auth', M.PORT_ENTER, { payload: wire.portEnter(c, nonce, port) });
		assert.equal(r.type, M.PORT_ENTERED);
		return { e, r };
	};
	const a = await code();
	for (const [c, nonce, port] of [[crypto.randomBytes(32), a.nonce, 3000], [Buffer.alloc(32), Buffer.alloc(32), 3000],
		[a.code, sha(crypto.randomBytes(32)), 3000], [a.code, a.nonce, 3000]]) {
		const { e, r } = await enter(c, nonce, port);
		assert.equal(result(r), AUTH.denied, 'the last one was used up by the one before it');
		assert.deepEqual(r.data.subarray(4), Buffer.alloc(r.data.length - 4), 'and nothing is told');
		e.close();
	}
	const b = await code();
	const wrong = await enter(b.code, b.nonce, 3001);
	assert.equal(result(wrong.r), AUTH.denied);
	wrong.e.close();
	const e = await evil('ann');
	for (const port of [0, 80, 1023]) assert.equal((await e.ask('auth', M.PORT_CODE, { payload: wire.portCode(a.nonce, port) })).type, M.FAIL);
	e.close();
	const c = await code();
	const good = await enter(c.code, c.nonce);
	assert.equal(result(good.r), AUTH.ok);
	const token = good.r.data.subarray(8, 40);
	good.e.close();
	// What came of it is for that port, whoever shows it.
	for (const [t, port, want] of [[token, 3000, AUTH.ok], [token, 3001, AUTH.denied], [token, 0, AUTH.denied], [token, 80, AUTH.denied],
		[Buffer.from(token).fill(0, 8), 3000, AUTH.denied], [crypto.randomBytes(32), 3000, AUTH.denied],
		[Buffer.from(site.tokens.ann, 'hex'), 3000, AUTH.denied]]) {
		const w = await evil();
		const r = await w.ask('auth', M.PORT_TOKEN, { payload: wire.portToken(t, port) });
		assert.equal(read.who(r.data).result, want);
		assert.equal(read.who(r.data).last, '');
		w.close();
	}
	await alive('after it');
});

test('a worker that is for one port can do nothing else', async () => {
	const sha = (b) => crypto.createHash('sha256').update(b).digest();
	const one = async () => {
		const a = await evil('ann'), nonce = sha(crypto.randomBytes(32));
		const c = await a.ask('auth', M.PORT_CODE, { payload: wire.portCode(nonce, 3000) });
		a.close();
		const e = await evil();
		await e.ask('auth', M.PORT_ENTER, { payload: wire.portEnter(c.data, nonce, 3000) });
		return e;
	};
	for (const [name, payload] of [['IDE'], ['PORTAL'], ['MINT'], ['LAST', wire.last('folder=/evil')],
		['SESSION_END', wire.session(site.ids.ann)], ['LOGOUT'], ['PORT_CODE', wire.portCode(Buffer.alloc(32), 3001)],
		['AUTH_TOKEN', wire.token(site.tokens.ann)], ['LOGIN', wire.login('ann', 'x')], ['TOKEN_LIST', wire.list()], ['API_TOKEN', wire.token(site.tokens.ann)]])
		await (await one()).offend('auth', M[name], { payload }, `${name} of a worker that is for a port`);
	const e = await one();
	const r = await e.ask('auth', M.PORT, { payload: wire.port(3001) });
	assert.equal(r.type, M.FAIL);
	assert.equal(read.fail(r.data).code, FAIL.denied, "another port of the user's");
	const other = await e.ask('auth', M.PORT_TOKEN, { payload: wire.portToken(Buffer.alloc(32), 3001) });
	assert.equal(read.who(other.data).result, AUTH.denied);
	e.close();
	assert.ok(site.sessionsOf('ann').some((s) => s.session === site.ids.ann), "ann's session is there");
	await alive('after it');
});

// --- shared ports ---

const digits = '0123456789abcdefghijklmnopqrstuv';
const unlabel = (text) => Buffer.from(BigInt(`0b${[...text].map((c) => digits.indexOf(c).toString(2).padStart(5, '0')).join('')}`).toString(16).padStart(20, '0'), 'hex');
// Shared by their owner, as idectl says it for her: 0 of it is guessed.
const shares = {};
const shareOf = async (port, flag) => {
	if (!shares[port]) {
		d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
		const row = JSON.parse(d.ok(['-j', 'port', 'share', ...flag, 'ann', String(port)]));
		shares[port] = unlabel(/-([0-9a-v]{16})\./.exec(row.address)[1]);
	}
	return shares[port];
};

test('a shared port: who is not its owner shares, ends and lists nothing of it', async () => {
	await shareOf(3000, []);
	const e = await evil('bob');
	for (const [name, payload] of [['SHARE_ADD', wire.shareAdd(3001, 2, 'ann')], ['SHARE_END', wire.shareEnd(3000, 'ann')], ['SHARE_END', wire.shareEnd(0, 'ann')],
		['SHARE_LIST', wire.list({ user: 'ann', limit: 10 })], ['SHARE_ADD', wire.shareAdd(0, 1)], ['SHARE_ADD', wire.shareAdd(65536 + 3000, 1)],
		['SHARE_ADD', wire.shareAdd(22, 2)], ['SHARE_ADD', wire.shareAdd(3000, 0)], ['SHARE_ADD', wire.shareAdd(3000, 3)], ['SHARE_END', wire.shareEnd(3000)]]) {
		const r = await e.ask('auth', M[name], { payload });
		assert.equal(r.type, M.FAIL, `${name} ${payload.toString('hex')}`);
	}
	const mine = await e.ask('auth', M.SHARE_LIST, { payload: wire.list({ limit: 10 }) });
	assert.equal(mine.type, M.PAGE, "bob's are none");
	e.close();
	const a = await evil('ann');
	a.offend('auth', M.SHARE_ADD, { payload: wire.shareAdd(3001, 1).fill(65, 0, 36) }, 'a name without an end');
	await a.killed();
	await alive('after it');
});

test('a shared port: unbound, unasked, guessed, and with what is good elsewhere', async () => {
	const users = await shareOf(3000, []), open = await shareOf(3001, ['-p']);
	for (const [name, payload] of [['SHARE_PORT'], ['SHARE_SIGN'], ['SHARE_ADD', wire.shareAdd(3000, 1)], ['SHARE_END', wire.shareEnd(3000)],
		['SHARE_LIST', wire.list()], ['SHARE_CODE', wire.shareCode(Buffer.alloc(32), users, 3000)]])
		await (await evil()).offend('auth', M[name], { payload }, `${name} of nobody`);
	const visit = async (id, port) => {
		const e = await evil();
		const r = await e.ask('auth', M.SHARE_VISIT, { payload: wire.share(id, port) });
		assert.equal(r.type, M.SHARE_VISITED);
		return { e, what: r.data.readUInt32LE(0) };
	};
	for (const [id, port, what] of [[users, 3000, 2], [users, 3001, 1], [open, 3000, 1], [open, 0, 1], [crypto.randomBytes(10), 3001, 1], [Buffer.alloc(10), 3001, 1]]) {
		const v = await visit(id, port);
		assert.equal(v.what, what);
		// Whoever was not let in has nothing to ask for.
		await v.e.offend('auth', M.SHARE_PORT, {}, 'a port without being let in');
	}
	// A token of the own port is none of a share, and the other way round.
	const sha = (b) => crypto.createHash('sha256').update(b).digest();
	const nonce = sha(crypto.randomBytes(32));
	const b = await evil('bob');
	const code = await b.ask('auth', M.SHARE_CODE, { payload: wire.shareCode(nonce, users, 3000) });
	assert.equal(code.type, M.PORT_CODED);
	assert.equal((await b.ask('auth', M.SHARE_CODE, { payload: wire.shareCode(nonce, users, 3001) })).type, M.FAIL);
	const own = await b.ask('auth', M.PORT_CODE, { payload: wire.portCode(nonce, 3000) });
	b.close();
	const result = (r) => r.data.readUInt32LE(0);
	for (const [name, payload] of [['PORT_ENTER', wire.portEnter(code.data, nonce, 3000)], ['SHARE_ENTER', wire.shareEnter(code.data, nonce, users, 3000)],
		['SHARE_ENTER', wire.shareEnter(own.data, nonce, users, 3000)]]) {
		const e = await evil();
		const r = await e.ask('auth', M[name], { payload });
		assert.equal(result(r), AUTH.denied, 'each try uses a code up');
		e.close();
	}
	const b2 = await evil('bob');
	const again = await b2.ask('auth', M.SHARE_CODE, { payload: wire.shareCode(nonce, users, 3000) });
	b2.close();
	const e = await evil();
	const r = await e.ask('auth', M.SHARE_ENTER, { payload: wire.shareEnter(again.data, nonce, users, 3000) });
	assert.equal(result(r), AUTH.ok);
	const token = r.data.subarray(8, 40);
	for (const [name, payload] of [['PORT', wire.port(3000)], ['IDE'], ['PORTAL'], ['MINT'], ['BEAT'], ['LOGOUT'], ['SHARE_ADD', wire.shareAdd(3001, 1)],
		['SHARE_LIST', wire.list()], ['AUTH_TOKEN', wire.token(site.tokens.bob)], ['PORT_TOKEN', wire.portToken(token, 3000)], ['LOCATION_SIGN', Buffer.alloc(16)],
		['SHARE_VISIT', wire.share(open, 3001)]]) {
		const w = await evil();
		const t = await w.ask('auth', M.SHARE_TOKEN, { payload: wire.shareToken(token, users, 3000) });
		assert.equal(read.who(t.data).result, AUTH.ok);
		await w.offend('auth', M[name], { payload }, `${name} of a visitor`);
	}
	for (const [t, id, port] of [[token, open, 3001], [Buffer.from(token).fill(0, 8), users, 3000], [crypto.randomBytes(32), users, 3000]]) {
		const w = await evil();
		assert.equal(read.who((await w.ask('auth', M.SHARE_TOKEN, { payload: wire.shareToken(t, id, port) })).data).result, AUTH.denied);
		w.close();
	}
	const w = await evil();
	assert.equal(read.who((await w.ask('auth', M.PORT_TOKEN, { payload: wire.portToken(token, 3000) })).data).result, AUTH.denied);
	w.close();
	e.close();
	// A guest has that port, and is told of when it ends.
	const g = await visit(open, 3001);
	assert.equal(g.what, 3);
	assert.equal((await g.e.ask('auth', M.SHARE_SIGN)).type, M.FAIL, 'of nobody nothing is signed');
	assert.equal((await g.e.ask('auth', M.SHARE_PORT, { ms: 60000 })).type, M.FAIL, 'nobody listens there');
	const o = await visit(open, 3001);
	await o.e.offend('auth', M.SHARE_VISIT, { payload: wire.share(users, 3000) }, 'another share on the same channel');
	d.ok(['port', 'unshare', 'ann', '3001']);
	assert.equal((await g.e.recv('auth')).type, M.REVOKED);
	g.e.close();
	assert.equal((await visit(open, 3001)).what, 1);
	await alive('after it');
});

test('guessed tokens are denied', async () => {
	const e = await evil();
	for (const token of [Buffer.alloc(32), Buffer.alloc(32, 255), crypto.randomBytes(32),
		Buffer.from(site.ids.ann.repeat(2)), crypto.createHash('sha256').update(Buffer.from(site.tokens.ann, 'hex')).digest(),
		Buffer.from(site.tokens.ann, 'hex').reverse()]) {
		const r = await e.ask('auth', M.AUTH_TOKEN, { payload: token });
		const w = read.who(r.data);
		assert.equal(w.result, AUTH.denied);
		assert.deepEqual([w.name, w.session, w.uid, w.last], ['', '', 0, '']);
	}
	e.close();
});

test("bound to one user: another's token ends the channel, and tells nothing", async () => {
	const offer = async () => {
		const e = await evil('ann');
		const r = await e.ask('auth', M.AUTH_TOKEN, { payload: wire.token(site.tokens.bob) });
		const w = read.who(r.data);
		assert.equal(w.result, AUTH.otherUser);
		assert.deepEqual([w.name, w.session, w.uid, w.last, w.token], ['', '', 0, '', '0'.repeat(64)]);
		await isClosed(e, 'auth');
		e.close();
	};
	const told = () => /worker\.other_user .*user="ann"/.test(d.log);
	await offer();
	// Its line comes at a bounded rate, of which the floods before may have left nothing.
	await waitFor('its line', async () => told() || (await offer(), told()));
});

test("bound to one user: another's right password ends the channel, and makes no session", async () => {
	const before = site.sessionsOf('bob').length;
	const e = await evil('ann');
	const w = await site.login(e, 'bob');
	assert.equal(w.result, AUTH.otherUser);
	assert.deepEqual([w.name, w.session, w.token], ['', '', '0'.repeat(64)]);
	await isClosed(e, 'auth');
	e.close();
	assert.equal(site.sessionsOf('bob').length, before);
});

test("two answers at once: a token may not overtake another's login", async () => {
	const e = await evil();
	const [, , first, second] = await Promise.all([
		e.send('auth', M.LOGIN, { id: 7, payload: wire.login('bob', password) }),
		e.send('auth', M.AUTH_TOKEN, { id: 8, payload: wire.token(site.tokens.ann) }),
		e.recv('auth', 10000), e.recv('auth', 10000)]);
	assert.deepEqual([first.id, read.who(first.data).name], [8, 'ann']);
	assert.deepEqual([second.id, read.who(second.data).result], [7, AUTH.otherUser]);
	await isClosed(e, 'auth');
	e.close();
});

test("another user's session cannot be ended, one's own can", async () => {
	const e = await evil();
	assert.equal((await site.login(e, 'ann')).result, AUTH.ok);
	for (const id of [site.ids.bob, '0000000000000000', '', `${site.ids.bob}`.toUpperCase(), '../../../etc/pass', '%s%s%s%s%s%s%n']) {
		const r = await e.ask('auth', M.SESSION_END, { payload: wire.session(id.slice(0, 16)) });
		assert.equal(r.type, M.FAIL, id);
		assert.deepEqual(read.fail(r.data), { code: FAIL.notFound, text: 'not found' });
	}
	assert.ok(site.sessionsOf('bob').some((s) => s.session === site.ids.bob));
	const own = await evil();
	const w = await site.login(own, 'ann');
	const r = await e.ask('auth', M.SESSION_END, { payload: wire.session(w.session) });
	assert.equal(r.type, M.OK);
	// The other worker of that session hears of it, and is done.
	assert.equal((await own.recv('auth')).type, M.REVOKED);
	assert.ok(!site.sessionsOf('ann').some((s) => s.session === w.session));
	own.close();
	e.close();
});

test('strings without an end are a violation', async () => {
	const full = (n) => Buffer.alloc(n, 'a');
	const login0 = wire.login('ann', password);
	const cases = [['LAST', full(1024)], ['SESSION_END', full(24)],
		['LOGIN', Buffer.concat([full(255), login0.subarray(255)])],
		['LOGIN', Buffer.concat([login0.subarray(0, 255), full(1025), login0.subarray(1280)])]];
	for (const [name, payload] of cases) {
		assert.equal(payload.length, rows[M[name]].max);
		// Lines about strangers are bounded, and thousands came just before.
		await waitFor('its line', async () => {
			const at = d.log.length;
			await (await evil('ann')).offend('auth', M[name], { payload });
			return waitFor('the line', () => /worker\.violation .*user="ann" why="[^"]+"/.test(d.log.slice(at)), 1000).catch(() => false);
		}, 30000);
	}
	await alive('after it');
});

test('the portal shows only what is one\'s own', async () => {
	const e = await evil('ann');
	const got = await site.portal(e, 77);
	const boxes = got.filter((r) => r.type === M.ROW_SANDBOX);
	assert.deepEqual(boxes.map((r) => read.sandbox(r.data).user), ['ann']);
	const sessions = got.filter((r) => r.type === M.ROW_SESSION).map((r) => read.session(r.data));
	assert.ok(sessions.every((s) => s.user === 'ann'));
	assert.equal(sessions.length, site.sessionsOf('ann').length);
	e.close();
});

test('after logout nothing that it says counts', async () => {
	const e = await evil();
	const w = await site.login(e, 'ann');
	assert.equal((await e.ask('auth', M.LOGOUT)).type, M.OK);
	for (const [name, payload] of [['PORTAL'], ['MINT'], ['IDE'], ['AUTH_TOKEN', wire.token(site.tokens.ann)],
		['AUTH_TOKEN', wire.token(site.tokens.bob)], ['LAST', wire.last('folder=/evil')]])
		await e.send('auth', M[name], { payload });
	// Ten seconds to leave, then the channel goes.
	assert.equal(await e.cmd('drain', 'auth', 15000), 'drained 0 eof');
	e.close();
	const again = await evil();
	assert.equal(read.who((await again.ask('auth', M.AUTH_TOKEN, { payload: wire.token(w.token) })).data).result, AUTH.denied);
	again.close();
});

test("a revoked user's worker gets nothing more, though it does not leave", async () => {
	const e = await evil();
	const w = await site.login(e, 'ann');
	d.ok(['session', 'revoke', w.session]);
	assert.equal((await e.recv('auth')).type, M.REVOKED);
	await e.send('auth', M.PORTAL);
	await e.send('auth', M.IDE);
	assert.equal((await e.recv('auth', 1500)).what, 'none');
	e.close();
});

// --- what a bound worker may have ---

test('a descriptor of the IDE is one of the own sandbox', async () => {
	for (const user of ['ann', 'bob']) {
		const e = await evil(user);
		const r = await e.ask('auth', M.IDE, { ms: 90000 });
		assert.equal(r.type, M.IDE_FD, JSON.stringify(r));
		assert.equal(await e.cmd('peer'), `peer ${site.uids[user]}`);
		e.close();
	}
	assert.deepEqual(d.sandboxes().map((s) => s.user).sort(), ['ann', 'bob']);
	for (const user of ['ann', 'bob']) d.ok(['sandbox', 'stop', user]);
});

test('in the end: the same processes, none of them larger, nobody crashed', () => site.unharmed());
