// Ports with an origin of their own below the proxy domain: the sign-on, what its
// cookie is good for, and who gets in by nothing else.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http2 from 'node:http2';
import https from 'node:https';
import { sleep, waitFor } from './daemon.mjs';
import { ask, ask2, cookiesOf, serve, signOn, site, startPorts } from './port-daemon.mjs';

let d, ann, bob, signed;
const html = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
const host = `3000.${site}`;
before(async () => {
	d = await startPorts({ proxy: 'ports 2000:4000', prefork: 'spare 8' });
	ann = await d.login('ann');
	bob = await d.login('bob');
	await serve(d, 'ann', 3000);
	await serve(d, 'bob', 3000);
	signed = await signOn(d, ann, 3000, '/a?b=c');
}, { timeout: 60000 });
after(() => d?.stop());

const get = (path, cookie = signed.cookie, h = {}) => ask(d, host, 'GET', path, { headers: { cookie, ...h } });

test('a browser is signed on by way of the main origin', async () => {
	const { first, code, last, back } = signed;
	assert.equal(first.status, 302);
	assert.match(first.headers.location, new RegExp(`^https://${site}:${d.port}/port/enter\\?port=3000&n=[0-9a-f]{64}&to=/a%3Fb%3Dc$`));
	assert.match(first.headers['set-cookie'][0], /^__Host-ided-enter=[0-9a-f]{64}; Secure; HttpOnly; SameSite=Lax; Path=\/; Max-Age=300$/);
	assert.equal(code.status, 302);
	assert.equal(back.origin, `https://${host}:${d.port}`);
	assert.equal(last.status, 302);
	assert.equal(last.headers.location, '/a?b=c');
	assert.match(last.headers['set-cookie'][0], /^__Host-ided-port=[0-9a-f]{64}\.[0-9a-f]{32}; Secure; HttpOnly; SameSite=Lax; Path=\/; Max-Age=86400$/);
	assert.equal(last.headers['clear-site-data'], '"cache", "storage"');
	for (const r of [first, code, last]) assert.equal(r.headers['cache-control'], 'no-store');
});

for (const [protocol, fn] of [['HTTP/1.1', ask], ['HTTP/2', ask2]])
	test(`${protocol}: its cookie opens the port, which sees none of ours`, async () => {
		const r = await fn(d, host, 'GET', '/x/y?z', { headers: { cookie: `own=1; ${signed.cookie}; ${ann}`, authorization: 'Bearer app', forwarded: 'for=6.6.6.6' } });
		assert.equal(r.status, 200);
		const { url, headers: h } = r.json;
		assert.equal(url, '/x/y?z');
		assert.equal(h.cookie, 'own=1');
		assert.equal(h.authorization, 'Bearer app');
		assert.equal(h.host, `${host}:${d.port}`);
		assert.equal(h['x-forwarded-host'], h.host);
		assert.equal(h['x-forwarded-prefix'], undefined);
		assert.equal(h.forwarded, `for=127.0.0.1;host="${host}:${d.port}";proto=https`);
		const body = crypto.randomBytes(200000);
		const p = await fn(d, host, 'POST', '/up', { body, headers: { cookie: signed.cookie, origin: `https://${host}:${d.port}`, 'content-length': body.length } });
		assert.equal(p.json.sha256, crypto.createHash('sha256').update(body).digest('hex'));
	});

test('a code is good once, for its port, and for the browser that asked', async () => {
	const enter = (code, nonce, port = 3000) => ask(d, `${port}.${site}`, 'GET', `/.ided/enter?code=${code}&to=/`,
		{ headers: { ...html, cookie: `__Host-ided-enter=${nonce}` } });
	const code = async (session, port = 3000) => {
		const first = await ask(d, `${port}.${site}`, 'GET', '/', { headers: html });
		const there = new URL(first.headers.location);
		const r = await ask(d, site, 'GET', there.pathname + there.search, { headers: { ...html, cookie: session } });
		return { code: new URL(r.headers.location).searchParams.get('code'), nonce: cookiesOf(first)['__Host-ided-enter'] };
	};
	assert.equal((await enter(signed.back.searchParams.get('code'), signed.nonce)).status, 403, 'again');
	const a = await code(ann);
	assert.equal((await enter(a.code, crypto.randomBytes(32).toString('hex'))).status, 403, "another browser's");
	assert.equal((await enter(a.code, a.nonce)).status, 403, 'and used up by that');
	await d.says(/port\.entered user="ann" source="127\.0\.0\.1" session="[0-9a-f]{16}" port=3000 /);
	await d.says(/port\.denied source="127\.0\.0\.1" port=3000 why="no such code"/);
	const b = await code(ann);
	assert.equal((await enter(b.code, b.nonce, 3001)).status, 403, "another port's");
	const c = await code(ann);
	assert.equal((await enter(c.code, c.nonce)).status, 302);
	assert.equal((await enter(c.code, c.nonce)).status, 403);
	for (const bad of ['', '0'.repeat(64), 'x', a.code.slice(1)]) assert.equal((await enter(bad, a.nonce)).status, 403, bad);
	assert.equal((await ask(d, host, 'GET', `/.ided/enter?code=${a.code}`, { headers: html })).status, 403, 'without a nonce');
});

test('a code is for a session that lives', async () => {
	const session = await d.login('ann');
	const first = await ask(d, host, 'GET', '/', { headers: html });
	const there = new URL(first.headers.location);
	const r = await ask(d, site, 'GET', there.pathname + there.search, { headers: { ...html, cookie: session } });
	await d.request('POST', '/api/logout', { headers: { cookie: session, origin: d.origin } });
	const back = new URL(r.headers.location);
	const last = await ask(d, host, 'GET', back.pathname + back.search,
		{ headers: { ...html, cookie: `__Host-ided-enter=${cookiesOf(first)['__Host-ided-enter']}` } });
	assert.equal(last.status, 403);
});

test('the cookie is for that port, and for that session', async () => {
	assert.equal((await get('/')).status, 200);
	assert.equal((await ask(d, `3001.${site}`, 'GET', '/', { headers: { cookie: signed.cookie } })).status, 401);
	const token = signed.cookie.split('=')[1];
	for (const bad of [token.slice(0, 63) + (token[63] === '0' ? '1' : '0'), token.slice(0, 16) + '0'.repeat(48), '0'.repeat(64), ''])
		assert.equal((await get('/', `__Host-ided-port=${bad}`)).status, 401, bad);
	assert.equal((await get('/', ann)).status, 401, "the session's own is nothing there");
	assert.equal((await get('/', '', { authorization: `Bearer ${ann.split('=')[1]}` })).status, 401);
	assert.equal((await get('/', `${signed.cookie}; ${signed.cookie}`)).status, 400);
	// and nothing on the main origin
	for (const as of [signed.cookie, `__Host-ided=${token.slice(0, 64)}`, `__Host-ided=${token}`])
		assert.equal((await ask(d, site, 'GET', '/api/me', { headers: { cookie: as } })).status, 401);
	const session = await d.login('ann');
	const s = await signOn(d, session, 3000);
	assert.equal((await get('/', s.cookie)).status, 200);
	await d.request('POST', '/api/logout', { headers: { cookie: session, origin: d.origin } });
	assert.equal((await get('/', s.cookie)).status, 401, 'it ends with the session');
	assert.equal((await get('/')).status, 200);
});

test('the end of a session reaches what is open', { timeout: 60000 }, async () => {
	const session = await d.login('ann');
	const s = await signOn(d, session, 3000);
	const c = await d.raw({ servername: host });
	c.write(`GET /events HTTP/1.1\r\nHost: ${host}:${d.port}\r\nCookie: ${s.cookie}\r\n\r\n`);
	let closed = false, out = '';
	c.on('data', (b) => { out += b; });
	c.on('close', () => { closed = true; });
	c.on('error', () => {});
	await waitFor('events', () => /data: 2/.test(out));
	await d.request('POST', '/api/logout', { headers: { cookie: session, origin: d.origin } });
	await waitFor('the end', () => closed);
});

test('one user gets to the own program, and what another left in the browser goes', async () => {
	const b = await signOn(d, bob, 3000);
	assert.equal((await get('/', b.cookie)).status, 200);
	const enter = async (session, last) => {
		const first = await ask(d, host, 'GET', '/', { headers: { ...html, cookie: '' } });
		const there = new URL(first.headers.location);
		const r = await ask(d, site, 'GET', there.pathname + there.search, { headers: { ...html, cookie: session } });
		const back = new URL(r.headers.location);
		return ask(d, host, 'GET', back.pathname + back.search, { headers: { ...html,
			cookie: `__Host-ided-enter=${cookiesOf(first)['__Host-ided-enter']}; ${last}` } });
	};
	assert.equal((await enter(ann, signed.cookie)).headers['clear-site-data'], undefined, 'the same user');
	assert.equal((await enter(ann, b.cookie)).headers['clear-site-data'], '"cache", "storage"');
	// A connection is one user's.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal((await ask(d, host, 'GET', '/', { agent, headers: { cookie: signed.cookie } })).status, 200);
	assert.equal((await ask(d, host, 'GET', '/', { agent, headers: { cookie: b.cookie } })).status, 421);
	agent.destroy();
});

test('which name is whose', async () => {
	for (const name of [`x.${site}`, `03000.${site}`, `65536.${site}`, `0.${site}`, `3000.x.${site}`, `3000-ann.${site}`, `-3000.${site}`])
		assert.equal((await ask(d, name, 'GET', '/', { headers: html })).status, 421, name);
	assert.equal((await ask(d, `1999.${site}`, 'GET', '/', { headers: html })).status, 403, 'not among those that may be reached');
	assert.equal((await ask(d, `4001.${site}`, 'GET', '/', { headers: { cookie: signed.cookie } })).status, 403);
	// SNI and Host must agree, and a forwarded name is nobody's.
	assert.equal((await ask(d, site, 'GET', '/', { headers: { host: `${host}:${d.port}`, cookie: signed.cookie } })).status, 421);
	assert.equal((await ask(d, site, 'GET', '/api/me', { headers: { 'x-forwarded-host': host, cookie: ann } })).json.data.username, 'ann');
	// Without SNI a connection is for the first that was asked for.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1, servername: '' });
	const at = (h, cookie) => new Promise((resolve, reject) => {
		https.get({ host: '127.0.0.1', port: d.port, servername: '', agent, rejectUnauthorized: false, setHost: false, path: '/', headers: { host: h, cookie } }, (r) => {
			r.resume().on('end', () => resolve(r.statusCode));
		}).on('error', reject);
	});
	assert.equal(await at(`${host}:${d.port}`, signed.cookie), 200);
	assert.equal(await at(`${site}:${d.port}`, ann), 421);
	agent.destroy();
});

test('what is not there for a browser says so, without a way in', async () => {
	const r = await ask(d, host, 'GET', '/x', {});
	assert.equal(r.status, 401);
	const p = await ask(d, host, 'POST', '/x', { headers: { accept: 'text/html', origin: `https://${host}:${d.port}` } });
	assert.equal(p.status, 401);
	const code = await ask(d, site, 'GET', `/port/enter?port=3000&n=${'0'.repeat(64)}&to=/`, { headers: html });
	assert.equal(code.status, 302);
	assert.match(code.headers.location, /^\/login\?to=/);
	for (const q of ['', 'port=3000', `port=0&n=${'0'.repeat(64)}`, 'port=3000&n=x', `port=x&n=${'0'.repeat(64)}`])
		assert.equal((await ask(d, site, 'GET', `/port/enter?${q}`, { headers: { cookie: ann } })).status, 400, q);
	assert.equal((await ask(d, site, 'GET', `/port/enter?port=80&n=${'0'.repeat(64)}`, { headers: { cookie: ann } })).status, 403);
	// Nobody is led elsewhere.
	for (const to of ['//evil.example', 'https://evil.example', '/\\evil.example', 'x']) {
		const c = await ask(d, site, 'GET', `/port/enter?port=3000&n=${'0'.repeat(64)}&to=${encodeURIComponent(to)}`, { headers: { cookie: ann } });
		assert.equal(new URL(c.headers.location).searchParams.get('to'), '/', to);
	}
});

test('a page of the program, or of another of the same user, may write; no other', async () => {
	const post = (origin, h = {}) => ask(d, host, 'POST', '/x', { headers: { cookie: signed.cookie, ...(origin ? { origin } : {}), ...h } });
	assert.equal((await post(`https://${host}:${d.port}`)).status, 200);
	assert.equal((await post(`https://3001.${site}:${d.port}`)).status, 200);
	assert.equal((await post(null, { 'sec-fetch-site': 'same-origin' })).status, 200);
	for (const o of [`https://${site}:${d.port}`, 'https://evil.example', 'null', `https://${'0'.repeat(52)}.${site}`, null])
		assert.equal((await post(o)).status, 403, o);
});

test('addresses and cookies of the program', async () => {
	for (const [to, want] of [['/x', '/x'], [`http://${host}:${d.port}/x`, '/x'], [`https://${host}/x`, '/x'], ['http://localhost:3000/x?y', '/x?y'],
		[`https://${site}/x`, `https://${site}/x`], ['https://example.com/', 'https://example.com/']])
		assert.equal((await get(`/redirect?to=${encodeURIComponent(to)}`)).headers.location, want, to);
	for (const [c, want] of [['a=1; Path=/; Domain=ide.localhost', ['a=1; Path=/']], ['__Host-a=1; Path=/; Secure', ['__Host-a=1; Path=/; Secure']],
		['__Host-ided-port=1; Path=/; Secure', undefined], ['__Host-ided-enter=1; Path=/; Secure', undefined], ['__Host-ided=1; Path=/; Secure', undefined]])
		assert.deepEqual((await get(`/cookies?c=${encodeURIComponent(c)}`)).headers['set-cookie'], want, c);
	const q = new URLSearchParams({ 'clear-site-data': '"cookies"', 'service-worker-allowed': '/', 'content-security-policy': "default-src 'self'" });
	const h = (await get(`/headers?${q}`)).headers;
	assert.equal(h['clear-site-data'], undefined);
	assert.equal(h['service-worker-allowed'], '/', 'of its own origin');
	assert.equal(h['content-security-policy'], "default-src 'self'");
});

test('below the main origin there are no pages of programs any more', async () => {
	const to = await ask(d, site, 'GET', '/proxy/3000/a?b', { headers: { ...html, cookie: ann } });
	assert.equal(to.status, 302);
	assert.equal(to.headers.location, `https://${host}:${d.port}/a?b`);
	assert.equal((await ask(d, site, 'GET', '/proxy/3000/a', { headers: { cookie: ann } })).status, 403);
	assert.equal((await ask(d, site, 'POST', '/proxy/3000/a', { headers: { cookie: ann, origin: `https://${site}:${d.port}` } })).status, 403);
	assert.equal((await ask(d, site, 'GET', '/proxy/3000/a', { headers: { authorization: `Bearer ${ann.split('=')[1]}` } })).status, 200, 'a program with a token');
});

test('a dead port of an own origin', async () => {
	const s = await signOn(d, ann, 3900);
	const r = await ask(d, `3900.${site}`, 'GET', '/', { headers: { ...html, cookie: s.cookie } });
	assert.equal(r.status, 502);
	assert.equal(r.headers.refresh, undefined);
	assert.match(r.headers['content-security-policy'], /script-src 'self'; connect-src 'self'$/);
	const js = /<script src="(\/\.ided\/static\/wait\.js\?v=[^"]*)"/.exec(r.body)[1];
	assert.equal((await ask(d, `3900.${site}`, 'GET', js)).headers['content-type'], 'text/javascript; charset=utf-8');
	const css = /href="(\/\.ided\/static\/style\.css[^"]*)"/.exec(r.body)[1];
	assert.equal((await ask(d, `3900.${site}`, 'GET', css)).headers['content-type'], 'text/css; charset=utf-8');
	for (const p of ['/.ided/', '/.ided/x', '/.ided/static/login.html', '/.ided/../x', '/.ided/%2e%2e/x'])
		assert.ok([400, 403, 404].includes((await ask(d, `3900.${site}`, 'GET', p, { headers: { cookie: s.cookie } })).status), p);
});

test('WebSockets over HTTP/2, side by side with requests', { timeout: 60000 }, async () => {
	const c = http2.connect(`https://${host}:${d.port}`, { rejectUnauthorized: false,
		lookup: (h, o, cb) => (o.all ? cb(null, [{ address: '127.0.0.1', family: 4 }]) : cb(null, '127.0.0.1', 4)) });
	await new Promise((resolve) => c.once('remoteSettings', resolve));
	const open = (origin) => new Promise((resolve) => {
		const r = c.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/socket', ':authority': `${host}:${d.port}`,
			'sec-websocket-version': '13', cookie: signed.cookie, origin }, { endStream: false });
		r.on('error', () => {});
		r.once('response', (h) => resolve({ r, status: h[':status'] }));
	});
	assert.equal((await open('https://evil.example')).status, 403);
	const { r, status } = await open(`https://${host}:${d.port}`);
	assert.equal(status, 200);
	const bytes = crypto.randomBytes(200000);
	let got = Buffer.alloc(0);
	r.on('data', (b) => { got = Buffer.concat([got, b]); });
	r.write(bytes);
	const others = await Promise.all(Array.from({ length: 20 }, (_, i) => new Promise((resolve) => {
		const q = c.request({ ':path': `/n${i}`, cookie: signed.cookie });
		let out = '';
		q.on('data', (b) => { out += b; });
		q.on('end', () => resolve(JSON.parse(out).url));
	})));
	assert.deepEqual(others, Array.from({ length: 20 }, (_, i) => `/n${i}`));
	await waitFor('the echo', () => got.length === bytes.length);
	assert.deepEqual(got, bytes);
	c.destroy();
});

test('VS Code learns of it', async () => {
	const out = d.ok(['sandbox', 'exec', 'ann', '--', 'printenv', 'VSCODE_PROXY_URI']);
	assert.equal(out.trim(), `https://{{port}}.${site}:${d.port}/`);
});

test('WebSockets: only from pages of ports, and they survive auth', { timeout: 60000 }, async () => {
	const open = async (origin, cookie = signed.cookie) => {
		const s = await d.raw({ servername: host });
		s.write(`GET /socket HTTP/1.1\r\nHost: ${host}:${d.port}\r\nCookie: ${cookie}\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
		let out = '';
		s.on('data', (b) => { out += b.toString('latin1'); });
		s.on('error', () => {});
		s.ended = new Promise((r) => s.on('close', r));
		await waitFor('an answer', () => out.includes('\r\n\r\n'));
		return { s, status: Number(out.split(' ')[1]), out: () => out };
	};
	assert.equal((await open(`https://${site}:${d.port}`)).status, 403);
	assert.equal((await open('https://evil.example')).status, 403);
	const post = await d.exchange(`POST /socket HTTP/1.1\r\nHost: ${host}:${d.port}\r\nCookie: ${signed.cookie}\r\nOrigin: https://${host}:${d.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\nx`, { servername: host, ms: 3000 });
	assert.match(post.out, /^HTTP\/1\.1 (200|400) /, 'a handshake is a GET, and has no body');
	const ws = await open(`https://${host}:${d.port}`);
	assert.equal(ws.status, 101);
	const before = d.role('auth').map((p) => p.pid);
	process.kill(before[0], 'SIGKILL');
	await waitFor('a new auth', () => d.role('auth').some((p) => !before.includes(p.pid)));
	await waitFor('a login with it', async () => { try { return await d.login('ann'); } catch { return null; } });
	await sleep(6000);	// longer than a worker that auth does not know may stay
	ws.s.write('still here');
	await waitFor('the echo', () => ws.out().endsWith('still here'));
	assert.equal((await get('/')).status, 200, 'its cookie is known to the new one');
	ws.s.destroy();
});
