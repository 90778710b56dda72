// A session that is over stays over: whatever a cookie was taken from, it opens nothing
// after logout, an administrator's word, a new password, a disabled account, a restart,
// and from nowhere else either.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { startDaemon, password, waitFor } from './daemon.mjs';

let d;
before(async () => { d = await startDaemon({ users: ['ann', 'bob'], conf: 'audit { store }' }); });
after(() => d?.stop());

const tokens = []; // all that were given out
async function login(user, pw = password) {
	const cookie = await d.login(user, pw);
	tokens.push(cookie.split('=')[1]);
	return cookie;
}

// Every way to use a token, from here and from elsewhere.
async function uses(cookie) {
	const out = [];
	for (const localAddress of [undefined, '127.0.7.7'])
		for (const headers of [{ cookie }, { authorization: `Bearer ${cookie.split('=')[1]}` }])
			for (const url of ['/', '/api/me', '/ide/'])
				out.push((await d.request('GET', url, { headers, localAddress })).status);
	return out;
}
const open = async (cookie) => (await d.request('GET', '/', { headers: { cookie } })).status === 200;

async function over(cookie, what) {
	for (const status of await uses(cookie)) assert.ok([302, 303, 401].includes(status), `${what}: ${status}`);
}

async function restart() {
	await d.stop({ keep: true });
	await d.start();
}

test('a live session is one, from here and from elsewhere, and after a restart', async () => {
	const cookie = await login('ann');
	assert.deepEqual((await uses(cookie)).filter((s) => s === 302 || s === 401), []);
	await restart();
	assert.deepEqual((await uses(cookie)).filter((s) => s === 302 || s === 401), []);
});

test('the own ones are listed: by what, whence, since when, and which of them asks', async () => {
	const headers = { 'user-agent': 'Probe/2.0 (of a test)' }, localAddress = '127.0.7.3';
	const cookie = await d.login('bob', password, { headers, localAddress });
	const ask = async () => (await d.request('GET', '/api/users/me/sessions', { headers: { cookie, accept: 'application/json' } })).json.data.items;
	const [mine] = (await ask()).filter((s) => s.current);
	const other = await login('bob');
	assert.deepEqual([mine.username, mine.device, mine.address], ['bob', headers['user-agent'], localAddress]);
	assert.ok(mine.connections >= 1, 'the one that asks');
	const [created, active, expires] = [mine.created, mine.lastActivity, mine.expires].map((t) => Date.parse(t));
	assert.ok(created <= active && active <= Date.now() && created > Date.now() - 60000, JSON.stringify(mine));
	assert.equal(expires - created, 24 * 3600000);
	const now = await ask();
	assert.deepEqual(now.filter((s) => s.current).map((s) => s.id), [mine.id]);
	assert.deepEqual(new Set(now.map((s) => s.address)), new Set([localAddress, '127.0.0.1']));
	// To idectl as well; another user's are not among them.
	assert.deepEqual(JSON.parse(d.ok(['-j', 'session', 'list', 'bob'])).map((s) => s.session).sort(), now.map((s) => s.id).sort());
	await d.post('/logout', {}, { headers: { cookie } });
	await d.post('/logout', {}, { headers: { cookie: other } });
});

test('after logout', async () => {
	const [cookie, other] = [await login('ann'), await login('ann')];
	await d.post('/logout', {}, { headers: { cookie } });
	await over(cookie, 'logged out');
	assert.ok(await open(other), 'the other one goes on');
	await restart();
	await over(cookie, 'logged out, and restarted');
	assert.ok(await open(other));
});

test('after an administrator has ended it', async () => {
	const cookie = await login('ann');
	// By its own word: others may have begun in the same second.
	const { session } = (await d.request('GET', '/api/me', { headers: { cookie } })).json.data;
	d.ok(['session', 'revoke', session]);
	await over(cookie, 'revoked');
});

test('after those of everybody were ended, which costs nothing for who has none', async () => {
	d.addUser('idle');
	const cookies = [await login('ann'), await login('ann'), await login('bob')];
	const before = d.log.length;
	assert.match(d.ok(['session', 'revoke', '-a']), /all sessions of 2 users ended/);
	for (const c of cookies) await over(c, 'everybody is out');
	await waitFor('word of the end', () => /sessions\.ended users=2 /.test(d.log.slice(before)));
	assert.equal(d.log.slice(before).match(/session\.revoked .*session="all"/g)?.length, 2);
	assert.match(d.ok(['session', 'revoke', '-a']), /all sessions of 0 users ended/);
	await restart();
	for (const c of cookies) await over(c, 'everybody is out, and restarted');
	assert.ok(await open(await login('ann')));
	d.ok(['user', 'delete', 'idle']);
});

test('after a new password', async () => {
	const [mine, other] = [await login('bob'), await login('bob')];
	d.ok(['user', 'passwd', 'bob'], 'Another-Horse-8\n');
	await over(mine, 'new password');
	await over(other, 'new password');
	await assert.rejects(d.login('bob', password, { localAddress: '127.0.7.8' }));
	assert.ok(await open(await login('bob', 'Another-Horse-8')));
	await restart();
	await over(mine, 'new password, and restarted');
});

test('after the account was disabled, enabled again, deleted, made anew', async () => {
	d.addUser('eve');
	const cookie = await login('eve');
	d.ok(['user', 'disable', 'eve']);
	await over(cookie, 'disabled');
	d.ok(['user', 'enable', 'eve']);
	await over(cookie, 'enabled again');
	const second = await login('eve');
	d.ok(['user', 'delete', 'eve']);
	await over(second, 'deleted');
	d.addUser('eve');
	await over(cookie, 'another of that name');
	await over(second, 'another of that name');
	assert.ok(await open(await login('eve')));
});

test('a killed auth forgets no end of a session', async () => {
	const cookie = await login('ann');
	const other = await login('ann');
	await d.post('/logout', {}, { headers: { cookie } });
	process.kill(d.role('auth')[0].pid, 'SIGKILL');
	await waitFor('auth', () => open(other));
	await over(cookie, 'logged out, and auth killed');
});

// Another line of the configuration, for as long as fn takes.
async function configured(from, to, fn) {
	const was = fs.readFileSync(d.conf, 'utf8');
	assert.match(was, from);
	fs.writeFileSync(d.conf, was.replace(from, to));
	try {
		d.ok(['reload']);
		await fn();
	} finally {
		fs.writeFileSync(d.conf, was);
		d.ok(['reload']);
	}
}
const records = (...args) => d.ok(['-j', 'audit', 'query', '-n', '1000', ...args]).split('\n').filter(Boolean)
	.map((l) => JSON.parse(l)).filter((r) => r.seq);
// A connection that acts for a session, and whether it has ended.
async function connected(cookie) {
	const s = await d.raw();
	const c = { closed: false, end: () => s.destroy() };
	s.on('error', () => {});
	s.on('close', () => { c.closed = true; });
	s.write(`GET /api/me HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${cookie}\r\n\r\n`);
	await new Promise((r) => s.once('data', r));
	return c;
}

test('so many of one user: the oldest gives way, with what it had open', async () => {
	d.addUser('max');
	d.addUser('root1', 'admin');
	const root = await d.login('root1');
	const counted = async () => {
		const s = (await d.request('GET', '/api/admin/stats', { headers: { cookie: root, accept: 'application/json' } })).json.data;
		return [s.sessions, s.logins, s.sessionsExpired, s.sessionsRevoked];
	};
	const was = await counted();
	await configured(/max 50/, 'max 3', async () => {
		const mine = [await login('max'), await login('max'), await login('max')];
		const [first, second] = [await connected(mine[0]), await connected(mine[1])];
		mine.push(await login('max'));
		await over(mine[0], 'one too many');
		await waitFor('its connection to end', () => first.closed);
		assert.ok(!second.closed);
		for (const c of mine.slice(1)) assert.ok(await open(c));
		assert.equal(JSON.parse(d.ok(['-j', 'session', 'list', 'max'])).length, 3);
		assert.deepEqual(records('-u', 'max', '-e', 'session.revoked').map((r) => [r.detail.reason, r.actor]), [['expired', 'limit']]);
		// One's own number goes before everybody's.
		d.ok(['user', 'limits', 'max', 'sessions=1']);
		const last = await login('max');
		for (const c of mine) await over(c, 'one, and no more');
		await waitFor('the other connection to end', () => second.closed);
		assert.ok(await open(last));
	});
	d.ok(['user', 'limits', 'max', 'sessions=2']);
	const keeps = await login('max');
	await d.request('DELETE', '/api/users/me/sessions', { headers: { cookie: keeps, origin: d.origin, accept: 'application/json' } });
	await login('max');
	d.ok(['session', 'revoke', 'max']);
	// Each of them is counted as what it was: 4 gave way, 3 were ended.
	assert.deepEqual((await counted()).map((n, i) => n - was[i]), [0, 7, 4, 3]);
	for (const u of ['max', 'root1']) d.ok(['user', 'delete', u]);
});

test('too long without use: over at once for who is connected, soon for all others; use keeps one', { timeout: 120000 }, async (t) => {
	d.addUser('idle');
	const list = () => JSON.parse(d.ok(['-j', 'session', 'list', 'idle']));
	let gap, kept = false;
	for (let i = 0; i < 3 && !kept; i++) {
		d.ok(['session', 'revoke', 'idle']);
		const since = records()[0].seq;
		const [held, left] = [await login('idle'), await login('idle')];
		const c = await connected(held);
		let at = Date.now();
		const used = await login('idle');
		gap = 0;
		await configured(/idle 2h/, 'idle 4s', () => waitFor('the end of those that are not used', async () => {
			kept = await open(used);
			gap = Math.max(gap, Date.now() - at);
			at = Date.now();
			// Nobody has asked for the one that is left.
			return !kept || (c.closed && list().length === 1);
		}, 30000, 100));
		c.end();
		// A machine that lets it wait for a second tells nothing.
		assert.ok(kept || gap > 1000, `the one that is used each ${gap} ms goes on`);
		if (!kept) continue;
		for (const cookie of [held, left]) await over(cookie, 'not used');
		assert.deepEqual(records('-u', 'idle', '-e', 'session.revoked').filter((r) => r.seq > since).map((r) => [r.detail.reason, r.actor]),
			[['expired', 'time'], ['expired', 'time']]);
	}
	d.ok(['user', 'delete', 'idle']);
	if (!kept) t.skip(`this machine is too slow: ${gap} ms`);
});

test('too old, however much it is used: over', async () => {
	d.addUser('old');
	const [held, left] = [await login('old'), await login('old')];
	const c = await connected(held);
	await configured(/lifetime 24h idle 2h/, 'lifetime 2s idle 2s', () => waitFor('the end of it', async () => !await open(left) && c.closed));
	for (const cookie of [held, left]) await over(cookie, 'too old');
	d.ok(['user', 'delete', 'old']);
});

test('a password is hashed anew when it is used and hashes have become dearer', async () => {
	// Its parameters; the store's log holds of a change what is another.
	const store = () => fs.readdirSync(`${d.data}/store`).map((f) => `${d.data}/store/${f}`)
		.filter((f) => fs.statSync(f).isFile()).some((f) => fs.readFileSync(f).includes('3,p=1$'));
	await configured(/passes 2/, 'passes 3', async () => {
		assert.ok(!store());
		// Not because of who does not know it.
		await assert.rejects(d.login('ann', 'Wrong-Horse-7', { localAddress: '127.0.7.9' }), /401/);
		const before = await login('ann');
		await waitFor('the new hash', store);
		assert.ok(await open(await login('ann')), 'it is the same password');
		assert.ok(await open(before), 'and no session ended');
	});
	// Whoever comes while that is done is let in as well, and not held to be a stranger.
	d.addUser('dear');
	const failures = () => records('-e', 'login.failed', '-u', 'dear').length;
	const before = failures();
	for (const passes of [3, 2, 3])
		await configured(/passes 2/, `passes ${passes}`, async () => {
			for (const c of await Promise.all(Array.from({ length: 4 }, () => login('dear')))) assert.ok(await open(c));
		});
	assert.equal(failures(), before);
});

test('what is like a token opens nothing', async () => {
	const cookie = await login('ann');
	const token = cookie.split('=')[1];
	const raw = Buffer.from(token, 'hex');
	const [{ session }] = JSON.parse(d.ok(['-j', 'session', 'list', 'ann']));
	const like = [crypto.createHash('sha256').update(raw).digest('hex'),
		crypto.createHash('sha256').update(token).digest('hex'), token.toUpperCase(), token.slice(0, -1), `${token}0`,
		token.slice(0, -2) + ((raw[31] ^ 1).toString(16).padStart(2, '0')), raw.reverse().toString('hex'),
		'0'.repeat(64), 'f'.repeat(64), session, session.repeat(4), raw.toString('base64'), `0x${token.slice(2)}`, ` ${token}x`];
	for (const t of like) await over(`__Host-ided=${t}`, t);
	assert.ok(await open(cookie));
});

test('in the files of the store, and in the log, are no tokens', async () => {
	const cookie = await login('ann');
	await restart(); // all is written
	const live = Buffer.from(cookie.split('=')[1], 'hex');
	const files = fs.readdirSync(`${d.data}/store`, { recursive: true }).map((f) => `${d.data}/store/${f}`)
		.filter((f) => fs.statSync(f).isFile()).map((f) => fs.readFileSync(f));
	assert.ok(files.some((f) => f.includes(crypto.createHash('sha256').update(live).digest())), 'its hash is there');
	assert.ok(tokens.length >= 10);
	for (const t of tokens) {
		const raw = Buffer.from(t, 'hex');
		for (const form of [raw, t, t.toUpperCase(), raw.toString('base64').slice(0, 40), raw.toString('base64url').slice(0, 40)]) {
			assert.ok(!files.some((f) => f.includes(form)), 'a token is in the store');
			assert.ok(!(d.told + d.log).includes(form), 'a token is in the log');
		}
	}
});
