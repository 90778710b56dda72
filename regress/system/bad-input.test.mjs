// Every field of every call of the API, as it is described, with what it must not be:
// a 400 that names it, nothing half done, and nobody the worse for it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import https from 'node:https';
import { Daemon, password, waitFor } from './daemon.mjs';

const d = new Daemon({ auth: 'registration open', isolation: 'storage 64M by accounting', conf: 'audit { store keep 30d }' });
let api;
let cookie;
const agents = [];
const agent = () => { const a = new https.Agent({ keepAlive: true, maxSockets: 1 }); agents.push(a); return a; };
let was;
let mine, nobodys;	// a connection for all that root1 asks, and one for nobody's
before(async () => {
	await d.prepare();
	await d.start();
	({ api } = await d.describe());
	d.addUser('root1', 'admin');
	d.addUser('ann');
	cookie = await d.login('root1');
	[mine, nobodys] = [agent(), agent()];
	was = await everything();
});
after(() => { for (const a of agents) a.destroy(); return d.stop(); });

const isPublic = (op) => op.security?.length === 0;
const calls = () => Object.entries(api.paths).flatMap(([path, ops]) => Object.entries(ops).map(([method, op]) => ({
	path, method: method.toUpperCase(), op,
	schema: op.requestBody?.content['application/json'].schema,
	query: op.parameters.filter((p) => p.in === 'query') })));

// Auth reads slowly who asks for much: no connection does.
let sent = 0;
function fresh() {
	if (++sent % 12 !== 0) return;
	for (const a of agents.splice(0)) a.destroy();
	[mine, nobodys] = [agent(), agent()];
}

async function send(c, { url = c.path.replace('{id}', 'ann').replace('{port}', '3000'), body, type = 'application/json', headers = {}, together = false } = {}) {
	if (!together) fresh();
	const raw = body === undefined ? undefined : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
	return d.request(c.method, url, { agent: isPublic(c.op) ? nobodys : mine, body: raw, headers: { accept: 'application/json', origin: d.origin,
		...(isPublic(c.op) ? {} : { cookie }), ...(raw === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(raw) }), ...headers } });
}

// What is there, to be compared with what is there afterwards.
const get = async (url) => (await d.request('GET', url, { agent: mine, headers: { cookie, accept: 'application/json' } })).json.data;
async function everything() {
	const now = {};
	for (const p of ['users?limit=200', 'users/me/tokens', 'users/me/settings', 'users/me'])
		now[p] = await get(`/api/${p}`);
	now.sessions = (await get('/api/admin/sessions?limit=200')).items.map((s) => s.id);
	return JSON.stringify(now);
}

// A value of each field that is as it should be.
const good = { username: 'goodname', password, token: '0'.repeat(64), currentPassword: password, newPassword: `${password}x`,
	refreshToken: 'x', session: '0123456789abcdef', name: 'good', scopes: ['account.own'], workspace: 'keep', user: 'ann' };
const required = (schema, but) => Object.fromEntries((schema.required ?? []).filter((f) => f !== but).map((f) => [f, good[f]]));
const needed = (c, but) => c.query.filter((p) => p.required && p.name !== but).map((p) => `${p.name}=${good[p.name]}`);
const types = (s) => [s.type].flat();

function* bad(s) {
	const is = types(s);
	if (!is.includes('string')) yield 'x';
	if (!is.includes('integer')) yield 7;
	if (!is.includes('boolean')) yield true;
	if (!is.includes('null')) yield null;
	if (!is.includes('array')) yield [1];
	if (!is.includes('object')) yield { a: 1 };
	if (is.includes('string') && !s.enum && !s.pattern) {
		yield 'a\u0001b';
		yield 'a\u007fb';
		yield 'a\nb';
	}
	if (is.includes('string')) yield 'a'.repeat((s.maxLength ?? 1000) + 1);
	if (s.minLength > 0) yield '';
	if (s.pattern) yield 'Z'.repeat(s.maxLength);
	if (s.enum) yield s.enum[0].toUpperCase();
	if (is.includes('integer')) {
		yield -1;
		yield 1.5;
		yield '7';
		if (s.maximum !== undefined) yield s.maximum + 1;
		if (s.minimum > 0) yield s.minimum - 1;
	}
	if (is.includes('array')) {
		yield [];
		yield [''];
		yield ['a b'];
		yield ['a\u0001'];
		yield Array(400).fill('abcdef');
	}
	if (is.includes('object')) yield { a: 'x'.repeat(2000) };
}

function named(r, field, what) {
	assert.equal(r.status, 400, `${what}: ${r.status} ${r.body}`);
	assert.equal(r.json.error.code, 'VALIDATION_ERROR', what);
	assert.equal(r.json.error.details.field, field, `${what}: ${r.body}`);
	assert.notEqual(r.json.error.message, '', what);
}

// Nothing is in the way of who leaves: what a logout brings is not looked at.
test('fields of bodies: another type, too long, too short, controls, out of bounds, unknown, missing', { timeout: 180000 }, async (t) => {
	let n = 0;
	for (const c of calls()) {
		if (!c.schema?.properties || /logout$/.test(c.path)) continue;
		const url = `${c.path.replace('{id}', 'ann').replace('{port}', '3000')}${c.query.length ? `?${needed(c).join('&')}` : ''}`;
		for (const [field, s] of Object.entries(c.schema.properties)) {
			for (const v of bad(s)) {
				named(await send(c, { url, body: { [field]: v, ...required(c.schema, field) } }), field,
					`${c.method} ${c.path} ${field}=${JSON.stringify(v).slice(0, 60)}`);
				n++;
			}
		}
		for (const field of c.schema.required ?? [])
			named(await send(c, { url, body: required(c.schema, field) }), field, `${c.method} ${c.path} without ${field}`);
		for (const field of ['isAdmin', '__proto__', 'constructor', '$where', '\u00e4'.repeat(300), `x${'\u20ac'.repeat(99)}`])
			named(await send(c, { url, body: `{${JSON.stringify(field)}:1}` }), field.slice(0, field.charCodeAt(0) > 127 ? 150 : 100),
				`${c.method} ${c.path} with ${field.slice(0, 20)}`);
	}
	t.diagnostic(`${n} values`);
	assert.ok(n > 250, `${n}`);
});

test('bodies that are none: depth, size, keys twice, no JSON, no UTF-8', { timeout: 120000 }, async () => {
	const bombs = ['[1]', '7', 'null', '"x"', '{', '{}x', '{"a":1,}', "{'a':1}", '{"a":NaN}', `{"a":${'9'.repeat(400)}}`, '{"a":1e999}', '{"a":"\\ud800"}',
		'{"a":"\\u0000"}', '{"username":"a","username":"b"}', `${'{"a":'.repeat(50)}1${'}'.repeat(50)}`, `{"a":${'['.repeat(7000)}${']'.repeat(7000)}}`,
		Buffer.from('{"a":"\xff"}', 'latin1'), Buffer.from('{"a\xc0\xaf":1}', 'latin1'), Buffer.from('\xef\xbb\xbf{}', 'latin1'), Buffer.from('{"a":"\xed\xa0\x80"}', 'latin1')];
	for (const c of calls()) {
		if (!c.op.requestBody || /logout$/.test(c.path)) continue;
		const url = `${c.path.replace('{id}', 'ann').replace('{port}', '3000')}${c.query.length ? `?${needed(c).join('&')}` : ''}`;
		for (const b of bombs) named(await send(c, { url, body: b }), 'body', `${c.method} ${c.path} ${b.toString().slice(0, 40)}`);
		const big = await send(c, { url, body: { a: 'b'.repeat(17000) } });
		assert.equal(big.status, 413, `${c.method} ${c.path}`);
		assert.equal(big.json.error.code, 'PAYLOAD_TOO_LARGE');
		assert.equal((await send(c, { url, body: '{}', type: 'text/plain' })).status, 415, `${c.method} ${c.path}`);
	}
});

test('queries and paths: huge pages, cursors of nowhere, twice, no UTF-8, unknown', { timeout: 120000 }, async () => {
	for (const c of calls()) {
		const base = c.path.replace('{id}', 'ann').replace('{port}', '3000');
		const ask = async (q, field) => named(await send(c, { url: `${base}?${[...needed(c, field), q].join('&')}` }), field, `${c.method} ${c.path}?${q.slice(0, 60)}`);
		for (const { name, schema: s, required: must } of c.query) {
			const is = types(s);
			for (const v of ['%ff', '%c0%af', '%00', '%0a', '%7f', 'a'.repeat(1500)]) await ask(`${name}=${v}`, name);
			if (is.includes('integer'))
				for (const v of ['0', '-1', '1.5', 'x', '', '%20' + '1', ...(s.maximum < 1e9 ? ['1000000000'] : []), '99999999999999999999', String(s.maximum + 1)]) await ask(`${name}=${v}`, name);
			if (s.enum) await ask(`${name}=${s.enum[0].toUpperCase()}`, name);
			if (s.maxLength) await ask(`${name}=${'a'.repeat(s.maxLength + 1)}`, name);
			if (name === 'cursor' && c.path !== '/api/admin/roles') await ask('cursor=..%2f..', name);
			const v = s.enum?.[0] ?? (is.includes('integer') ? 1 : '1');
			await ask(`${name}=${v}&${name}=${v}`, name);
			if (must) named(await send(c, { url: base }), name, `${c.method} ${c.path} without ${name}`);
		}
		if (c.query.length > 0) {
			await ask('colour=1', 'colour');
			named(await send(c, { url: `${base}?${[...needed(c), 'a%ffb=1'].join('&')}` }), 'a?b', `${c.method} ${c.path} with no UTF-8`);
		}
		if (c.path.includes('{id}')) {
			const at = (id) => send(c, { url: `${c.path.replace('{id}', id)}${c.query.length ? `?${needed(c).join('&')}` : ''}`, body: c.schema ? '{}' : undefined });
			named(await at('a'.repeat(60)), 'id', `${c.method} ${c.path}`);
			for (const id of ['%ff', '%00', '..', '%2e%2e', 'a%2fb', 'a%0ab', '%']) assert.ok([400, 404].includes((await at(id)).status), `${c.method} ${c.path} ${id}`);
			for (const id of ['nobody-there', "x'--", '4294967297', '99999999999999999999', '-1', 'ffffffffffffffff', '\u00e4'.repeat(8)]) {
				const r = await at(encodeURIComponent(id));
				assert.ok([400, 404].includes(r.status), `${c.method} ${c.path} ${id}: ${r.status}`);
			}
		}
	}
});

test('nothing of all that was done', async () => {
	assert.equal(await everything(), was);
	assert.doesNotMatch(d.log, /worker\.crash|process\.died|BUG/);
});

test('names that look like others', async () => {
	const add = { path: '/api/users', method: 'POST', op: api.paths['/api/users'].post };
	const register = { path: '/api/auth/register', method: 'POST', op: api.paths['/api/auth/register'].post };
	for (const username of ['\u0430nn', '\u03b1nn', 'a\u0308nn', '\uff41nn', 'ann\u200b', 'an\u00adn', '\u202enna', '-ann', '1ann', 'an n', 'r00t', 'adm\u0131n', 'roo-t',
		'\ud835\udc1enn', 'me', "ann'--", '"; DROP TABLE users; --', '../ann', '..', 'ann/../root', '/etc/passwd', 'ann%00', '${x}', '{{7*7}}', '<b>', 'a'.repeat(33)])
		for (const c of [add, register])
			named(await send(c, { body: { username, password } }), 'username', `${c.path} ${JSON.stringify(username)}`);
	const me = { path: '/api/users/me', method: 'PATCH', op: api.paths['/api/users/me'].patch };
	for (const displayName of ['\u0430nn Smith', 'ann\u200b', 'a\u202eb', '\uff41', 'a  b', ' a', 'a\u00a0b'])
		named(await send(me, { body: { displayName } }), 'displayName', JSON.stringify(displayName));
	// What is a text and no more is kept as it is.
	for (const displayName of ["Robert'); DROP TABLE users;--", '../../etc/passwd', '{{7*7}}', '${jndi:ldap://x}', '%s%n%x', '<script>alert(1)</script>', '=1+1', "' OR 1=1", '\u674e\u5c0f\u9f8d']) {
		assert.equal((await send(me, { body: { displayName } })).json.data.displayName, displayName);
		assert.equal((await get('/api/users/me')).displayName, displayName);
	}
});

test('each call that creates is done once for a key', { timeout: 120000 }, async () => {
	const creating = calls().filter((c) => c.op.responses['201']);
	assert.deepEqual(creating.map((c) => c.path).sort(), ['/api/auth/register', '/api/users', '/api/users/me/tokens']);
	for (const c of creating) {
		assert.ok(c.op.parameters.some((p) => p.in === 'header' && p.name === 'Idempotency-Key'), c.path);
		const body = (name) => (c.schema.properties.scopes ? { name, scopes: ['account.own'] } : { username: name, password });
		const tag = c.path.split('/').at(-1);
		const make = (name, key) => send(c, { together: true, body: body(name), headers: { 'idempotency-key': key } });
		for (const key of ['short', 'x'.repeat(129), ''])
			named(await make(`${tag}0`, key), 'Idempotency-Key', `${c.path} ${key}`);
		const key = `key-of-${tag}`;
		const first = await make(`${tag}1`, key);
		assert.equal(first.status, 201, first.body);
		const again = await make(`${tag}1`, key);
		assert.equal(again.status, 201, again.body);
		const a = first.json.data, b = again.json.data;
		if (a.token !== undefined) {
			// Shown once: it is not kept, and so cannot be told again.
			assert.match(a.token, /^ided_/);
			assert.equal(b.token, null);
			delete a.token;
			delete b.token;
		}
		assert.deepEqual(b, a);
		const other = await make(`${tag}2`, key);
		assert.equal(other.status, 409);
		assert.equal(other.json.error.details.field, 'Idempotency-Key');
		// At once: one is made, and all are told of it.
		const many = await Promise.all(Array.from({ length: 4 }, () => make(`${tag}3`, `${key}-many`)));
		assert.deepEqual([...new Set(many.map((r) => r.status))], [201], many.map((r) => r.body).join('\n'));
		assert.equal(new Set(many.map((r) => r.json.data.id)).size, 1);
		// What it made is gone: the key makes no other.
		if (c.schema.properties.scopes) {
			assert.equal((await d.request('DELETE', `${c.path}/${a.id}`, { agent: mine, headers: { cookie, origin: d.origin, accept: 'application/json' } })).status, 200);
			assert.equal((await make(`${tag}1`, key)).status, 409);
		}
	}
	await waitFor('all to be listed', async () => (await get('/api/users/me/tokens')).items.length === 1);
});
