// WebSockets into a sandbox end with what let them in, whoever ends it and however;
// those of others go on.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { password, waitFor } from './daemon.mjs';
import { serve, startPorts } from './port-daemon.mjs';

let d, admin;
let pw = password;
before(async () => {
	d = await startPorts({ domain: false, prefork: 'spare 8' });
	d.addUser('root1', 'admin');
	admin = await d.login('root1');
	await Promise.all(['ann', 'bob'].map((u) => serve(d, u, 3000)));
}, { timeout: 90000 });
after(() => d?.stop());

async function socket(credential) {
	const s = await d.raw();
	let out = Buffer.alloc(0), closed = false;
	s.on('data', (b) => { out = Buffer.concat([out, b]); });
	s.on('error', () => {});
	s.on('close', () => { closed = true; });
	s.write(`GET /proxy/3000/socket HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\n${credential}\r\n` +
		'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
		`Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
	await waitFor('an answer', () => out.includes('\r\n\r\n'));
	assert.match(out.toString('latin1'), /^HTTP\/1\.1 101 /);
	return {
		end: () => s.destroy(),
		closed: (what) => waitFor(`${what}: the WebSocket to be closed`, () => closed, 8000, 5),
		// It still carries bytes, to the program and back.
		async lives(what) {
			const bytes = crypto.randomBytes(32);
			s.write(bytes);
			await waitFor(`${what}: an echo`, () => closed || out.includes(bytes));
			assert.ok(!closed, `${what}: it goes on`);
		},
	};
}
const byCookie = (c) => socket(`Cookie: ${c}`);
const byToken = (t) => socket(`Authorization: Bearer ${t}`);

async function api(cookie, method, path, body) {
	const text = body === undefined ? undefined : JSON.stringify(body);
	const r = await d.request(method, `/api/${path}`, { body: text, headers: { accept: 'application/json', origin: d.origin,
		...(cookie?.startsWith('ided_') || cookie?.includes('.') ? { authorization: `Bearer ${cookie}` } : cookie ? { cookie } : {}),
		...(text ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {}) } });
	assert.ok(r.status < 300, `${method} ${path}: ${r.status} ${r.body}`);
	return r.json.data;
}
const me = async (cookie) => (await api(cookie, 'GET', 'me')).session;

// Ends one session: the other one of the same user goes on.
const one = {
	'the own one, from another': (a, b, id) => api(b, 'DELETE', `users/me/sessions/${id}`),
	'the own one, on the start page': (a, b, id) => api(b, 'POST', 'sessions/end', { session: id }),
	'all others of one\'s own': (a, b) => api(b, 'DELETE', 'users/me/sessions'),
	'logging out elsewhere in the same browser': (a) => api(a, 'POST', 'logout'),
	'an administrator, that one': (a, b, id) => api(admin, 'DELETE', `admin/sessions/${id}`),
	'idectl, that one': (a, b, id) => d.ok(['session', 'revoke', id]),
	'the own password changed': async (a, b) => {
		const next = `${pw}x`;
		await api(b, 'POST', 'users/me/password', { currentPassword: pw, newPassword: next });
		pw = next;
	},
};
for (const [what, end] of Object.entries(one))
	test(`a session ended: ${what}`, { timeout: 60000 }, async () => {
		const [a, b, other] = [await d.login('ann', pw), await d.login('ann', pw), await d.login('bob')];
		const [x, y, z] = [await byCookie(a), await byCookie(b), await byCookie(other)];
		await x.lives('before');
		await end(a, b, await me(a));
		await x.closed(what);
		await y.lives('the other session');
		await z.lives('the other user');
		y.end();
		z.end();
	});

const again = async () => {
	await waitFor('the sandbox to be gone', () => !d.sandboxes().some((b) => b.user === 'ann'));
	await serve(d, 'ann', 3000);
};

// Ends all of a user's; what it takes to log in again.
const all = {
	'an administrator, all of the user': () => api(admin, 'DELETE', 'admin/sessions?user=ann'),
	'idectl, all of the user': () => d.ok(['session', 'revoke', 'ann']),
	// The sandbox stops with it.
	'disabled by an administrator': async () => {
		await api(admin, 'POST', 'admin/users/ann/disable', {});
		return async () => { await api(admin, 'POST', 'admin/users/ann/enable', {}); await again(); };
	},
	'disabled by idectl': () => {
		d.ok(['user', 'disable', 'ann']);
		return async () => { d.ok(['user', 'enable', 'ann']); await again(); };
	},
	'a role taken away': async () => {
		await api(admin, 'PATCH', 'users/ann', { roles: ['user', 'operator'] });
	},
	'a password that an administrator sets': () => api(admin, 'PATCH', 'users/ann', { password: pw = `${pw}y` }),
	'a password that idectl sets': () => d.ok(['user', 'passwd', 'ann'], `${pw = `${pw}z`}\n`),
	'a link that sets a password': async () => {
		const { token } = await api(admin, 'POST', 'admin/users/ann/reset-password', {});
		return () => api(undefined, 'POST', 'auth/reset', { token, password: pw = `${pw}w` });
	},
};
for (const [what, end] of Object.entries(all))
	test(`all sessions ended: ${what}`, { timeout: 60000 }, async () => {
		const [a, other] = [await d.login('ann', pw), await d.login('bob')];
		const { accessToken } = await api(undefined, 'POST', 'auth/login', { username: 'ann', password: pw });
		const [x, y, z] = [await byCookie(a), await byToken(accessToken), await byCookie(other)];
		await x.lives('before');
		await y.lives('before');
		const restore = await end();
		await x.closed(what);
		await y.closed(`${what}: of tokens`);
		await z.lives('the other user');
		z.end();
		if (typeof restore === 'function') await restore();
	});

test('tokens: refreshed, it goes on; used twice, revoked, or logged out, it ends', { timeout: 60000 }, async () => {
	const pair = () => api(undefined, 'POST', 'auth/login', { username: 'ann', password: pw });
	const refresh = (t) => api(undefined, 'POST', 'auth/refresh', { refreshToken: t });
	const first = await pair();
	const x = await byToken(first.accessToken);
	const second = await refresh(first.refreshToken);
	await x.lives('refreshed');
	const y = await byToken(second.accessToken);
	await y.lives('by the new one');
	await assert.rejects(refresh(first.refreshToken), /401/);
	await x.closed('used twice');
	await y.closed('used twice');
	const third = await pair();
	const z = await byToken(third.accessToken);
	await api(third.accessToken, 'POST', 'auth/logout');
	await z.closed('logged out');

	const cookie = await d.login('ann', pw);
	for (const end of [(t) => api(cookie, 'DELETE', `users/me/tokens/${t.id}`), (t) => api(t.token, 'DELETE', `users/me/tokens/${t.id}`)]) {
		const [t, u] = [await api(cookie, 'POST', 'users/me/tokens', { name: 'one', scopes: ['ide.use', 'account.own'] }),
			await api(cookie, 'POST', 'users/me/tokens', { name: 'two', scopes: ['ide.use', 'account.own'] })];
		const [v, w] = [await byToken(t.token), await byToken(u.token)];
		await end(t);
		await v.closed('revoked');
		await w.lives('the other token');
		w.end();
		await api(cookie, 'DELETE', `users/me/tokens/${u.id}`);
	}
});

test('sandboxes are listed page by page', async () => {
	const seen = [];
	for (let next = ''; next !== null;) {
		const r = await api(admin, 'GET', `admin/sandboxes?limit=1${next && `&cursor=${next}`}`);
		assert.ok(r.items.length <= 1);
		seen.push(...r.items.map((b) => b.username));
		next = r.next;
	}
	assert.deepEqual(seen, ['ann', 'bob']);
	assert.deepEqual((await api(admin, 'GET', 'admin/sandboxes')).items.map((b) => b.username), ['ann', 'bob']);
	assert.deepEqual((await api(admin, 'GET', 'admin/sandboxes?cursor=ann')).items.map((b) => b.username), ['bob']);
	assert.deepEqual((await api(admin, 'GET', 'admin/sandboxes?cursor=bob')), { items: [], next: null });
	const roles = [];
	for (let next = ''; next !== null;) {
		const r = await api(admin, 'GET', `admin/roles?limit=2${next && `&cursor=${next}`}`);
		roles.push(...r.items.map((x) => x.name));
		next = r.next;
	}
	assert.deepEqual(roles, ['admin', 'operator', 'user']);
});

test('an account deleted: what it had open ends', { timeout: 60000 }, async () => {
	const [x, z] = [await byCookie(await d.login('ann', pw)), await byCookie(await d.login('bob'))];
	await api(admin, 'DELETE', 'users/ann?workspace=keep');
	await x.closed('deleted');
	await z.lives('the other user');
	z.end();
});
