// What an attacker's worker says of accounts, settings, tokens, limits and the audit
// trail: others' names where its own user's are due, rights that user has not, numbers
// out of all bounds, strings without an end.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import path from 'node:path';
import { AUTH, FAIL, Site, password, read, wire } from './evil-site.mjs';

let site, d, M, rows;
before(async () => {
	site = await Site.start();
	({ d, M, rows } = site);
	d.addUser('root1', 'admin');
	const e = await site.evil();
	const w = await site.login(e, 'root1');
	assert.equal(w.result, AUTH.ok);
	site.tokens.root1 = w.token;
	site.ids.root1 = w.session;
	e.close();
});
after(() => site?.stop());

const show = (name) => JSON.parse(d.ok(['-j', 'user', 'show', name]));
const still = { email: '', display: '', roles: ['user'], state: 'active' };
const unchanged = (name) => {
	const u = show(name);
	for (const k of Object.keys(still)) assert.deepEqual(u[k], still[k], `${name}: ${k}`);
};

// An answer with all its rows.
async function call(e, name, payload) {
	assert.equal(payload.length, rows[M[name]].max, `${name}: the test knows its layout`);
	const got = { rows: [] };
	let r = await e.ask('auth', M[name], { payload, ms: 20000 });
	for (; r.what === 'msg' && /^ROW_/.test(rows[r.type].name); r = await e.recv('auth', 20000)) got.rows.push(r);
	assert.equal(r.what, 'msg', name);
	got.type = rows[r.type].name;
	if (got.type === 'FAIL') Object.assign(got, read.fail(r.data), { field: read.field(r.data) });
	return got;
}

async function denied(e, name, payload, code = FAIL.denied) {
	const r = await call(e, name, payload);
	assert.equal(r.type, 'FAIL', `${name} is refused`);
	assert.equal(r.code, code, `${name}: ${r.text}`);
	assert.equal(r.rows.length, 0, `${name} tells nothing`);
	return r;
}

// What it takes to do to bob all that there is.
const toBob = () => [['USERS', wire.list({ find: 'bob' })], ['USER_GET', wire.ref('bob')], ['USER_ADD', wire.edit({ name: 'mallory', roles: 'admin', set: 0x7f, password, active: 1 })],
	['USER_PUT', wire.edit({ user: 'bob', set: 0x7f, roles: 'admin', display: 'x', password })], ['USER_LIMITS', wire.limits('bob', 0x3f, 1 << 30, 100)],
	['USER_DELETE', wire.remove('bob', 2)], ['USER_APPROVE', wire.ref('bob')], ['USER_DISABLE', wire.ref('bob')], ['USER_ENABLE', wire.ref('bob')], ['USER_RESET', wire.ref('bob')],
	['ROLES', wire.list()], ['SESSIONS', wire.list({ user: 'bob' })], ['SESSIONS', wire.list()], ['SESSION_KILL', wire.sessionRef(site.ids.bob)], ['SESSIONS_KILL', wire.ref('bob')],
	['SESSIONS_KILL', wire.ref('')], ['SANDBOXES', wire.list()], ['SANDBOX_KILL', wire.ref('bob')], ['STATS', wire.ref('')], ['AUDIT_QUERY', wire.audit({ user: 'bob' })]];

test('what its user may not do is refused, all of it, and bob is as he was', async () => {
	const e = await site.evil('ann');
	for (const [name, payload] of toBob()) await denied(e, name, payload);
	e.close();
	unchanged('bob');
	assert.ok(site.sessionsOf('bob').some((s) => s.session === site.ids.bob));
	assert.equal(d.ctl(['user', 'show', 'mallory']).status, 1);
	await site.alive('after it');
});

test("an administrator's API token for less: the rest is refused", async () => {
	const e = await site.evil('root1');
	const made = await call(e, 'TOKEN_ADD', wire.tokenAdd('less', 'account.own'));
	assert.equal(made.rows.length, 1);
	e.close();
	const t = await site.evil();
	const w = read.who((await t.ask('auth', M.API_TOKEN, { payload: read.made(made.rows[0].data) })).data);
	assert.deepEqual([w.result, w.name], [AUTH.ok, 'root1']);
	for (const [name, payload] of toBob()) await denied(t, name, payload);
	for (const scopes of ['account.own', 'users.manage']) await denied(t, 'TOKEN_ADD', wire.tokenAdd('more', scopes));
	t.close();
	unchanged('bob');
	assert.ok(site.sessionsOf('bob').some((s) => s.session === site.ids.bob));
});

test("another's name in what is about oneself: it is about oneself", async () => {
	const b = await site.evil('bob');
	const made = await call(b, 'TOKEN_ADD', wire.tokenAdd('bobs', 'account.own'));
	const bobs = read.token(made.rows[0].data);
	assert.deepEqual([bobs.user, bobs.name], ['bob', 'bobs']);
	assert.equal((await call(b, 'SETTINGS_PUT', wire.settings('{"of":"bob"}'))).type, 'OK');
	const e = await site.evil('ann');
	assert.equal(read.account((await call(e, 'ME', wire.ref('bob'))).rows[0].data).name, 'ann');
	const mine = await call(e, 'ME_SESSIONS', wire.list({ user: 'bob', role: 'admin', find: 'bob' }));
	assert.ok(mine.rows.length > 0);
	for (const r of mine.rows) assert.equal(read.session(r.data).user, 'ann');
	assert.deepEqual((await call(e, 'ME_USAGE', wire.ref('bob'))).rows.map((r) => read.sandbox(r.data).user), ['ann']);
	assert.equal((await call(e, 'TOKEN_LIST', wire.list({ user: 'bob' }))).rows.length, 0);
	await denied(e, 'TOKEN_END', wire.sessionRef(bobs.id), FAIL.notFound);
	await denied(e, 'ME_SESSION_END', wire.sessionRef(site.ids.bob), FAIL.notFound);
	await denied(e, 'ME_SESSION_END', wire.sessionRef(bobs.id), FAIL.notFound);
	assert.doesNotMatch(read.settings((await call(e, 'SETTINGS_GET', wire.ref('bob'))).rows[0].data), /bob/);
	// Of what it may not change of itself, nothing is changed.
	const r = await call(e, 'ME_PUT', wire.edit({ user: 'bob', name: 'bob', roles: 'admin', metadata: '{"x":1}', password: 'Evil-Password-99', display: 'Ann', set: 0xffffffff, change: 1 }));
	assert.equal(r.type, 'OK');
	assert.equal(read.account(r.rows[0].data).name, 'ann');
	assert.deepEqual([show('ann').display, show('ann').roles, show('ann').must_change ?? false], ['Ann', ['user'], false]);
	const again = await site.evil();
	assert.equal((await site.login(again, 'ann')).result, AUTH.ok, 'the password is the old one');
	again.close();
	assert.equal((await call(e, 'ME_PUT', wire.edit({ set: 2 }))).type, 'OK');
	// That it is to look like another's is an administrator's word.
	d.ok(['user', 'set', '-e', 'bob@example.org', 'bob']);
	assert.match((await denied(e, 'ME_PUT', wire.edit({ email: 'b0b@example.org', set: 1, like: 1 }), FAIL.invalid)).text, /told apart from it$/);
	d.ok(['user', 'set', '-e', '', 'bob']);
	unchanged('ann');
	unchanged('bob');
	assert.equal((await call(b, 'TOKEN_LIST', wire.list())).rows.length, 1);
	assert.match(read.settings((await call(b, 'SETTINGS_GET', wire.ref('ann'))).rows[0].data), /bob/);
	b.close();
	e.close();
	assert.ok(site.sessionsOf('bob').some((s) => s.session === site.ids.bob));
});

test('who registers is a user who waits, whatever else was said', async () => {
	for (const [who, name] of [[undefined, 'reg-nobody'], ['root1', 'reg-root']]) {
		const e = await site.evil(who);
		const r = await call(e, 'REGISTER', wire.edit({ user: 'root1', name, roles: 'admin', metadata: '{"a":1}', password, set: 0xffffffff, active: 1, change: 1 }));
		assert.equal(r.type, 'OK', r.text);
		const u = show(name);
		assert.deepEqual([u.state, u.roles, u.metadata], ['pending', ['user'], {}]);
		e.close();
	}
	const e = await site.evil();
	assert.match((await denied(e, 'REGISTER', wire.edit({ name: 'b0b', password, set: 0xffffffff, like: 1 }), FAIL.invalid)).text, /told apart from it$/);
	for (const token of [Buffer.alloc(32), crypto.randomBytes(32)]) await denied(e, 'RESET_USE', wire.reset(token, 'Another-Horse-8'), FAIL.invalid);
	e.close();
});

test('numbers and words out of all bounds name their field, and change nothing', async () => {
	const e = await site.evil('root1');
	const before = JSON.stringify(JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => ({ ...u, last_login: 0, sessions: 0 })));
	for (const [name, payload, field] of [
		['USERS', wire.list({ limit: 201 }), 'limit'], ['USERS', wire.list({ limit: 0xffffffff }), 'limit'], ['USERS', wire.list({ cursor: '../x' }), 'cursor'],
		['SESSIONS', wire.list({ cursor: 'x' }), 'cursor'], ['SESSIONS', wire.list({ limit: 0xffffffff }), 'limit'], ['ROLES', wire.list({ cursor: 'none' }), 'cursor'],
		['SANDBOXES', wire.list({ limit: 0xffffffff }), 'limit'], ['SANDBOXES', wire.list({ cursor: '\x01' }), 'cursor'], ['TOKEN_LIST', wire.list({ limit: 9999 }), 'limit'],
		['USER_LIMITS', wire.limits('bob', 0x3f, -1, 1), 'memory'], ['USER_LIMITS', wire.limits('bob', 0x38, 0, 0xffffffff), 'cpu'],
		['USER_DELETE', wire.remove('bob', 0), 'workspace'], ['USER_DELETE', wire.remove('bob', 3), 'workspace'], ['USER_DELETE', wire.remove('bob', 0xffffffff), 'workspace'],
		['USER_PUT', wire.edit({ user: 'bob', set: 0xffffffef }), 'roles'], ['USER_PUT', wire.edit({ user: 'bob', set: 4, roles: 'user  admin' }), 'roles'],
		['USER_PUT', wire.edit({ user: 'bob', set: 2, display: 'a\x1b[31m' }), 'displayName'], ['USER_PUT', wire.edit({ user: 'bob', set: 2, display: '\xff\xfe' }), 'displayName'],
		['USER_PUT', wire.edit({ user: 'bob', set: 1, email: 'a\nb@x.example' }), 'email'], ['USER_ADD', wire.edit({ name: 'A\n', set: 0 }), 'username'],
		['USER_ADD', wire.edit({ name: '', set: 0 }), 'username'], ['USER_ADD', wire.edit({ name: 'ok1', set: 0x10, password: '' }), 'password'],
		['TOKEN_ADD', wire.tokenAdd('x', 'account.own', -1), 'expiresIn'], ['TOKEN_ADD', wire.tokenAdd('x', 'account.own', 2n ** 63n - 1n), 'expiresIn'],
		['TOKEN_ADD', wire.tokenAdd('', 'account.own'), 'name'], ['TOKEN_ADD', wire.tokenAdd('a\nb', 'account.own'), 'name'], ['TOKEN_ADD', wire.tokenAdd('x', ''), 'scopes'],
		['TOKEN_ADD', wire.tokenAdd('x', 'account.own account.own'), 'scopes'], ['TOKEN_ADD', wire.tokenAdd('x', 'nobody'), 'scopes'], ['TOKEN_ADD', wire.tokenAdd('x', ' account.own'), 'scopes'],
	]) {
		const r = await denied(e, name, payload, FAIL.invalid);
		assert.equal(r.field, field, `${name}: ${r.text}`);
	}
	// What only workers read is kept as a text, or not at all.
	for (const metadata of ['\x01', '\xff']) await denied(e, 'USER_PUT', wire.edit({ user: 'bob', set: 8, metadata }), FAIL.invalid);
	await denied(e, 'USER_GET', wire.ref('99999999999999999999999999999999'), FAIL.notFound);
	e.close();
	assert.equal(JSON.stringify(JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => ({ ...u, last_login: 0, sessions: 0 }))), before);
	await site.alive('after it');
});

test('what is on loan: a lie ends the worker', async () => {
	for (const payload of [wire.lease(0, 0, 0), wire.lease(3, 0, 0), wire.lease(255, 0, 0), wire.lease(0xffffffff, 0, 0), wire.lease(2, 0xffffffff, 1)])
		for (const name of ['LEASE_ASK', 'LEASE_BACK'])
			await (await site.evil('ann')).offend('auth', M[name], { payload }, `${name} ${payload.toString('hex')}`);
	// More used than it had; one more asked for beside what is there.
	for (const [name, more] of [['LEASE_ASK', (n) => n + 1], ['LEASE_BACK', (n) => n + 1], ['LEASE_ASK', () => 0xffffffff], ['LEASE_BACK', () => 0xffffffff]]) {
		const e = await site.evil('ann');
		const r = await e.ask('auth', M.LEASE_ASK, { payload: wire.lease(1, 0, 0) });
		assert.equal(r.type, M.LEASE);
		const [serial, granted] = [r.data.readUInt32LE(4), r.data.readUInt32LE(8)];
		assert.ok(granted > 0 && granted < 100000, `${granted}`);
		await e.offend('auth', M[name], { payload: wire.lease(1, serial, more(granted)) }, `${name} with more than it had`);
	}
	await site.alive('after it');
});

// The lengths of the strings that each message begins with, one after another; and where others are.
const strings = { edit: [33, 33, 255, 200, 272, 1024, 1025], ref: [33], list: [128, 72, 33, 33], session: [17], password: [1025, 1025] };
const layouts = { ME: 'ref', ME_PUT: 'edit', ME_PASSWORD: 'password', ME_SESSIONS: 'list', ME_SESSION_END: 'session', ME_SESSIONS_END: 'ref', ME_USAGE: 'ref', SETTINGS_GET: 'ref',
	REGISTER: 'edit', TOKEN_LIST: 'list', TOKEN_END: 'session', USERS: 'list', USER_GET: 'ref', USER_ADD: 'edit', USER_PUT: 'edit', USER_LIMITS: 'ref', USER_DELETE: 'ref',
	USER_APPROVE: 'ref', USER_DISABLE: 'ref', USER_ENABLE: 'ref', USER_RESET: 'ref', ROLES: 'list', SESSIONS: 'list', SESSION_KILL: 'session', SESSIONS_KILL: 'ref',
	SANDBOXES: 'list', SANDBOX_KILL: 'ref', STATS: 'ref', RATELIMITS: 'list', USER_TOKENS: 'list', USER_TOKEN_END: 'session', SHARE_LIST: 'list', SHARE_ADD: 'ref', SHARE_END: 'ref' };
const others = { LOGIN: [[0, 255], [255, 1025]], REQUEST: [[0, 17], [17, 256]], TOKEN_ADD: [[0, 65], [65, 512]], RESET_USE: [[32, 1025]], SETTINGS_PUT: [[8, 12288]], AUDIT_QUERY: [[0, 88], [88, 256], [344, 48], [392, 48], [440, 16], [456, 128]] };

test('strings without an end, each field of each message', { timeout: 120000 }, async (t) => {
	const jobs = [];
	for (const [name, kind] of Object.entries(layouts)) {
		let at = 0;
		for (const size of strings[kind]) {
			jobs.push([name, at, size]);
			at += size;
		}
	}
	for (const [name, list] of Object.entries(others)) for (const [at, size] of list) jobs.push([name, at, size]);
	const one = async () => {
		for (let j = jobs.pop(); j; j = jobs.pop()) {
			const [name, at, size] = j;
			const payload = Buffer.alloc(rows[M[name]].max);
			payload.fill('a', at, at + size);
			await (await site.evil('root1')).offend('auth', M[name], { payload }, `${name} with a string at ${at}`);
		}
	};
	t.diagnostic(`${jobs.length} messages`);
	assert.ok(jobs.length >= 100);
	await Promise.all(Array.from({ length: 8 }, one));
	unchanged('bob');
	await site.alive('after it');
});

test('what an administrator may see with follow, or a number that says when, is a page and no more', async () => {
	const e = await site.evil('root1');
	for (const q of [{ follow: 1, oldest: 1 }, { limit: 1000 }]) {
		const r = await call(e, 'AUDIT_QUERY', wire.audit(q));
		// The site keeps no trail in the store: it says so at once.
		assert.equal(r.type, 'FAIL');
		assert.equal(r.rows.length, 0);
	}
	e.close();
});

test('in the end: nobody is harmed', () => site.unharmed());

test('what it left as settings that are none reads as none afterwards', async () => {
	const honest = path.resolve(d.obj, '../../..');
	const evil = d.obj;
	const restart = async (obj) => {
		await d.stop({ keep: true });
		d.obj = obj;
		await d.start();
	};
	for (const text of ['{"open":', '[1,2]', '{"a":1,"a":2}']) {
		const e = await site.evil('bob');
		const now = (await call(e, 'SETTINGS_GET', wire.ref(''))).rows[0];
		const r = await call(e, 'SETTINGS_PUT', wire.settings(text, now.data.readBigUInt64LE(0)));
		assert.equal(r.type, 'OK', r.text);
		e.close();
		await restart(honest);
		const cookie = await d.login('bob');
		const ask = (method, body) => d.request(method, '/api/users/me/settings', { headers: { cookie, origin: d.origin, 'content-type': 'application/json' }, body });
		assert.deepEqual(JSON.parse((await ask('GET')).body).data, {}, text);
		const put = await ask('PATCH', '{"new":1}');
		assert.equal(put.status, 200, put.body);
		assert.deepEqual(JSON.parse((await ask('GET')).body).data, { new: 1 }, text);
		await restart(evil);
	}
});
