// The API: each call by each role, allowed and refused; what is wrong is named; what
// is asked twice is done once; of two administrators, the second is told.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Daemon, password } from './daemon.mjs';

const d = new Daemon({ auth: 'registration approval', ratelimit: 'login 1000 per 15m\napi 100000 per 15m\nweb 100000 per 15m\nuser 100000 per 15m',
	isolation: 'storage 64M by accounting',
	conf: 'audit { store }\nrole "auditor" permit users.read sessions.read dashboard.view roles.read sandboxes.view\nrole "helper" permit users.read users.manage' });
const who = {};

async function call(user, method, path, body, headers = {}) {
	const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
	const r = await d.request(method, `/api/${path}`, { body: text, headers: {
		accept: 'application/json', origin: d.origin,
		...(who[user] ? { cookie: who[user] } : {}),
		...(text !== undefined ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {}), ...headers } });
	return { status: r.status, body: r.body === '' ? null : r.json, headers: r.headers };
}

test.before(async () => {
	await d.prepare();
	await d.start();
	await d.describe();
	for (const [n, r] of [['root1', 'admin'], ['root2', 'admin'], ['oper', 'operator'], ['ann', 'user'], ['audit', 'auditor'], ['help', 'helper']]) {
		d.addUser(n, r);
		who[n] = await d.login(n);
	}
});
test.after(() => d.stop());

test('each permission by each role: allowed and refused', async () => {
	const all = ['root1', 'oper', 'ann', 'audit', 'help'];
	const table = [
		['GET', 'users/me', undefined, all], ['GET', 'users/me/sessions', undefined, all],
		['GET', 'users', undefined, ['root1', 'oper', 'audit', 'help']],
		['GET', 'users/ann', undefined, ['root1', 'oper', 'audit', 'help']],
		['GET', 'admin/roles', undefined, ['root1', 'oper', 'audit']],
		['GET', 'admin/sessions', undefined, ['root1', 'oper', 'audit']],
		['GET', 'admin/sandboxes', undefined, ['root1', 'oper', 'audit']],
		['GET', 'admin/stats', undefined, ['root1', 'oper', 'audit']],
		['GET', 'admin/tokens', undefined, ['root1']],
		['GET', 'admin/ratelimits', undefined, ['root1', 'oper']],
		['DELETE', 'admin/tokens/0123456789abcdef', undefined, []],
		['PATCH', 'users/ann', { displayName: 'Ann' }, ['root1']],
		['POST', 'admin/users/ann/enable', {}, ['root1']],
		['POST', 'admin/users/ann/limits', { memory: null }, ['root1']],
		['DELETE', 'admin/sessions?user=nobody', undefined, []],
	];
	for (const [method, path, body, may] of table)
		for (const user of all) {
			const r = await call(user, method, path, body);
			if (may.includes(user)) assert.equal(r.status, 200, `${user} ${method} ${path}: ${JSON.stringify(r.body)}`);
			else assert.ok([403, 404].includes(r.status), `${user} ${method} ${path}: ${r.status}`);
			if (r.status === 403) assert.equal(r.body.error.code, 'FORBIDDEN');
		}
	for (const path of ['users/me', 'users', 'admin/stats']) {
		const r = await call('nobody', 'GET', path);
		assert.deepEqual([r.status, r.headers['www-authenticate']], [401, 'Bearer realm="ided"']);
		// Whose token is over is told that it is that.
		const t = await call('nobody', 'GET', path, undefined, { authorization: `Bearer ${'0'.repeat(64)}` });
		assert.deepEqual([t.status, t.headers['www-authenticate']], [401, 'Bearer realm="ided", error="invalid_token"']);
		assert.match(t.body.error.message, /This token is not valid/);
	}
	assert.equal((await call('root1', 'GET', 'nothing')).status, 404);
	const r = await call('root1', 'PUT', 'admin/stats', {});
	assert.equal(r.status, 405);
	assert.match(r.headers.allow, /GET/);
});

test('nobody gives, or touches, what is more than their own', async () => {
	for (const [method, path, body] of [['POST', 'users', { username: 'x1', roles: ['admin'] }], ['PATCH', 'users/root2', { displayName: 'x' }],
		['POST', 'admin/users/root2/disable', {}], ['PATCH', 'users/ann', { roles: ['operator'] }], ['DELETE', 'users/root2?workspace=keep'],
		['POST', 'admin/users/root2/reset-password', {}], ['DELETE', 'users/help?workspace=keep']])
		assert.equal((await call('help', method, path, body)).status, 403, `${method} ${path}`);
});

test('what is wrong is named', async () => {
	const long = 'a'.repeat(4000);
	for (const [body, field] of [[{ username: 'Bad Name' }, 'username'], [{ username: '\u0430dmin' }, 'username'], [{ username: 'r00t' }, 'username'],
		[{}, 'username'], [{ username: 7 }, 'username'], [{ username: long }, 'username'], [{ username: 'ok1', email: 'x' }, 'email'],
		[{ username: 'ok1', displayName: 'a\u200bb' }, 'displayName'], [{ username: 'ok1', displayName: 'a\nb' }, 'displayName'],
		[{ username: 'ok1', password: 'short' }, 'password'], [{ username: 'ok1', roles: 'user' }, 'roles'], [{ username: 'ok1', roles: ['none'] }, 'roles'],
		[{ username: 'ok1', metadata: 'x' }, 'metadata'], [{ username: 'ok1', metadata: { a: long } }, 'metadata'],
		[{ username: 'ok1', isAdmin: true }, 'isAdmin'], [{ username: "x'; DROP TABLE users" }, 'username'], [{ username: '../../etc' }, 'username'],
		['{"username":"a","username":"b"}', 'body'], ['[1]', 'body'], ['{', 'body'], ['{"a":'.repeat(50) + '1' + '}'.repeat(50), 'body'],
		['{"username":"a\\u0000b"}', 'body']]) {
		const r = await call('root1', 'POST', 'users', body);
		assert.equal(r.status, 400, JSON.stringify(body).slice(0, 80));
		assert.equal(r.body.error.code, 'VALIDATION_ERROR');
		assert.equal(r.body.error.details.field, field, JSON.stringify(body).slice(0, 80));
	}
	for (const [q, field] of [['limit=0', 'limit'], ['limit=100000', 'limit'], ['limit=x', 'limit'], ['cursor=..', 'cursor'], ['state=x', 'state']])
		assert.equal((await call('root1', 'GET', `users?${q}`)).body.error.details.field, field, q);
	assert.equal((await call('root1', 'GET', 'users?colour=1')).status, 400);
	// ... with what it is to be.
	for (const [method, path, body, says] of [['POST', 'users', { username: long }, /username: at most 32 bytes/], ['POST', 'users', { name: 'x' }, /no such field.*username, password, email/],
		['GET', 'users?limit=201', undefined, /limit: 1 to 200/], ['GET', 'users?state=Active', undefined, /state: active, disabled or pending/],
		['GET', 'users?colour=1', undefined, /no such parameter.*cursor, limit, q, role, state/], ['GET', 'admin/stats?x=1', undefined, /no such parameter$/], ['GET', 'me?x=1', undefined, /no such parameter$/], ['GET', 'users/me/settings?x=1', undefined, /no such parameter$/],
		['DELETE', 'users/ann?workspace=burn', undefined, /workspace: keep or remove/], ['DELETE', 'users/ann', undefined, /workspace: keep or remove/], ['POST', 'users', '{"username":\n,}', /line 2, column/],
		['POST', 'auth/reset', { token: 'ab', password }, /token: 64 hexadecimal digits/], ['POST', 'auth/reset', { token: 'Z'.repeat(64), password }, /token: 64 digits of 0-9 and a-f/],
		['POST', 'users', { username: 'ok1', metadata: { a: long } }, /metadata: at most 1023 bytes/], ['POST', 'users', { username: 'x', metadata: { a: 'b'.repeat(20000) } }, /at most 16384 bytes/],
		['POST', 'admin/users/ann/limits', { cpu: 5e9 }, /cpu: 0 to 409600/]]) {
		const r = await call('root1', method, path, body);
		assert.match(r.body.error.message, says, `${method} ${path}`);
	}
	assert.equal((await call('root1', 'POST', 'users', { username: 'x', metadata: { a: 'b'.repeat(20000) } })).status, 413);
	const r = await call('root1', 'POST', 'users', '{}', { 'content-type': 'text/plain' });
	assert.equal(r.status, 415);
	assert.match(r.body.error.message, /application\/json/);
	// Which methods there are, one may ask.
	for (const [path, allow] of [['users', 'GET, HEAD, POST'], ['users/ann', 'GET, HEAD, PUT, DELETE, PATCH'], ['auth/login', 'POST']]) {
		const o = await call('nobody', 'OPTIONS', path);
		assert.deepEqual([o.status, o.headers.allow, o.body], [204, allow, null], path);
		assert.equal((await call('root1', path === 'auth/login' ? 'GET' : 'OPTIONS', path)).headers.allow, allow);
	}
	assert.equal((await call('root1', 'OPTIONS', 'nothing')).status, 404);
});

test('pages, and a key that makes a call happen once', async () => {
	const key = { 'idempotency-key': 'key-12345678' };
	const a = await call('root1', 'POST', 'users', { username: 'once', displayName: 'Once' }, key);
	assert.equal(a.status, 201);
	const b = await call('root1', 'POST', 'users', { username: 'once', displayName: 'Once' }, key);
	assert.equal(b.status, 201);
	assert.equal(b.body.data.id, a.body.data.id);
	assert.equal((await call('root1', 'POST', 'users', { username: 'twice' }, key)).status, 409);
	assert.equal((await call('root1', 'POST', 'users', { username: 'once' })).status, 409);
	const seen = [];
	for (let next = ''; next !== null;) {
		const r = await call('root1', 'GET', `users?limit=2${next && `&cursor=${next}`}`);
		assert.ok(r.body.data.items.length <= 2);
		seen.push(...r.body.data.items.map((u) => u.username));
		next = r.body.data.next;
	}
	assert.deepEqual(seen, [...seen].sort());
	assert.ok(seen.includes('once') && seen.includes('root1'));
});

test('a part of an address finds all that have it, a whole one whose it is', async () => {
	for (const [username, email] of [['whole1', 'q@whole.example'], ['whole2', 'xq@whole.example']])
		assert.equal((await call('root1', 'POST', 'users', { username, email })).status, 201);
	const { id } = (await call('root1', 'GET', 'users/whole1')).body.data;
	for (const [q, found] of [['q@whole.exampl', ['whole1', 'whole2']], ['Q@Whole.example', ['whole1']], ['xq@whole.example', ['whole2']],
		['q@whole.example&state=disabled', []], ['q@whole.example&role=user', ['whole1']], [`q@whole.example&cursor=${id}`, ['whole2']], ['q@none.example', []]]) {
		const r = await call('root1', 'GET', `users?q=${q}`);
		assert.deepEqual(r.body.data.items.map((u) => u.username), found, q);
		assert.equal(r.body.data.next, null);
	}
});

const recorded = (...filter) => d.ok(['-j', 'audit', 'query', '-r', '-e', 'user.', ...filter]).trim().split('\n').map((l) => JSON.parse(l)).filter((e) => e.event);

test('what looks like another is refused, unless an administrator means it, and that is recorded', async () => {
	assert.equal((await call('root1', 'POST', 'users', { username: 'tom', email: 'tom@like.example' })).status, 201);
	for (const [body, field] of [[{ username: 'torn' }, 'username'], [{ username: 'tomas', email: 'torn@like.example' }, 'email'], [{ username: 'r00t' }, 'username']]) {
		const r = await call('root1', 'POST', 'users', body);
		assert.equal(r.status, 400, JSON.stringify(body));
		assert.equal(r.body.error.details.field, field);
		if (body.username !== 'r00t') assert.match(r.body.error.message, /allowLookalike/);
		assert.equal((await call('root1', 'POST', 'users', { ...body, allowLookalike: false })).status, 400);
	}
	const made = await call('root1', 'POST', 'users', { username: 'torn', email: 'torn@like.example', allowLookalike: true });
	assert.equal(made.status, 201, JSON.stringify(made.body));
	// It is a word about what looks alike, not about what is the same, or no name.
	for (const [body, status] of [[{ username: 'tom' }, 409], [{ username: 'root' }, 400], [{ username: 'T\u043em' }, 400], [{ username: 'other', email: 'tom@like.example' }, 409]])
		assert.equal((await call('root1', 'POST', 'users', { ...body, allowLookalike: true })).status, status, JSON.stringify(body));
	assert.equal((await call('root1', 'POST', 'users', { username: 'mall', allowLookalike: true })).status, 201);
	assert.equal((await call('root1', 'PATCH', 'users/mall', { email: 't0m@like.example' })).status, 400);
	assert.equal((await call('root1', 'PATCH', 'users/mall', { email: 't0m@like.example', allowLookalike: true })).status, 200);
	// Who may not manage users has no such word.
	assert.equal((await call('mall', 'POST', 'auth/register', { username: 't0m', password, allowLookalike: true })).body.error.details.field, 'allowLookalike');
	assert.doesNotMatch((await call('mall', 'POST', 'auth/register', { username: 't0m', password })).body.error.message, /allowLookalike/);
	assert.equal((await call('ann', 'PATCH', 'users/me', { email: 'torn@like.example', allowLookalike: true })).body.error.details.field, 'allowLookalike');
	const events = recorded('-g', 'look like');
	assert.deepEqual(events.map((e) => [e.event, e.user, e.actor, e.detail.text]), [
		['user.added', 'torn', 'root1', 'username allowed to look like tom; email allowed to look like tom@like.example'],
		['user.added', 'mall', 'root1', 'username allowed to look like a reserved one'],
		['user.changed', 'mall', 'root1', events[2]?.detail.text]]);
	assert.match(events[2].detail.text, /^email; email allowed to look like to(m|rn)@like\.example$/);
	// Who deletes is told, and the trail as well, what became of the workspace.
	for (const [n, workspace] of [['tom', 'keep'], ['torn', 'remove'], ['mall', 'keep']]) {
		const r = await call('root1', 'DELETE', `users/${n}?workspace=${workspace}`);
		assert.deepEqual([r.status, r.body.data.username, r.body.data.workspace], [200, n, workspace === 'keep' ? 'kept' : 'removed']);
	}
	assert.deepEqual(['tom', 'torn'].map((u) => recorded('-u', u).find((e) => e.event === 'user.deleted').detail.text), ['workspace kept', 'workspace removed']);
});

test('what is changed with a password is recorded as well; roles with those that were', async () => {
	d.addUser('witness');
	assert.equal((await call('root1', 'PATCH', 'users/witness', { password: 'Another-Horse-8', roles: ['operator'], displayName: 'Rec' })).status, 200);
	assert.equal((await call('root1', 'PATCH', 'users/witness', { roles: ['auditor'] })).status, 200);
	const events = recorded('-u', 'witness').slice(1);
	assert.deepEqual(events.map((e) => [e.event, e.detail.role, e.detail.text]), [['user.password', 'operator', 'displayName roles; roles were user'],
		['user.changed', 'auditor', 'roles; roles were operator']]);
});

test('two administrators change one user: the second is told', async () => {
	const { version } = (await call('root1', 'GET', 'users/ann')).body.data;
	assert.equal((await call('root1', 'PATCH', 'users/ann', { displayName: 'One', version })).status, 200);
	const r = await call('root2', 'PATCH', 'users/ann', { displayName: 'Two', version });
	assert.equal(r.status, 409);
	assert.equal((await call('root1', 'GET', 'users/ann')).body.data.displayName, 'One');
	// Likewise the limits, which are of the same account; a conflict changes nothing.
	const seen = (await call('root1', 'GET', 'users/ann')).body.data;
	const [one, two] = (await Promise.all(['root1', 'root2'].map((who, i) => call(who, 'PUT', 'admin/users/ann/limits',
		{ cpu: 100 + i, version: seen.version })))).sort((a, b) => a.status - b.status);
	assert.equal(one.status, 200);
	assert.equal(two.status, 409);
	assert.equal(two.body.error.details.field, 'version');
	const after = (await call('root1', 'GET', 'users/ann')).body.data;
	assert.equal(after.version, seen.version + 1);
	assert.deepEqual(after.limits, one.body.data.limits);
	assert.equal((await call('root2', 'PATCH', 'users/ann', { displayName: 'Three', version: seen.version })).status, 409);
	assert.equal((await call('root2', 'PUT', 'admin/users/ann/limits', { cpu: null, version: after.version })).status, 200);
	assert.equal((await call('root2', 'PUT', 'admin/users/ann/limits', { cpu: 1, version: 0 })).status, 400);
	// Nobody deletes what another has just changed, if they say what they saw.
	const gone = (await call('root1', 'POST', 'users', { username: 'gone' })).body.data;
	assert.equal((await call('root2', 'PATCH', 'users/gone', { displayName: 'Stays' })).status, 200);
	assert.equal((await call('root1', 'DELETE', `users/gone?workspace=keep&version=${gone.version}`)).status, 409);
	assert.equal((await call('root1', 'DELETE', 'users/gone?workspace=keep&version=9999999999')).body.error.details.field, 'version');
	assert.equal((await call('root1', 'DELETE', `users/gone?workspace=keep&version=${gone.version + 1}`)).status, 200);
	const many = await Promise.all(Array.from({ length: 10 }, (_, i) => call(i % 2 ? 'root1' : 'root2', 'PATCH', 'users/ann',
		i % 2 ? { displayName: `D${i}` } : { email: `e${i}@x.example` })));
	assert.ok(many.every((m) => m.status === 200));
	const u = (await call('root1', 'GET', 'users/ann')).body.data;
	assert.match(u.displayName, /^D\d$/);
	assert.match(u.email, /^e\d@x/);
});

test('registration waits for approval; a password changed ends other sessions; a forced change comes first', { timeout: 120000 }, async () => {
	const r = await call('nobody', 'POST', 'auth/register', { username: 'newcomer', password });
	assert.equal(r.status, 201);
	assert.equal(r.body.data.state, 'pending');
	await assert.rejects(d.login('newcomer'), /401/);
	assert.equal((await call('root1', 'POST', 'admin/users/newcomer/approve', {})).body.data.state, 'active');
	who.newcomer = await d.login('newcomer');
	who.other = await d.login('newcomer');
	assert.equal((await call('newcomer', 'POST', 'users/me/password', { currentPassword: 'wrong', newPassword: 'Another-Horse-8' })).body.error.details.field, 'currentPassword');
	assert.equal((await call('newcomer', 'POST', 'users/me/password', { currentPassword: password, newPassword: 'Another-Horse-8' })).status, 200);
	assert.equal((await call('newcomer', 'GET', 'users/me')).status, 200);
	assert.equal((await call('other', 'GET', 'users/me')).status, 401);
	assert.equal((await call('root1', 'PATCH', 'users/newcomer', { mustChangePassword: true })).status, 200);
	assert.equal((await call('newcomer', 'GET', 'users/me/usage')).status, 403);
	assert.equal((await call('newcomer', 'POST', 'users/me/password', { currentPassword: 'Another-Horse-8', newPassword: 'Third-Horse-99' })).status, 200);
	assert.equal((await call('newcomer', 'GET', 'users/me/usage')).status, 200);
	const { token } = (await call('root1', 'POST', 'admin/users/newcomer/reset-password', {})).body.data;
	assert.equal((await call('newcomer', 'GET', 'users/me')).status, 401);
	assert.equal((await call('nobody', 'POST', 'auth/reset', { token, password: 'Fourth-Horse-77' })).status, 200);
	assert.equal((await call('nobody', 'POST', 'auth/reset', { token, password: 'Fifth-Horse-66x' })).status, 400);
	who.newcomer = await d.login('newcomer', 'Fourth-Horse-77');
	who.other = await d.login('newcomer', 'Fourth-Horse-77');
	const mine = (await call('newcomer', 'GET', 'users/me/sessions')).body.data.items;
	assert.equal(mine.length, 2);
	assert.equal((await call('newcomer', 'DELETE', 'users/me/sessions')).status, 200);
	assert.equal((await call('other', 'GET', 'users/me')).status, 401);
	assert.equal((await call('newcomer', 'GET', 'users/me')).status, 200);
});

test('settings: merged, and kept', { timeout: 120000 }, async () => {
	assert.deepEqual((await call('oper', 'GET', 'users/me/settings')).body.data, {});
	await Promise.all(Array.from({ length: 5 }, (_, i) => call('oper', 'PATCH', 'users/me/settings', { [`k${i}`]: i })));
	assert.equal((await call('oper', 'PATCH', 'users/me/settings', { k0: null, a: { b: 1 } })).status, 200);
	assert.deepEqual((await call('oper', 'GET', 'users/me/settings')).body.data, { k1: 1, k2: 2, k3: 3, k4: 4, a: { b: 1 } });
	assert.equal((await call('oper', 'PATCH', 'users/me/settings', [1])).status, 400);
	await d.stop({ keep: true });
});

test('after a restart, settings are there; the description of the API tells what is answered', async () => {
	await d.start();
	const api = (await call('nobody', 'GET', 'openapi.json')).body;
	assert.equal(api.openapi, '3.1.0');
	assert.ok(Object.keys(api.paths).length >= 20);
	for (const [path, user] of [['users/me', 'ann'], ['admin/stats', 'root1']]) {
		const want = api.paths[`/api/${path}`].get.responses['200'].content['application/json'].schema.properties.data;
		assert.deepEqual(Object.keys((await call(user, 'GET', path)).body.data).sort(), [...want.required].sort());
	}
	assert.deepEqual((await call('oper', 'GET', 'users/me/settings')).body.data, { k1: 1, k2: 2, k3: 3, k4: 4, a: { b: 1 } });
});
