// Tokens for programs, walked through as programs do: a pair by login, made anew, used
// twice, revoked; API tokens with scopes; and a JWT library of others that verifies
// what we sign by the keys that we publish, and nothing that was altered.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import { startDaemon, password, waitFor } from './daemon.mjs';

const jose = await import('jose');

let d;
before(async () => { d = await startDaemon({ users: ['ann', 'bob'], auth: 'token access 15m refresh 7d issuer "https://ide.example.com"' }); });
after(() => d?.stop());

const json = { accept: 'application/json', 'content-type': 'application/json' };
const bearer = (t) => ({ accept: 'application/json', authorization: `Bearer ${t}` });
const send = (method, url, body, { headers = {}, ...rest } = {}) => d.request(method, url, {
	...rest, body: body === undefined ? undefined : JSON.stringify(body),
	headers: { ...json, ...headers } });
const login = async (user = 'ann', pw = password) => {
	const r = await send('POST', '/api/auth/login', { username: user, password: pw });
	assert.equal(r.status, 200, r.body);
	assert.equal(r.headers['set-cookie'], undefined);
	return r.json.data;
};
const refresh = (t, opts) => send('POST', '/api/auth/refresh', { refreshToken: t }, opts);
const me = async (t, opts) => (await d.request('GET', '/api/auth/me', { headers: bearer(t), ...opts })).status;
const keys = async () => (await d.request('GET', '/.well-known/jwks.json', { headers: { accept: 'application/json' } })).json;
const verify = async (t, options = {}) => jose.jwtVerify(t, jose.createLocalJWKSet(await keys()), {
	issuer: 'https://ide.example.com', audience: 'ided', typ: 'at+jwt', ...options });

test('a login gives a pair, and the access token opens what a cookie does', async () => {
	const t = await login();
	assert.equal(t.tokenType, 'Bearer');
	assert.equal(t.expiresIn, 900);
	assert.equal(t.refreshExpiresIn, 7 * 86400);
	assert.equal(await me(t.accessToken), 200);
	const r = await d.request('GET', '/api/sessions', { headers: bearer(t.accessToken) });
	assert.equal(r.status, 200);
	assert.ok(r.json.data.sessions.some((s) => s.id === t.session && s.current));
	// The other one opens nothing.
	assert.equal(await me(t.refreshToken), 401);
});

test('a library of others verifies it', async () => {
	const t = await login();
	const { payload, protectedHeader } = await verify(t.accessToken);
	assert.equal(payload.sub, 'ann');
	assert.equal(payload.sid, t.session);
	assert.equal(protectedHeader.alg, 'EdDSA');
	assert.equal(payload.exp - payload.iat, 900);
	await assert.rejects(verify(t.refreshToken), /aud|typ/);
	await verify(t.refreshToken, { audience: 'ided-refresh', typ: 'rt+jwt' });
	await assert.rejects(verify(t.accessToken, { issuer: 'https://other.example.com' }), /iss/);
	for (const k of (await keys()).keys) {
		assert.equal(k.use, 'sig');
		assert.equal(k.d, undefined);
	}
});

// What everybody tries first; none of it gets past us, or past the library.
test('altered ones are refused, here and there', async () => {
	const { accessToken: t, refreshToken } = await login();
	const [h, p, s] = t.split('.');
	const b64 = (o) => Buffer.from(typeof o === 'string' ? o : JSON.stringify(o)).toString('base64url');
	const head = JSON.parse(Buffer.from(h, 'base64url'));
	const body = JSON.parse(Buffer.from(p, 'base64url'));
	const jwk = (await keys()).keys[0];
	const hmac = (input, key) => crypto.createHmac('sha256', key).update(input).digest('base64url');
	const own = crypto.generateKeyPairSync('ed25519');
	const resign = (hd, bd, key = own.privateKey) => {
		const input = `${b64(hd)}.${b64(bd)}`;
		return `${input}.${crypto.sign(null, Buffer.from(input), key).toString('base64url')}`;
	};
	const pub = crypto.createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
	const hs = `${b64({ ...head, alg: 'HS256' })}.${p}`;
	const cases = {
		'none': `${b64({ ...head, alg: 'none' })}.${p}.`,
		'None, with the signature': `${b64({ ...head, alg: 'None' })}.${p}.${s}`,
		'no signature': `${h}.${p}.`,
		'HS256 by the public key': `${hs}.${hmac(hs, pub)}`,
		'HS256 by its bytes': `${hs}.${hmac(hs, Buffer.from(jwk.x, 'base64url'))}`,
		'another user': `${h}.${b64({ ...body, sub: 'bob' })}.${s}`,
		'another uid': `${h}.${b64({ ...body, uid: body.uid + 1 })}.${s}`,
		'lasts longer': `${h}.${b64({ ...body, exp: body.exp + 1e6 })}.${s}`,
		'a key of ones own': resign(head, body),
		'a key of ones own, named': resign({ ...head, jwk: own.publicKey.export({ format: 'jwk' }) }, body),
		'jku': resign({ ...head, jku: 'https://evil.example.com/jwks.json' }, body),
		'x5u': resign({ ...head, x5u: 'https://evil.example.com/x' }, body),
		'crit': `${b64({ ...head, crit: ['exp'] })}.${p}.${s}`,
		'kid of a file': resign({ ...head, kid: '../../../../dev/null' }, body),
		'kid of SQL': resign({ ...head, kid: "x' UNION SELECT 'k" }, body),
		'kid that is none': resign({ ...head, kid: '0000000000000000' }, body),
		'RS256 for an EdDSA key': `${b64({ ...head, alg: 'RS256' })}.${p}.${s}`,
		'a claim twice': `${h}.${b64(JSON.stringify(body).replace('{', '{"sub":"bob",'))}.${s}`,
		'spaces in it': `${b64(JSON.stringify(head, null, 1))}.${p}.${s}`,
		'padding': `${h}=.${p}.${s}`,
		'a part more': `${t}.${s}`,
		'a part less': `${h}.${p}`,
		'a byte of the signature': `${h}.${p}.${s[0] === 'A' ? 'B' : 'A'}${s.slice(1)}`,
		'cut': t.slice(0, -1),
		'longer': `${t}A`,
		'the other ones signature': `${h}.${p}.${refreshToken.split('.')[2]}`,
		'its JSON form': b64({ protected: h, payload: p, signature: s }),
		'long': `${h}.${'A'.repeat(4000)}.${s}`,
	};
	for (const [what, token] of Object.entries(cases)) {
		assert.equal(await me(token), 401, what);
		assert.equal((await refresh(token)).status, what === 'long' ? 400 : 401, what);
		await assert.rejects(verify(token), undefined, what);
	}
	// Bits that are no bits of the signature's last digit.
	assert.equal(await me(t), 200, 'the true one goes on');
});

test('a refresh token is good once; a second time ends the family', async () => {
	const a = await login();
	const r = await refresh(a.refreshToken);
	assert.equal(r.status, 200, r.body);
	const b = r.json.data;
	assert.equal(b.session, a.session);
	assert.equal(await me(a.accessToken), 200, 'the access token of before lasts to its end');
	assert.equal(await me(b.accessToken), 200);
	const c = (await refresh(b.refreshToken)).json.data;
	// A connection that acts for the family is closed at once.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal(await me(c.accessToken, { agent }), 200);
	const closed = new Promise((resolve) => Object.values(agent.freeSockets)[0][0].on('close', resolve));
	assert.equal((await refresh(a.refreshToken)).status, 401);
	await closed;
	for (const t of [a, b, c]) {
		assert.equal(await me(t.accessToken), 401);
		assert.equal((await refresh(t.refreshToken)).status, 401);
	}
	await d.says(new RegExp(`token\\.reused.*session="${a.session}"`));
	agent.destroy();
});

test('of two who refresh at once one gets a pair, and the family ends', async () => {
	const a = await login();
	const all = await Promise.all(Array.from({ length: 6 }, () => refresh(a.refreshToken)));
	const good = all.filter((r) => r.status === 200);
	assert.equal(good.length, 1, all.map((r) => r.status).join(' '));
	assert.equal((await refresh(good[0].json.data.refreshToken)).status, 401);
});

test('logout ends the family, and so does whoever may end sessions', async () => {
	let t = await login();
	assert.equal((await send('POST', '/api/auth/logout', undefined, { headers: bearer(t.accessToken) })).status, 200);
	assert.equal(await me(t.accessToken), 401);
	assert.equal((await refresh(t.refreshToken)).status, 401);
	t = await login();
	d.ok(['session', 'revoke', t.session]);
	assert.equal(await me(t.accessToken), 401);
	t = await login();
	const other = await login('bob');
	d.ok(['session', 'revoke', 'ann']);
	assert.equal(await me(t.accessToken), 401);
	assert.equal((await refresh(t.refreshToken)).status, 401);
	assert.equal(await me(other.accessToken), 200);
	// The next ones are of another version.
	const u = await login();
	assert.notEqual(jose.decodeJwt(u.accessToken).ver, jose.decodeJwt(t.accessToken).ver);
	d.ok(['user', 'disable', 'bob']);
	assert.equal(await me(other.accessToken), 401);
	d.ok(['user', 'enable', 'bob']);
	assert.equal(await me(other.accessToken), 401);
});

test('one connection acts for one credential', async () => {
	const [a, b] = [await login(), await login('bob')];
	for (const [url, opts] of [['/api/auth/me', { headers: bearer(b.accessToken) }],
		['/api/auth/me', { headers: { ...bearer('x'), authorization: `Bearer ${(await login()).accessToken}` } }]]) {
		const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
		assert.equal(await me(a.accessToken, { agent }), 200);
		assert.equal((await d.request('GET', url, { agent, ...opts })).status, 421);
		agent.destroy();
	}
	// A newer one of the same family is taken.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal(await me(a.accessToken, { agent }), 200);
	const n = (await refresh(a.refreshToken)).json.data;
	assert.equal(await me(n.accessToken, { agent }), 200);
	assert.equal(await me(n.accessToken, { agent }), 200);
	assert.equal(Object.values(agent.freeSockets).flat().length, 1, 'all on one connection');
	agent.destroy();
	// By refresh too: on its own connection, not on another one's.
	const agent2 = new https.Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal(await me(n.accessToken, { agent: agent2 }), 200);
	assert.equal((await refresh(n.refreshToken, { agent: agent2 })).status, 200);
	assert.equal((await refresh((await login('bob')).refreshToken, { agent: agent2 })).status, 421);
	agent2.destroy();
});

test('an API token: shown once, limited to its scopes, kept as a hash, revoked at once', async () => {
	const cookie = await d.login('ann');
	const headers = { cookie, origin: d.origin };
	const made = await send('POST', '/api/users/me/tokens', { name: 'ci', scopes: ['account.own'], expiresIn: 3600 }, { headers });
	assert.equal(made.status, 201, made.body);
	const { token, id } = made.json.data;
	assert.match(token, /^ided_[0-9A-Za-z]{49}$/);
	assert.equal(await me(token), 200);
	let list = (await d.request('GET', '/api/users/me/tokens', { headers: bearer(token) })).json.data.items;
	assert.equal(list.length, 1);
	assert.deepEqual([list[0].id, list[0].name, list[0].scopes], [id, 'ci', ['account.own']]);
	assert.ok(!JSON.stringify(list).includes(token));
	// Not even it makes others; what its scopes lack is refused in auth.
	assert.equal((await send('POST', '/api/users/me/tokens', { name: 'more', scopes: ['account.own'] }, { headers: bearer(token) })).status, 403);
	const r = await d.request('POST', '/ide/mint-key', { headers: { ...bearer(token), origin: d.origin } });
	assert.equal(r.status, 403, r.body);
	const ide = await send('POST', '/api/users/me/tokens', { name: 'ide', scopes: ['ide.use'] }, { headers });
	assert.equal((await d.request('POST', '/ide/mint-key', { headers: { ...bearer(ide.json.data.token), origin: d.origin } })).status, 200);
	assert.equal((await d.request('GET', '/api/users/me/tokens', { headers: bearer(ide.json.data.token) })).status, 403);
	// A typing error is noticed before anybody is asked.
	assert.equal(await me(token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a')), 401);
	// Nothing of it is on the disk.
	for (const dir of ['store', 'keys'])
		for (const f of fs.readdirSync(`${d.data}/${dir}`, { recursive: true }))
			if (fs.statSync(`${d.data}/${dir}/${f}`).isFile())
				assert.equal(fs.readFileSync(`${d.data}/${dir}/${f}`, 'latin1').includes(token.slice(5, 40)), false);
	// Its connection ends with it.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal(await me(token, { agent }), 200);
	const closed = new Promise((resolve) => Object.values(agent.freeSockets)[0][0].on('close', resolve));
	assert.equal((await d.request('DELETE', `/api/users/me/tokens/${id}`, { headers })).status, 200);
	await closed;
	assert.equal(await me(token), 401);
	list = (await d.request('GET', '/api/users/me/tokens', { headers })).json.data.items;
	assert.deepEqual(list.map((t) => t.name), ['ide']);
	// Another user's is not there.
	const bob = await d.login('bob');
	assert.equal((await d.request('DELETE', `/api/users/me/tokens/${list[0].id}`, { headers: { cookie: bob, origin: d.origin } })).status, 404);
	assert.equal((await d.request('GET', '/api/users/me/tokens', { headers: { cookie: bob } })).json.data.items.length, 0);
	agent.destroy();
	// One may revoke itself, and hears of it.
	const self = (await send('POST', '/api/users/me/tokens', { name: 'self', scopes: ['account.own'] }, { headers })).json.data;
	assert.equal((await d.request('DELETE', `/api/users/me/tokens/${self.id}`, { headers: bearer(self.token) })).status, 200);
	assert.equal(await me(self.token), 401);
});

test('bad requests name the field', async () => {
	const headers = { cookie: await d.login('ann'), origin: d.origin };
	const add = (body) => send('POST', '/api/users/me/tokens', body, { headers });
	for (const [body, field] of [
		[{ scopes: ['account.own'] }, 'name'],
		[{ name: 1, scopes: ['account.own'] }, 'name'],
		[{ name: '', scopes: ['account.own'] }, 'name'],
		[{ name: ' x', scopes: ['account.own'] }, 'name'],
		[{ name: 'a\u0000b', scopes: ['account.own'] }, 'name|body'],
		[{ name: 'ä', scopes: ['account.own'] }, 'name'],
		[{ name: 'x'.repeat(65), scopes: ['account.own'] }, 'name'],
		[{ name: 'x' }, 'scopes'],
		[{ name: 'x', scopes: [] }, 'scopes'],
		[{ name: 'x', scopes: 'account.own' }, 'scopes'],
		[{ name: 'x', scopes: ['no.such'] }, 'scopes'],
		[{ name: 'x', scopes: ['account.own', 'account.own'] }, 'scopes'],
		[{ name: 'x', scopes: ['account.own ide.use'] }, 'scopes'],
		[{ name: 'x', scopes: ['users.manage'] }, 'scopes'],
		[{ name: 'x', scopes: Array(1000).fill('account.own') }, 'scopes'],
		[{ name: 'x', scopes: ['account.own'], expiresIn: 0 }, 'expiresIn'],
		[{ name: 'x', scopes: ['account.own'], expiresIn: 1.5 }, 'expiresIn'],
		[{ name: 'x', scopes: ['account.own'], expiresIn: 1e12 }, 'expiresIn'],
		[{ name: 'x', scopes: ['account.own'], admin: true }, 'admin'],
		[[], 'body'],
	]) {
		const r = await add(body);
		assert.equal(r.status, 400, JSON.stringify(body));
		assert.equal(r.json.error.code, 'VALIDATION_ERROR');
		assert.match(r.json.error.details.field, new RegExp(`^(${field})$`), JSON.stringify(body));
	}
	assert.equal((await add({ name: 'twice', scopes: ['account.own'] })).status, 201);
	assert.equal((await add({ name: 'twice', scopes: ['account.own'] })).status, 409);
	for (const body of [{}, { refreshToken: 1 }, { refreshToken: 'x', more: 1 }, 7])
		assert.equal((await send('POST', '/api/auth/refresh', body)).status, 400, JSON.stringify(body));
});

test('idectl lists, makes and revokes them, as does who may by the API', async () => {
	const make = (...args) => JSON.parse(d.ok(['-j', 'token', 'create', ...args]));
	const t = make('-e', '2h', 'ann', 'nightly', 'account.own');
	assert.match(t.secret, /^ided_[0-9A-Za-z]{49}$/);
	assert.equal(t.expires, t.created + 7200);
	assert.equal(await me(t.secret), 200);
	const list = JSON.parse(d.ok(['-j', 'token', 'list', 'ann']));
	assert.deepEqual(list.filter((x) => x.token === t.token).map((x) => [x.user, x.name, x.scopes]), [['ann', 'nightly', ['account.own']]]);
	assert.ok(!d.ok(['token', 'list']).includes(t.secret), 'it is shown once');
	for (const [args, why] of [
		[['nobody', 'x', 'account.own'], /no user nobody/], [['ann', 'nightly', 'account.own'], /has it already/],
		[['ann', 'x', 'users.manage'], /only what its user is permitted/], [['ann', 'x', 'no.such'], /there is no permission no\.such/], [['ann', 'x', 'account.own,account.own'], /each once/],
		[['ann', '', 'account.own'], /idectl: name: /], [['-e', '2y', 'ann', 'x', 'account.own'], /30m, 12h, 30d/],
		[['-e', '9000d', 'ann', 'x', 'account.own'], /10 years/],
	]) {
		const r = d.ctl(['token', 'create', ...args]);
		assert.notEqual(r.status, 0, `${args}`);
		assert.match(r.err, why);
	}
	assert.match(d.ok(['token', 'revoke', t.token]), /of ann revoked/);
	assert.equal(await me(t.secret), 401);
	assert.match(d.ctl(['token', 'revoke', t.token]).err, /no token/);
	// By the API: another user's, by who may.
	d.addUser('root1', 'admin');
	const cookie = await d.login('root1');
	const u = make('bob', 'weekly', 'account.own');
	const items = (await d.request('GET', '/api/admin/tokens?user=bob', { headers: { cookie, accept: 'application/json' } })).json.data.items;
	assert.deepEqual(items.map((x) => [x.id, x.username, x.name, x.lastUsed]), [[u.token, 'bob', 'weekly', null]]);
	const v = make('bob', 'monthly', 'account.own');
	const page = async (q) => (await d.request('GET', `/api/admin/tokens?user=bob&limit=1${q}`, { headers: { cookie, accept: 'application/json' } })).json.data;
	const ids = [u.token, v.token].sort();
	const [one, two] = [await page(''), await page(`&cursor=${ids[0]}`)];
	assert.deepEqual([one.items.map((x) => x.id), one.next, two.items.map((x) => x.id), two.next], [[ids[0]], ids[0], [ids[1]], null]);
	const end = (c) => d.request('DELETE', `/api/admin/tokens/${u.token}`, { headers: { cookie: c, accept: 'application/json', origin: d.origin } });
	assert.equal((await end(await d.login('ann'))).status, 403);
	assert.equal((await end(cookie)).status, 200);
	assert.equal((await end(cookie)).status, 404);
	assert.equal(await me(u.secret), 401);
});

test('keys are changed by a word: what they signed stays good until it is over, or is void', async () => {
	const t = await login();
	const kids = async () => (await keys()).keys.map((k) => k.kid);
	const old = await kids();
	const said = d.ok(['token', 'rotate']);
	const now = await kids();
	assert.deepEqual(now.slice(0, -1), old);
	assert.match(said, new RegExp(`key ${now.at(-1)} signs`));
	assert.equal(await me(t.accessToken), 200);
	assert.equal((await refresh(t.refreshToken)).status, 200);
	const u = await login();
	assert.equal(jose.decodeProtectedHeader(u.accessToken).kid, now.at(-1));
	await verify(t.accessToken);
	// None is dropped before its time to make room.
	let r;
	for (let i = 0; i < 8 && (r = d.ctl(['token', 'rotate'])).status === 0; i++);
	assert.match(r.err, /no new key/);
	assert.equal(await me(t.accessToken), 200);
	await verify(t.accessToken);
	assert.match(d.ok(['token', 'rotate', '-f']), /what was signed before is void/);
	assert.equal((await kids()).length, 1);
	assert.equal(await me(t.accessToken), 401);
	assert.equal(await me(u.accessToken), 401);
	assert.equal(await me((await login()).accessToken), 200);
});

test('what has an end comes to it: an API token, a refresh token, and what they had open', async () => {
	const headers = { cookie: await d.login('bob'), origin: d.origin };
	const made = (await send('POST', '/api/users/me/tokens', { name: 'short', scopes: ['account.own'], expiresIn: 2 }, { headers })).json.data;
	const lasting = (await send('POST', '/api/users/me/tokens', { name: 'long', scopes: ['account.own'], expiresIn: 3600 }, { headers })).json.data;
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	let closed = false;
	// On a machine that is slow it may be over already.
	if (await me(made.token, { agent }) === 200)
		Object.values(agent.freeSockets)[0]?.[0].on('close', () => { closed = true; });
	else
		closed = true;
	await waitFor('its connection to be closed', () => closed);
	assert.ok(Date.now() / 1000 >= Date.parse(made.expires) / 1000, made.expires);
	assert.equal(await me(made.token), 401);
	assert.equal(await me(lasting.token), 200);
	agent.destroy();
	// A pair, by what the configuration says.
	const was = fs.readFileSync(d.conf, 'utf8');
	try {
		fs.writeFileSync(d.conf, was.replace('access 15m refresh 7d', 'access 1s refresh 1s'));
		d.ok(['reload']);
		const u = await login('bob');
		await waitFor('the pair to be over', async () => await me(u.accessToken) === 401);
		await waitFor('the refresh token, too', async () => (await refresh(u.refreshToken)).status === 401);
	} finally {
		fs.writeFileSync(d.conf, was);
		d.ok(['reload']);
	}
});

test('RS256, where the configuration says so: verified here and by others, beside what was signed before', async () => {
	const t = await login();
	const was = fs.readFileSync(d.conf, 'utf8');
	fs.writeFileSync(d.conf, was.replace('refresh 7d', 'refresh 7d algorithm rs256'));
	d.ok(['reload']);
	d.ok(['token', 'rotate']);
	const u = await login();
	assert.equal(jose.decodeProtectedHeader(u.accessToken).alg, 'RS256');
	const rsa = (await keys()).keys.find((k) => k.kid === jose.decodeProtectedHeader(u.accessToken).kid);
	assert.deepEqual([rsa.kty, rsa.alg, rsa.use, rsa.d, rsa.p], ['RSA', 'RS256', 'sig', undefined, undefined]);
	assert.ok(Buffer.from(rsa.n, 'base64url').length >= 256);
	const { payload } = await verify(u.accessToken, { algorithms: ['RS256'] });
	assert.equal(payload.sub, 'ann');
	assert.equal(await me(u.accessToken), 200);
	const [h, p, s] = u.accessToken.split('.');
	// A public key is no secret to sign by, another algorithm's name no signature.
	const head = (o) => Buffer.from(JSON.stringify({ ...jose.decodeProtectedHeader(u.accessToken), ...o })).toString('base64url');
	const pem = crypto.createPublicKey({ key: rsa, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
	const hs = `${head({ alg: 'HS256' })}.${p}`;
	for (const bad of [`${hs}.${crypto.createHmac('sha256', pem).update(hs).digest('base64url')}`, `${head({ alg: 'PS256' })}.${p}.${s}`,
		`${head({ alg: 'EdDSA' })}.${p}.${s}`, `${h}.${p}.${s[0] === 'A' ? 'B' : 'A'}${s.slice(1)}`, `${h}.${p}.${'A'.repeat(s.length)}`]) {
		assert.equal(await me(bad), 401, bad);
		await assert.rejects(verify(bad), undefined, bad);
	}
	const next = (await refresh(u.refreshToken)).json.data;
	assert.equal(await me(next.accessToken), 200);
	// What the other key has signed is as good as it was, and made anew by this one.
	assert.equal(await me(t.accessToken), 200);
	assert.equal(jose.decodeProtectedHeader((await refresh(t.refreshToken)).json.data.accessToken).alg, 'RS256');
	fs.writeFileSync(d.conf, was);
	d.ok(['reload']);
	d.ok(['token', 'rotate']);
	assert.equal(jose.decodeProtectedHeader((await login()).accessToken).alg, 'EdDSA');
	assert.equal(await me(next.accessToken), 200);
});

test('they survive a restart, and the death of keys and auth; a new key is known beside the old', async () => {
	const t = await login();
	const before = await keys();
	await d.stop({ keep: true });
	await d.start();
	assert.deepEqual(await keys(), before);
	assert.equal(await me(t.accessToken), 200);
	for (const role of ['keys', 'auth']) {
		const [p] = d.role(role);
		process.kill(p.pid, 'SIGKILL');
		await waitFor(`${role} to be back`, () => d.role(role).some((q) => q.pid !== p.pid));
		await waitFor('tokens', async () => (await send('POST', '/api/auth/login', { username: 'ann', password })).status === 200);
		assert.equal(await me(t.accessToken), 200, role);
		assert.deepEqual(await keys(), before);
	}
	assert.equal((await refresh(t.refreshToken)).status, 200);
});

test('while there is no keys, nobody gets tokens, and everybody\'s are good', async () => {
	const t = await login();
	const [p] = d.role('keys');
	// Its handshake is over: keys is not needed for it.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal((await d.request('GET', '/healthz', { agent })).status, 200);
	process.kill(p.pid, 'SIGSTOP');
	try {
		assert.equal(await me(t.accessToken, { agent }), 200);
		const r = await refresh(t.refreshToken, { agent });
		assert.equal(r.status, 503);
	} finally {
		process.kill(p.pid, 'SIGCONT');
		agent.destroy();
	}
	// It was not used up.
	assert.equal((await refresh(t.refreshToken)).status, 200);
});
