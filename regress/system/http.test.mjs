// Every route, as a client sees it, over HTTP/1.1; h2.test.mjs has the other.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import tls from 'node:tls';
import https from 'node:https';
import crypto from 'node:crypto';
import { startDaemon, idePath, password, sleep, waitFor } from './daemon.mjs';

let d;
let ann;
const product = Object.fromEntries(fs.readFileSync(`${idePath}/product`, 'utf8').trim()
	.split('\n').map((l) => l.split(/=(.*)/s).slice(0, 2)));
const prefix = `${product.quality}-${product.commit}`;
const asset = fs.readdirSync(`${idePath}/static/vscode/out/vs/code/browser/workbench`)
	.find((f) => f === 'workbench.js');
const assetPath = `/ide/${prefix}/static/out/vs/code/browser/workbench/${asset}`;
const assetFile = `${idePath}/static/vscode/out/vs/code/browser/workbench/${asset}`;

before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'] });
	ann = await d.login('ann');
});
after(() => d?.stop());
const get = (url, headers = {}, o = {}) => d.request('GET', url, { headers, ...o });

test('/healthz needs no login', async () => {
	const r = await get('/healthz');
	assert.equal(r.status, 200);
	assert.match(r.json.status, /^(alive|expired)$/);
	assert.equal(typeof r.json.lastHeartbeat, 'number');
});

test('/ without login goes to the login page, and says where to return', async () => {
	const r = await get('/', { accept: 'text/html' });
	assert.equal(r.status, 302);
	assert.match(r.headers.location, /\/login/);
	const i = await get('/ide/?folder=/home/ann', { accept: 'text/html' });
	assert.equal(i.status, 302);
	assert.match(i.headers.location, /login\?to=/);
});

test('the login page and its security headers', async () => {
	const r = await get('/login');
	assert.equal(r.status, 200);
	assert.match(r.body, /name="username"/);
	assert.match(r.body, /name="password"/);
	assert.match(r.headers['content-security-policy'], /default-src 'none'|default-src 'self'/);
	assert.doesNotMatch(r.headers['content-security-policy'], /unsafe-inline|unsafe-eval/);
	assert.match(r.headers['strict-transport-security'], /max-age=31536000/);
	assert.equal(r.headers['x-content-type-options'], 'nosniff');
	assert.ok(r.headers['referrer-policy']);
	assert.equal(r.headers.server, undefined);
});

test('the login page in the language of the browser', async () => {
	for (const [accept, lang, text] of [['de-AT,de;q=0.9,en;q=0.5', 'de', 'Benutzername'], ['fr', 'fr', 'Mot de passe'],
		['es-419', 'es', 'Contraseña'], ['zh-CN', 'zh', '密码'], ['ja', 'ja', 'パスワード'], ['it, xx', 'en', 'Password'], ['', 'en', 'User name']]) {
		const r = await get('/login', { 'accept-language': accept });
		assert.ok(r.body.includes(`<html lang="${lang}">`), accept);
		assert.ok(r.body.includes(text), accept);
		assert.equal(r.headers['content-language'], lang);
		assert.match(r.headers.vary, /accept-language/);
	}
	const r = await d.post('/login', { username: 'ann', password: 'x' }, { headers: { 'accept-language': 'de' }, localAddress: '127.0.9.200' });
	assert.equal(r.status, 401);
	assert.match(r.body, /Der Benutzername oder das Passwort ist falsch/);
});

test('what browsers report of the policy is in the log, cut and bounded', async () => {
	const report = (body, type = 'application/csp-report', o = {}) => d.request('POST', '/csp-report',
		{ body, headers: { 'content-type': type, 'content-length': Buffer.byteLength(body), 'sec-fetch-site': 'same-origin', ...o.headers } });
	const old = { 'csp-report': { 'effective-directive': 'script-src', 'blocked-uri': 'https://evil.example/x?secret=1', 'document-uri': `${d.origin}/login?to=/secret` } };
	assert.equal((await report(JSON.stringify(old))).status, 204);
	await waitFor('its line', () => /csp\.report .*directive="script-src" blocked="https:\/\/evil\.example\/x" page="https:\/\/localhost:\d+\/login"/.test(d.log));
	const now = [{ type: 'csp-violation', body: { effectiveDirective: 'img-src\nforged', blockedURL: 'data', documentURL: 'x' } }];
	assert.equal((await report(JSON.stringify(now), 'application/reports+json')).status, 204);
	await waitFor('its line', () => /csp\.report .*directive="img-src/.test(d.log));
	assert.doesNotMatch(d.log, /^forged/m);
	assert.doesNotMatch(d.log, /secret/);
	assert.equal((await report('{"csp-report":')).status, 400);
	assert.equal((await report(`["${'x'.repeat(40000)}"]`)).status, 413);
	assert.equal((await report('[]', undefined, { headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' } })).status, 403);
	const r = await get('/login');
	assert.match(r.headers['content-security-policy'], /report-uri \/csp-report/);
	assert.equal(r.headers['reporting-endpoints'], 'csp="/csp-report"');
});

test('login: cookie with all its flags, and the way back only to own paths', async () => {
	const ok = await d.post('/login', { username: 'ann', password, to: '/ide/?folder=/x' });
	assert.ok([302, 303].includes(ok.status));
	assert.equal(ok.headers.location, '/ide/?folder=/x');
	const c = ok.headers['set-cookie'].find((s) => s.startsWith('__Host-ided='));
	assert.match(c, /^__Host-ided=[0-9a-f]{64};/);
	for (const flag of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/'])
		assert.ok(c.includes(flag), flag);
	assert.doesNotMatch(c, /Domain/i);
	for (const to of ['https://evil.example/', '//evil.example/', '/\\evil.example', '\t//x',
		'javascript:alert(1)', '/%0d%0aX: y']) {
		const r = await d.post('/login', { username: 'ann', password, to });
		assert.ok([302, 303].includes(r.status));
		assert.doesNotMatch(r.headers.location, /evil|javascript|\r|\n/, to);
	}
});

test('wrong password, unknown user, disabled user: one answer', async () => {
	d.addUser('gone');
	d.ok(['user', 'disable', 'gone']);
	const json = { 'content-type': 'application/json', accept: 'application/json' };
	// Each from a source of its own: who fails too often is not let in at all.
	let n = 0;
	const ask = {
		form: (username, pw) => d.post('/login', { username, password: pw }, { localAddress: `127.0.9.${++n}` }),
		json: (username, pw) => d.post('/login', JSON.stringify({ username, password: pw }),
			{ headers: json, localAddress: `127.0.9.${++n}` }),
	};
	for (const [kind, fn] of Object.entries(ask)) {
		const answers = [];
		for (const [u, p] of [['ann', 'wrong'], ['nobody', 'wrong'], ['gone', password], ['gone', 'wrong'],
			['ann@example.org', 'wrong']]) {
			const r = await fn(u, p);
			assert.equal(r.headers['set-cookie'], undefined);
			// All of it: names and values, in their order, but for what is of this one request.
			const headers = r.rawHeaders.join('\n').replace(/(date|content-length|x-ratelimit-reset)\n[^\n]*/gi, '$1');
			answers.push(`${r.status}\n${headers}\n${r.body.replaceAll(u, 'U')}`.replace(/[0-9a-f]{16}/g, 'RID'));
		}
		for (const a of answers) assert.equal(a, answers[0], kind);
		assert.match(answers[0], /^401\n/);
	}
});

test('login and errors as JSON', async () => {
	const headers = { 'content-type': 'application/json', accept: 'application/json' };
	const ok = await d.post('/login', JSON.stringify({ username: 'bob', password }), { headers });
	assert.equal(ok.status, 200, ok.body);
	assert.equal(ok.json.success, true);
	const no = await d.post('/login', JSON.stringify({ username: 'bob', password: 'x' }),
		{ headers, localAddress: '127.0.0.9' });
	assert.equal(no.status, 401);
	assert.equal(no.json.error.code, 'UNAUTHORIZED');
	const bad = await d.post('/login', '{"username":', { headers });
	assert.equal(bad.status, 400);
	assert.equal(bad.json.error.code, 'VALIDATION_ERROR');
});

test('writes from another origin are refused', async () => {
	for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' },
		{ origin: d.origin.replace('https', 'http') }, { 'sec-fetch-site': 'cross-site', origin: d.origin }]) {
		const r = await d.post('/login', { username: 'ann', password }, { headers });
		assert.equal(r.status, 403, JSON.stringify(headers));
	}
	// One who has only forgotten to pass Host on can see that this is it.
	const r = await d.post('/login', { username: 'ann', password }, { headers: { origin: 'https://ide.example.com', accept: 'application/json' } });
	assert.match(r.json.error.message, new RegExp(`A page of https://ide\\.example\\.com asks for this, and this is localhost:${d.port}: .*pass on Host`));
	await d.says(new RegExp(`origin\\.denied .*why="Origin is not this site" origin="https://ide\\.example\\.com" host="localhost:${d.port}"`));
});

test('the portal shows own sessions, and logout ends the session everywhere', async () => {
	const one = await d.login('bob');
	const two = await d.login('bob');
	const r = await get('/', { cookie: one });
	assert.equal(r.status, 200);
	assert.match(r.body, /bob/);
	const out = await d.post('/logout', {}, { headers: { cookie: one } });
	assert.ok([200, 302, 303].includes(out.status), `${out.status}`);
	assert.match(out.headers['set-cookie'].join(), /__Host-ided=;.*Max-Age=0/i);
	assert.equal((await get('/', { cookie: one })).status, 302);
	assert.equal((await get('/', { cookie: two })).status, 200);
});

test('one connection is one user: another credential on it is 421', async () => {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const bob = await d.login('bob');
	assert.equal((await get('/', { cookie: ann }, { agent })).status, 200);
	const r = await get('/', { cookie: bob }, { agent });
	assert.equal(r.status, 421);
	assert.equal(r.headers.connection, 'close');
	agent.destroy();
});

test('revoked by an administrator: open connections end at once', async () => {
	const bob = await d.login('bob');
	const s = await d.raw();
	s.write(`GET / HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${bob}\r\n\r\n`);
	await new Promise((r) => s.once('data', r));
	const closed = new Promise((r) => s.once('close', r));
	s.resume();
	d.ok(['session', 'revoke', 'bob']);
	await Promise.race([closed, sleep(8000).then(() => { throw new Error('still open'); })]);
	assert.equal((await get('/', { cookie: bob })).status, 302);
});

test('static files: type, ETag, caching, variants', async () => {
	const r = await get(assetPath, { cookie: ann });
	assert.equal(r.status, 200);
	assert.match(r.headers['content-type'], /javascript/);
	assert.match(r.headers['cache-control'], /immutable/);
	const plain = fs.readFileSync(assetFile);
	assert.ok(r.raw.equals(plain));
	const etag = r.headers.etag;
	assert.ok(etag);
	assert.equal((await get(assetPath, { cookie: ann, 'if-none-match': etag })).status, 304);
	assert.equal((await get(assetPath, { cookie: ann, 'if-none-match': '"other"' })).status, 200);
	for (const [enc, ext] of [['br', 'br'], ['gzip', 'gz']]) {
		const e = await get(assetPath, { cookie: ann, 'accept-encoding': enc });
		assert.equal(e.headers['content-encoding'], enc);
		assert.match(e.headers.vary, /accept-encoding/i);
		assert.ok(e.raw.equals(fs.readFileSync(`${assetFile}.${ext}`)));
		assert.notEqual(e.headers.etag, etag);
	}
	const head = await d.request('HEAD', assetPath, { headers: { cookie: ann } });
	assert.equal(head.status, 200);
	assert.equal(Number(head.headers['content-length']), plain.length);
	assert.equal(head.raw.length, 0);
});

test('Range, If-Range', async () => {
	const plain = fs.readFileSync(assetFile);
	const r = await get(assetPath, { cookie: ann, range: 'bytes=10-19' });
	assert.equal(r.status, 206);
	assert.equal(r.headers['content-range'], `bytes 10-19/${plain.length}`);
	assert.ok(r.raw.equals(plain.subarray(10, 20)));
	const suffix = await get(assetPath, { cookie: ann, range: 'bytes=-5' });
	assert.ok(suffix.raw.equals(plain.subarray(plain.length - 5)));
	const no = await get(assetPath, { cookie: ann, range: `bytes=${plain.length}-` });
	assert.equal(no.status, 416);
	assert.equal(no.headers['content-range'], `bytes */${plain.length}`);
	const stale = await get(assetPath, { cookie: ann, range: 'bytes=0-1', 'if-range': '"other"' });
	assert.equal(stale.status, 200);
});

test('nothing outside the static root', async () => {
	for (const p of ['/../../etc/passwd', '/..%2f..%2fetc/passwd', '/%2e%2e/%2e%2e/etc/passwd',
		'/..\\..\\etc/passwd', '//etc/passwd', '/out/../../../product', '/%00', '/out%00.js',
		'/..;/etc', '/.%2e/product']) {
		const r = await d.exchange(`GET /ide/${prefix}/static${p} HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${ann}\r\nConnection: close\r\n\r\n`, { ms: 20000 });
		assert.match(r.out, /^HTTP\/1\.1 (400|404) /, p);
		assert.doesNotMatch(r.out, /root:/);
	}
});

test("what the workbench asks of its front", async () => {
	const h = { cookie: ann };
	const man = await get('/ide/manifest.json', h);
	assert.equal(man.status, 200);
	assert.match(man.headers['content-type'], /application\/manifest\+json/);
	assert.equal(man.json.display, 'fullscreen');
	const upd = await get('/ide/update/check', h);
	assert.equal(upd.json.isLatest, true);
	const sw = await get('/_static/out/browser/serviceWorker.js');
	assert.equal(sw.status, 200);
	assert.equal(sw.headers['service-worker-allowed'], '/');
	assert.equal((await get('/_static/src/browser/media/favicon.svg')).status, 200);
	assert.equal((await get('/_static/package.json')).status, 404);
	const mint = () => d.post('/ide/mint-key', '', { headers: h });
	const a = await mint();
	assert.equal(a.status, 200);
	assert.equal(a.raw.length, 32);
	assert.ok(a.raw.equals((await mint()).raw), 'the key is stable');
	const b = await d.post('/ide/mint-key', '', { headers: { cookie: await d.login('bob') } });
	assert.ok(!a.raw.equals(b.raw), "another user's key differs");
	assert.equal((await d.post('/ide/mint-key', '')).status, 401);
	assert.equal((await get('/robots.txt')).status, 200);
	assert.equal((await get('/.well-known/security.txt')).status, 200);
});

test('unknown paths 404, wrong methods 405 with Allow', async () => {
	assert.equal((await get('/no/such', { cookie: ann })).status, 404);
	const r = await d.request('DELETE', '/login', { headers: { origin: d.origin } });
	assert.equal(r.status, 405);
	assert.match(r.headers.allow, /GET/);
	const j = await get('/api/none', { cookie: ann, accept: 'application/json' });
	assert.equal(j.json.error.code, 'NOT_FOUND');
});

test('keep-alive, pipelining, chunked, 100-continue', async () => {
	const host = `Host: localhost:${d.port}\r\n`;
	const p = await d.exchange(`GET /healthz HTTP/1.1\r\n${host}\r\nGET /robots.txt HTTP/1.1\r\n${host}\r\nGET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
	assert.equal(p.out.match(/HTTP\/1\.1 200/g).length, 3);
	assert.ok(p.out.indexOf('lastHeartbeat') < p.out.indexOf('User-agent'));
	assert.ok(p.closed);
	const body = `username=ann&password=${password}`;
	const chunks = body.match(/.{1,7}/g).map((c) => `${c.length.toString(16)}\r\n${c}\r\n`).join('');
	const c = await d.exchange(`POST /login HTTP/1.1\r\n${host}Origin: ${d.origin}\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunks}0\r\n\r\n`);
	assert.match(c.out, /^HTTP\/1\.1 30[23]/);
	const e = await d.exchange(`POST /login HTTP/1.1\r\n${host}Origin: ${d.origin}\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
	assert.match(e.out, /^HTTP\/1\.1 (100 Continue\r\n\r\nHTTP\/1\.1 )?30[23]/);
});

test('a body that is too large is 413', async () => {
	const r = await d.exchange(`POST /login HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\nContent-Length: 99999999\r\n\r\n`);
	assert.match(r.out, /^HTTP\/1\.1 413/);
});

test('TLS 1.2 and 1.3, ALPN, nothing older', async () => {
	for (const v of ['TLSv1.2', 'TLSv1.3']) {
		const s = await d.raw({ minVersion: v, maxVersion: v, alpn: ['h2', 'http/1.1'] });
		assert.equal(s.getProtocol(), v);
		assert.equal(s.alpnProtocol, 'h2');
		assert.match(s.getCipher().name, /GCM|CHACHA/);
		s.destroy();
	}
	await assert.rejects(d.raw({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }));
	await assert.rejects(d.raw({ alpn: ['gopher'] }));
});

test('sessions resume, once each', async () => {
	const s = await d.raw();
	const session = await new Promise((r) => { s.once('session', r); s.resume(); });
	s.destroy();
	const again = await d.raw({ session });
	assert.equal(again.isSessionReused(), true);
	again.destroy();
	const replay = await d.raw({ session });
	assert.equal(replay.isSessionReused(), false, 'a ticket is good once');
	replay.destroy();
});

test('a Host that does not match the name of the handshake is 421', async () => {
	const r = await d.exchange('GET /healthz HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n');
	assert.match(r.out, /^HTTP\/1\.1 421/);
});

test('every request has an id', async () => {
	const r = await get('/healthz');
	assert.match(r.headers['x-request-id'], /^[0-9a-f]{16}$/);
});
