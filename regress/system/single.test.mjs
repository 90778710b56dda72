// auth mode single: one account, its IDE at the root.  auth mode none: no login,
// and nobody from elsewhere gets at it through the browser of whoever has it.
import { test, before, after, describe } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { startDaemon, password, idePath } from './daemon.mjs';
import fs from 'node:fs';

// With a password alone.
async function enter(d, pw = password) {
	const r = await d.post('/login', { password: pw });
	assert.equal(r.status, 302, r.body);
	return r.headers['set-cookie'][0].split(';')[0];
}
async function again(d) {
	d.write();
	await d.stop({ keep: true });
	await d.start();
}
const inConf = (text) => text.replaceAll('$', '\\$');

const product = Object.fromEntries(fs.readFileSync(`${idePath}/product`, 'utf8').trim().split('\n').map((l) => l.split('=')));

describe('single', () => {
	let d;
	before(async () => { d = await startDaemon({ auth: 'mode single\naccount "ann"', env: { IDED_ADMIN_PASSWORD: password } }); });
	after(() => d?.stop());

	test('only a password is asked for', async () => {
		const page = await d.request('GET', '/login');
		assert.equal(page.status, 200);
		assert.ok(!/name="username"/.test(page.body));
		assert.match(page.body, /name="password"/);
		const wrong = await d.post('/login', { password: `${password}x` });
		assert.equal(wrong.status, 401);
		assert.ok(!/name="username"/.test(wrong.body));
		const empty = await d.post('/login', { password: '' });
		assert.equal(empty.status, 400);
		const ok = await d.post('/login', { password });
		assert.equal(ok.status, 302);
		assert.equal(ok.headers.location, '/');
	});

	test('VS Code is at the root, and all that its workbench asks for', { timeout: 60000 }, async () => {
		const nobody = await d.request('GET', '/');
		assert.deepEqual([nobody.status, nobody.headers.location], [302, '/login']);
		const cookie = await enter(d);
		const get = (url) => d.request('GET', url, { headers: { cookie } });
		const page = await get('/?folder=/home/ann');
		assert.equal(page.status, 200);
		assert.match(page.body, /workbench/);
		// Where it was left.
		const again = await get('/');
		assert.deepEqual([again.status, again.headers.location], [302, '/?folder=/home/ann']);
		assert.equal((await get('/?ew=true')).status, 200);
		for (const [from, to] of [['/vscode', '/'], ['/vscode/?folder=/x', '/?folder=/x']]) {
			const r = await get(from);
			assert.deepEqual([r.status, r.headers.location], [308, to]);
		}
		const file = await d.request('GET', `/${product.quality}-${product.commit}/static/out/vs/code/browser/workbench/workbench.js`,
			{ headers: { cookie, 'accept-encoding': 'br' } });
		assert.equal(file.status, 200);
		assert.equal(file.headers['content-encoding'], 'br');
		const key = await d.request('POST', '/mint-key', { headers: { cookie, origin: d.origin, 'content-length': 0 } });
		assert.deepEqual([key.status, key.raw.length], [200, 32]);
		for (const url of ['/manifest.json', '/healthz', '/update/check', '/_static/src/browser/media/favicon.ico'])
			assert.equal((await get(url)).status, 200, url);
		assert.equal((await get('/ide/')).status, 404, 'nothing is below /ide');
	});

	test('nobody else is let in, whoever has an account', async () => {
		d.addUser('bob', 'admin');
		const r = await d.post('/login', { username: 'bob', password });
		assert.equal(r.status, 401);
		assert.ok(await d.login('ann'));
	});

	test('another password of the environment is taken, the same one ends no session', async () => {
		const cookie = await enter(d);
		const me = () => d.request('GET', '/api/me', { headers: { cookie } });
		await again(d);
		assert.equal((await me()).status, 200);
		d.opts.env.IDED_ADMIN_PASSWORD = `${password}-Other1`;
		await again(d);
		assert.equal((await me()).status, 401);
		assert.ok(await enter(d, `${password}-Other1`));
	});
});

test('single: the password as a hash; a hash of another kind is refused at the start', async () => {
	// As libargon2's own program writes them.
	const hash = execFileSync('python3', ['-c', `
import ctypes
a = ctypes.CDLL("libargon2.so.1")
out = ctypes.create_string_buffer(256)
pw = ${JSON.stringify(password)}.encode()
size = ctypes.c_size_t
assert a.argon2id_hash_encoded(2, 19456, 1, pw, size(len(pw)), b"0123456789abcdef", size(16), size(32), out, size(256)) == 0
print(out.value.decode())`], { encoding: 'utf8' }).trim();
	const d = await startDaemon({ auth: `mode single\npassword-hash "${inConf(hash)}"` });
	try {
		assert.ok(await enter(d));
		assert.ok(await d.login('coder'));
	} finally {
		await d.stop();
	}
	await assert.rejects(startDaemon({ auth: 'mode single\npassword-hash "5e884898da28047151d0e56f8dc62927"' }),
		/expected an Argon2id hash.*idectl user passwd/s);
});

describe('none', () => {
	let d;
	before(async () => { d = await startDaemon({ auth: 'mode none' }); });
	after(() => d?.stop());

	test('everything is there without a login', { timeout: 60000 }, async () => {
		const page = await d.request('GET', '/?folder=/home/coder');
		assert.equal(page.status, 200);
		assert.match(page.body, /workbench/);
		assert.equal((await d.request('GET', '/api/me')).json.data.username, 'coder');
		for (const url of ['/login', '/logout']) {
			const r = await d.request('GET', url);
			assert.deepEqual([r.status, r.headers.location], [302, '/'], url);
		}
		// One session, however many come.
		for (let i = 0; i < 8; i++) await d.request('GET', '/api/me');
		assert.equal(JSON.parse(d.ok(['-j', 'session', 'list'])).length, 1);
	});

	test('its end is not the end: the next one who comes has a new one', async () => {
		const [s] = JSON.parse(d.ok(['-j', 'session', 'list']));
		d.ok(['session', 'revoke', s.session]);
		assert.equal((await d.request('GET', '/api/me')).status, 200);
		assert.notEqual(JSON.parse(d.ok(['-j', 'session', 'list']))[0].session, s.session);
	});

	test('a name that may be somebody else\'s is refused', async () => {
		const at = async (host) => (await d.request('GET', '/api/me', { headers: { host } })).status;
		for (const host of [`127.0.0.1:${d.port}`, `LOCALHOST:${d.port}`, `ide.localhost:${d.port}`, 'localhost.'])
			assert.ok([200, 421].includes(await at(host)), host);
		// As after DNS rebinding: the name of the handshake is the same one.
		const r = await d.exchange(`GET /api/me HTTP/1.1\r\nHost: evil.example:${d.port}\r\nConnection: close\r\n\r\n`, { servername: 'evil.example' });
		assert.match(r.out, /^HTTP\/1\.1 403 /);
		assert.match(r.out, /localhost/);
		assert.ok(!/coder/.test(r.out));
		for (const host of ['localhost.evil.example', 'notlocalhost', '127.0.0.1.evil.example', '10.0.0.1'])
			assert.match((await d.exchange(`GET /api/me HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, { servername: host.startsWith('10.') ? '' : host })).out, /^HTTP\/1\.1 403 /, host);
	});

	test('a page of another site writes nothing and opens no WebSocket', async () => {
		const cross = { origin: 'https://evil.example', 'content-length': 0 };
		for (const url of ['/api/sessions/end', '/mint-key', '/logout'])
			assert.equal((await d.request('POST', url, { headers: cross })).status, 403, url);
		// A form of an old browser, that says nothing of where it comes from.
		assert.equal((await d.request('POST', '/mint-key', { headers: { 'content-length': 0 } })).status, 403);
		const ws = await d.exchange(`GET / HTTP/1.1\r\nHost: localhost:${d.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
			'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://evil.example\r\n\r\n');
		assert.match(ws.out, /^HTTP\/1\.1 403 /);
	});
});

test('none: only where nobody else can come', async () => {
	await assert.rejects(startDaemon({ auth: 'mode none', address: '0.0.0.0' }), /loopback or unix, as auth mode none lets everyone in/);
});

test('the token of mode none is worth nothing in the others', async () => {
	const d = await startDaemon({ auth: 'mode none' });
	const zeros = { cookie: `__Host-ided=${'0'.repeat(64)}` };
	try {
		assert.equal((await d.request('GET', '/api/me', { headers: zeros })).status, 200);
		for (const mode of ['single', 'multi']) {
			d.opts.auth = `mode ${mode}`;
			await again(d);
			assert.equal((await d.request('GET', '/api/me', { headers: zeros })).status, 401, mode);
		}
	} finally {
		await d.stop();
	}
});
