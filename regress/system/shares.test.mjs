// Ports that a user shares: the policy's word and the owner's, who comes in as whom,
// what the program is told, and how all of it ends at once.
import { test, before, after, afterEach } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { waitFor } from './daemon.mjs';
import { ask, ask2, cookiesOf, serve, site, startPorts } from './port-daemon.mjs';

let d, ann, bob;
const html = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
before(async () => {
	d = await startPorts({ proxy: 'share public', prefork: 'spare 8', conf: 'role "watcher" permit ide.use' });
	ann = await d.login('ann');
	bob = await d.login('bob');
	await serve(d, 'ann', 3000);
	await serve(d, 'ann', 3001);
}, { timeout: 60000 });
after(() => d?.stop());
afterEach(() => d?.ctl(['port', 'unshare', '-a', 'ann']));

const api = (method, path, as, body) => ask(d, site, method, `/api/users/me/ports${path}`, { body: body && JSON.stringify(body),
	headers: { cookie: as, origin: `https://${site}:${d.port}`, ...(body && { 'content-type': 'application/json' }) } });
const host = (share) => new URL(share.address).hostname;
async function share(port, kind, as = ann, more = {}) {
	const r = await api('PUT', `/${port}`, as, { with: kind, ...more });
	assert.equal(r.status, 200, r.body);
	return r.json.data;
}
const unshare = (port, as = ann) => api('DELETE', `/${port}`, as);

// As a browser would, from the first page to the cookie.
async function visit(s, session) {
	const first = await ask(d, host(s), 'GET', '/', { headers: html });
	assert.equal(first.status, 302, first.body);
	const there = new URL(first.headers.location);
	assert.equal(there.hostname, site);
	const code = await ask(d, site, 'GET', there.pathname + there.search, { headers: { ...html, cookie: session } });
	if (code.status !== 302) return { code };
	const back = new URL(code.headers.location);
	assert.equal(back.hostname, host(s));
	const last = await ask(d, host(s), 'GET', back.pathname + back.search,
		{ headers: { ...html, cookie: `__Host-ided-enter=${cookiesOf(first)['__Host-ided-enter']}` } });
	return { first, code, last, cookie: `__Host-ided-port=${cookiesOf(last)['__Host-ided-port']}` };
}
const get = (s, cookie, path = '/', h = {}) => ask(d, host(s), 'GET', path, { headers: { ...(cookie && { cookie }), ...h } });

const ctl = (args) => {
	const r = d.ctl(args);
	assert.equal(r.status, 0, r.err);
	return r.out;
};

// An open stream of events, and when it ends.
async function events(s, cookie = '') {
	const c = await d.raw({ servername: host(s) });
	const e = { closed: false, out: '' };
	c.on('data', (b) => { e.out += b; });
	c.on('close', () => { e.closed = true; });
	c.on('error', () => {});
	c.write(`GET /events HTTP/1.1\r\nHost: ${host(s)}:${d.port}\r\n${cookie && `Cookie: ${cookie}\r\n`}\r\n`);
	await waitFor('events', () => /data: 2/.test(e.out));
	return e;
}

test('what is shared, and with whom', async () => {
	for (const [port, body] of [[22, { with: 'users' }], [0, { with: 'users' }], [70000, { with: 'users' }], ['x', { with: 'users' }],
		[3000, { with: 'all' }], [3000, {}], [3000, { with: 'users', expiresIn: 0 }], [3000, { with: 'users', user: 'bob' }]])
		assert.equal((await api('PUT', `/${port}`, ann, body)).status, 400, `${port} ${JSON.stringify(body)}`);
	const s = await share(3000, 'users');
	assert.match(s.address, new RegExp(`^https://3000-[0-9a-v]{16}\\.${site}:${d.port}/$`));
	assert.equal(s.with, 'users');
	assert.equal(s.expires, null);
	assert.equal((await api('PUT', '/3000', ann, { with: 'public' })).status, 409);
	assert.equal((await share(3000, 'users')).address, s.address, 'the same again');
	assert.deepEqual((await api('GET', '', ann)).json.data.items.map((i) => i.address), [s.address]);
	assert.deepEqual((await api('GET', '', bob)).json.data.items, [], "another's are nobody's business");
	assert.equal((await unshare(3000, bob)).status, 404);
	assert.equal((await unshare(3000)).status, 200);
	assert.equal((await unshare(3000)).status, 404);
	await d.says(/port\.shared user="ann" port=3000 share="[0-9a-v]{16}" with="users" expires=0 actor="ann" source="127\.0\.0\.1"/);
	await d.says(/port\.unshared user="ann" port=3000 share="[0-9a-v]{16}" reason="owner" actor="ann"/);
	const again = await share(3000, 'users');
	assert.notEqual(again.address, s.address, 'its name is never given again');
	await unshare(3000);
});

test('who runs nothing shares nothing', async () => {
	const r = await api('PUT', '/3000', bob, { with: 'users' });
	assert.equal(r.status, 503, r.body);
	assert.match(r.json.error.message, /not running/);
});

test('with users: a user is let in, by name, and nobody else', { timeout: 60000 }, async () => {
	const s = await share(3000, 'users');
	for (const cookie of [undefined, ann, bob, '__Host-ided-port=' + '0'.repeat(64)]) assert.equal((await get(s, cookie)).status, 401, cookie);
	const v = await visit(s, bob);
	assert.equal(v.last.status, 302, v.last.body);
	for (const fn of [ask, ask2]) {
		const r = await fn(d, host(s), 'GET', '/x?y', { headers: { cookie: `own=1; ${v.cookie}; ${bob}`, 'x-ided-user': 'ann', 'X-Ided_Roles': 'admin',
			authorization: 'Bearer app' } });
		assert.equal(r.status, 200, r.body);
		const h = r.json.headers;
		assert.equal(r.json.url, '/x?y');
		assert.equal(h.cookie, 'own=1');
		assert.equal(h['x-ided-user'], 'bob');
		assert.equal(h['x-ided_roles'], undefined);
		assert.equal(h.authorization, 'Bearer app');
		const [head, claims] = h['x-ided-assertion'].split('.').slice(0, 2).map((p) => JSON.parse(Buffer.from(p, 'base64url')));
		assert.equal(head.typ, 'ided-user+jwt');
		assert.deepEqual([claims.aud, claims.sub, claims.roles], [host(s).split('.')[0], 'bob', ['visitor']]);
		assert.ok(!d.log.includes(claims.sid), 'the session is not told');
	}
	await d.says(/port\.visited user="bob" owner="ann" source="127\.0\.0\.1" session="[0-9a-f]{16}" port=3000 share="[0-9a-v]{16}"/);
	// Its cookie is for nothing else.
	const token = v.cookie.split('=')[1].slice(0, 64);
	assert.equal((await ask(d, site, 'GET', '/api/me', { headers: { cookie: `__Host-ided=${token}` } })).status, 401);
	assert.equal((await ask(d, `3000.${site}`, 'GET', '/', { headers: { cookie: v.cookie } })).status, 401);
	const other = await share(3001, 'users');
	assert.equal((await get(other, v.cookie)).status, 401);
	const e = await events(s, v.cookie);
	assert.equal((await api('GET', '', ann)).json.data.items.find((i) => i.port === 3000).visitors >= 1, true);
	await unshare(3000);
	await waitFor('the end', () => e.closed);
	assert.equal((await get(s, v.cookie)).status, 404);
	await unshare(3001);
});

test("a visitor's logout ends the visit", { timeout: 60000 }, async () => {
	const s = await share(3000, 'users');
	const session = await d.login('bob');
	const v = await visit(s, session);
	const e = await events(s, v.cookie);
	await d.request('POST', '/api/logout', { headers: { cookie: session, origin: d.origin } });
	await waitFor('the end', () => e.closed);
	assert.equal((await get(s, v.cookie)).status, 401);
	await unshare(3000);
});

test("what a visitor's WebSocket says is passed on, and ends nothing", { timeout: 60000 }, async () => {
	for (const kind of ['users', 'public']) {
		const s = await share(3000, kind);
		const cookie = kind === 'users' ? `Cookie: ${(await visit(s, bob)).cookie}\r\n` : '';
		const c = await d.raw({ servername: host(s) });
		let got = Buffer.alloc(0), closed = false;
		c.on('data', (b) => { got = Buffer.concat([got, b]); });
		c.on('close', () => { closed = true; });
		c.on('error', () => {});
		c.write(`GET /socket HTTP/1.1\r\nHost: ${host(s)}:${d.port}\r\n${cookie}Origin: https://${host(s)}:${d.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
			'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
		await waitFor('the upgrade', () => /^HTTP\/1\.1 101 /.test(got.toString('latin1')));
		for (let n = 0; n < 3; n++) {
			const before = got.length;
			c.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61 + n]));
			await waitFor('its answer', () => got.length > before || closed);
			assert.ok(!closed, kind);
		}
		c.destroy();
		await unshare(3000);
	}
	assert.doesNotMatch(d.log, /worker\.violation/);
});

test('with everybody: a guest is let in, to that port and nothing else', { timeout: 60000 }, async () => {
	const s = await share(3000, 'public');
	for (const fn of [ask, ask2]) {
		const r = await fn(d, host(s), 'GET', '/', { headers: { 'x-ided-user': 'ann', 'x-ided-assertion': 'x' } });
		assert.equal(r.status, 200, r.body);
		assert.equal(r.json.headers['x-ided-user'], undefined);
		assert.equal(r.json.headers['x-ided-assertion'], undefined);
		assert.equal(r.headers['set-cookie'], undefined);
	}
	assert.equal((await get(s, undefined, '/api/me')).json.url, '/api/me', "ided's own is not there");
	assert.equal((await ask(d, host(s), 'POST', '/x', { headers: { origin: `https://${site}:${d.port}` } })).status, 403);
	assert.equal((await ask(d, host(s), 'POST', '/x', { headers: { origin: `https://3000.${site}:${d.port}` } })).status, 403);
	assert.equal((await ask(d, host(s), 'POST', '/x', { headers: { origin: `https://${host(s)}:${d.port}` } })).status, 200);
	const label = host(s).split('.')[0];
	for (const bad of [label.replace('3000', '3001'), label.replace(/.$/, (c) => (c === '0' ? '1' : '0')), `3000-${'0'.repeat(16)}`])
		assert.equal((await ask(d, `${bad}.${site}`, 'GET', '/')).status, 404, bad);
	for (const bad of [`${label}0`, label.slice(0, -1), label.replace(/.$/, 'z'), label.replace('3000', '03000'), label.replace('3000', '99999')])
		assert.equal((await ask(d, `${bad}.${site}`, 'GET', '/')).status, 421, bad);
	assert.equal((await ask(d, `22-${'0'.repeat(16)}.${site}`, 'GET', '/')).status, 403);
	const e = await events(s);
	await unshare(3000);
	await waitFor('the end', () => e.closed);
	assert.equal((await get(s)).status, 404);
});

test('pages of what others share read nothing of the own programs', async () => {
	const s = await share(3000, 'public');
	const own = await visit({ address: `https://3000.${site}/` }, ann);
	const at = (h) => ask(d, `3000.${site}`, 'GET', '/', { headers: { cookie: own.cookie, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', ...h } });
	assert.equal((await at({})).status, 403);
	assert.equal((await at({ referer: s.address })).status, 403);
	assert.equal((await at({ origin: `https://${host(s)}:${d.port}`, 'sec-fetch-mode': 'cors' })).status, 403);
	assert.equal((await at({ origin: 'null' })).status, 403);
	assert.equal((await at({ referer: `https://3001.${site}:${d.port}/` })).status, 200);
	assert.equal((await at({ origin: `https://3001.${site}:${d.port}`, 'sec-fetch-mode': 'cors' })).status, 200);
	assert.equal((await at({ 'sec-fetch-mode': 'navigate' })).status, 200);
	await unshare(3000);
});

test('it outlives auth, and so does who is there', { timeout: 60000 }, async () => {
	const p = await share(3000, 'public'), u = await share(3001, 'users');
	const v = await visit(u, bob);
	const open = [await events(p), await events(u, v.cookie)];
	const pid = d.role('auth')[0].pid;
	process.kill(pid, 'SIGKILL');
	await waitFor('another auth', () => (d.role('auth')[0]?.pid ?? pid) !== pid);
	const seen = open.map((e) => e.out.length);
	await waitFor('more events', () => open.every((e, i) => e.out.length > seen[i]));
	await waitFor('the list', async () => (await api('GET', '', ann)).json?.data?.items?.length === 2);
	assert.equal((await get(p)).status, 200);
	assert.equal((await get(u, v.cookie)).status, 200);
	assert.ok(open.every((e) => !e.closed), 'nobody was sent away');
	await unshare(3000);
	await unshare(3001);
	await waitFor('the end of both', () => open.every((e) => e.closed));
});

test('idectl lists, shares and ends', () => {
	const out = ctl(['port', 'share', '-e', '8h', 'ann', '3000']);
	assert.match(out, /address +https:\/\/3000-[0-9a-v]{16}\./);
	assert.equal(JSON.parse(ctl(['-j', 'port', 'share', '-p', 'ann', '3001'])).with, 'public');
	assert.deepEqual(JSON.parse(ctl(['-j', 'port', 'list'])).map((r) => r.port).sort(), [3000, 3001]);
	assert.deepEqual(JSON.parse(ctl(['-j', 'port', 'list', 'bob'])), []);
	assert.match(ctl(['port', 'unshare', 'ann', '3001']), /shared no more/);
	assert.match(ctl(['port', 'unshare', '-a', 'ann']), /no port of ann/);
	assert.deepEqual(JSON.parse(ctl(['-j', 'port', 'list'])), []);
});

test('it ends with its time, its owner, the role, the policy, the sandbox', { timeout: 60000 }, async () => {
	const closes = async (what, s, end, reason) => {
		const e = await events(s);
		await end();
		await waitFor(`the end by ${what}`, () => e.closed);
		await waitFor(`a record of ${what}`, () => new RegExp(`port\\.unshared user="ann" port=${s.port} .*reason="${reason}"`).test(d.log));
		assert.equal((await get(s)).status, 404, what);
	};
	await closes('the role', await share(3000, 'public'), () => ctl(['user', 'role', 'ann', 'watcher']), 'permission');
	ann = await d.login('ann');
	assert.equal((await api('PUT', '/3000', ann, { with: 'users' })).status, 403);
	ctl(['user', 'role', 'ann', 'user']);
	ann = await d.login('ann');
	await closes('an administrator', await share(3000, 'public'), () => ctl(['port', 'unshare', 'ann', '3000']), 'administrator');
	await closes('being disabled', await share(3000, 'public'), () => ctl(['user', 'disable', 'ann']), 'account');
	ctl(['user', 'enable', 'ann']);
	ann = await d.login('ann');
	await serve(d, 'ann', 3000);
	await closes('its time', await share(3000, 'public', ann, { expiresIn: 3 }), () => {}, 'time');
	await closes('the policy', await share(3000, 'public'), async () => {
		fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace('share public', 'share users'));
		ctl(['reload']);
	}, 'policy');
	const r = await api('PUT', '/3000', ann, { with: 'public' });
	assert.equal(r.status, 403);
	assert.match(r.json.error.message, /users alone/);
	fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace('share users', 'share public'));
	ctl(['reload']);
	await closes('the sandbox', await share(3000, 'public'), () => ctl(['sandbox', 'stop', 'ann']), 'sandbox');
});
