// Services of the site's own, behind `location': who gets to them, what they are told
// and by whom they are found, files of a folder, and one that fails.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { freePort, makeCertificate, obj, startDaemon, waitFor } from './daemon.mjs';
import { ask, ask2 } from './port-daemon.mjs';

const jose = await import('jose');

let d, ann, admin, tcpPort, tlsPort, silentPort, latePort;
const servers = [];
const hung = new Map(); // how often somebody was hung up on, by address

// A service that says what reached it.
function handler(req, res) {
	const u = new URL(req.url, 'http://x');
	const q = u.searchParams;
	if (u.pathname.endsWith('/headers')) {
		for (const [k, v] of q) res.appendHeader(k, v);
		return void res.writeHead(Number(q.get('status') || 200)).end('headers');
	}
	if (u.pathname.endsWith('/never')) return undefined;
	if (u.pathname.endsWith('/hang-up')) return void req.socket.destroy();
	if (u.pathname.endsWith('/once')) {
		const n = hung.get(req.url) ?? 0;
		hung.set(req.url, n + 1);
		if (n === 0) return void req.socket.destroy();
	}
	const hash = crypto.createHash('sha256');
	let bytes = 0;
	req.on('data', (b) => { bytes += b.length; hash.update(b); });
	req.on('end', () => {
		res.writeHead(200, { 'content-type': 'application/json' });
		res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, bytes, sha256: hash.digest('hex') }));
	});
	return undefined;
}

function serve(server, ...where) {
	server.on('upgrade', (req, s) => {
		s.on('error', () => {});
		const accept = crypto.createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
		s.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nX-User: ${req.headers['x-ided-user']}\r\n\r\n`);
		s.pipe(s);
	});
	servers.push(server);
	return new Promise((r) => { server.listen(...where, () => r(server)); });
}

before(async () => {
	[tcpPort, tlsPort, silentPort, latePort] = [await freePort(), await freePort(), await freePort(), await freePort()];
	const certificateFor = (dir) => {
		makeCertificate(dir);
		makeCertificate(dir, 'service');
		makeCertificate(dir, 'other');
		fs.mkdirSync(`${dir}/files/sub/.hidden`, { recursive: true });
		fs.mkdirSync(`${dir}/files/closed`, { mode: 0o700 });
		fs.writeFileSync(`${dir}/files/index.html`, '<p>start</p>');
		fs.writeFileSync(`${dir}/files/a.txt`, 'a'.repeat(5000));
		fs.writeFileSync(`${dir}/files/sub/index.html`, '<p>sub</p>');
		fs.writeFileSync(`${dir}/files/closed/x`, 'x');
		fs.writeFileSync(`${dir}/files/secret`, 'x', { mode: 0o600 });
		fs.writeFileSync(`${dir}/files/.dot`, 'x');
		fs.writeFileSync(`${dir}/files/sub/.hidden/x`, 'x');
		fs.symlinkSync('/etc/passwd', `${dir}/files/out`);
		fs.symlinkSync('a.txt', `${dir}/files/in`);
		fs.symlinkSync('/etc', `${dir}/files/etc`);
	};
	d = await startDaemon({ users: ['ann', 'admin'], certificateFor, prefork: 'spare 8' });
	await d.stop({ keep: true });
	const f = d.dir;
	await serve(http.createServer(handler), `${f}/unix.sock`);
	await serve(http.createServer(handler), tcpPort, '127.0.0.1');
	await serve(https.createServer({ key: fs.readFileSync(`${f}/service.key`), cert: fs.readFileSync(`${f}/service.crt`) }, handler), tlsPort, '127.0.0.1');
	d.write(`
proxy { timeout 4s }
location "/unix/" { proxy to unix "${f}/unix.sock"; header "X-Site: one two"; header "Host: inner.example" }
location "/app/" { proxy to 127.0.0.1 port ${tcpPort}; rewrite "/" }
location "/app/deep/" { proxy to 127.0.0.1 port ${tcpPort}; rewrite "/else/where"; require role admin }
location "/tls/" { proxy to localhost port ${tlsPort} tls ca "${f}/service.crt" }
location "/wrong-ca/" { proxy to localhost port ${tlsPort} tls ca "${f}/other.crt" }
location "/wrong-name/" { proxy to localhost port ${tlsPort} tls ca "${f}/service.crt" name "service.example" }
location "/nobody/" { proxy to 127.0.0.1 port ${silentPort} }
location "/late/" { proxy to 127.0.0.1 port ${latePort} }
location "/files/" { root "${f}/files" }
location "/admins/" { root "${f}/files"; require role admin }
`);
	await d.start();
	ann = await d.login('ann');
	admin = await d.login('admin');
}, { timeout: 60000 });
after(async () => {
	await d?.stop();
	for (const s of servers) { s.closeAllConnections(); s.close(); }
});

const get = (path, { cookie = ann, headers = {}, fn = ask, method = 'GET', body } = {}) =>
	fn(d, 'localhost', method, path, { body, headers: { ...(cookie ? { cookie } : {}), ...headers } });

for (const [protocol, fn] of [['HTTP/1.1', ask], ['HTTP/2', ask2]])
	test(`${protocol}: by a unix socket, TCP and TLS; paths, bodies and queries`, async () => {
		for (const [path, want] of [['/unix/', '/unix/'], ['/unix/a/b?c=%2F&d', '/unix/a/b?c=%2F&d'], ['/unix/%C3%A4%20b', '/unix/%C3%A4%20b'],
			['/%75nix/a', '/unix/a'], ['/app/', '/'], ['/app/x?y', '/x?y'], ['/app/a%2Fb', '/a%2Fb'], ['/tls/x', '/tls/x']]) {
			const r = await get(path, { fn });
			assert.equal(r.status, 200, `${path}: ${r.body}`);
			assert.equal(r.json.url, want);
		}
		const r = await get('/app/deep/x?y', { fn, cookie: admin });
		assert.equal(r.json.url, '/else/where/x?y');
		const body = crypto.randomBytes(300000);
		for (const p of ['/unix/up', '/tls/up']) {
			const up = await get(p, { fn, method: 'POST', body, headers: { origin: d.origin, 'content-length': body.length } });
			assert.equal(up.status, 200, up.body);
			assert.equal(up.json.sha256, crypto.createHash('sha256').update(body).digest('hex'));
		}
	});

test('without its slash, and who is not logged in', async () => {
	const r = await get('/unix?x=1');
	assert.deepEqual([r.status, r.headers.location], [308, '/unix/?x=1']);
	const page = await get('/unix/x?y', { cookie: null, headers: { accept: 'text/html' } });
	assert.deepEqual([page.status, page.headers.location], [302, '/login?to=/unix/x%3Fy']);
	assert.equal((await get('/unix/x', { cookie: null, headers: { accept: '*/*' } })).status, 401);
	assert.equal((await get('/unix/x', { method: 'POST', body: '', headers: { origin: 'https://evil.example' } })).status, 403);
	assert.equal((await get('/unix/x', { headers: { referer: `${d.origin}/proxy/3000/` } })).status, 403, 'a page of a port has no business there');
});

test('require role: however the path is spelled', async () => {
	assert.equal((await get('/app/deep/', { cookie: admin })).status, 200);
	assert.equal((await get('/app/deep/')).status, 403);
	for (const p of ['/app/deep/x', '/%61pp/deep/', '/app/%64eep/', '/app/d%65ep/x', '/app//deep/', '/app/deep;x/', '/app;x/deep/', '/app/%2e/deep/',
		'/app/./deep/', '/app/x/../deep/', '/app/x/%2e%2e/deep/', '/app/x/..;/deep/', '/app%2fdeep/', '/app/%2fdeep/', '/app/%2Fdeep/x', '/app/DEEP/', '/app/Deep/x', '/app/\\deep/',
		'/app/%5cdeep/', '/app/%5Cdeep/x', '/app/%2564eep/', '/app/x/%252e%252e/deep/', '/app/%25252fdeep/', '//app/deep/', '/app/deep%2fx', '/app/;/deep/']) {
		const r = await d.exchange(`GET ${p} HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${ann}\r\nConnection: close\r\n\r\n`);
		assert.match(r.out, /^HTTP\/1\.1 (400|403|404) /, p);
	}
	// What only looks like it is not.
	for (const p of ['/app/deeper/', '/app/x/deep/', '/app/deep', '/app/de%20ep/']) assert.notEqual((await get(p)).status, 403, p);
	await d.says(/access\.denied user="ann".*role admin/);
});

test('who the user is: in headers that nobody else can say, and signed', async () => {
	const forged = { 'x-ided-user': 'root', 'X-Ided-Roles': 'admin', x_ided_user: 'root', 'X-Ided-Assertion': 'x', 'x-ided-anything': 'x',
		'x-forwarded-for': '1.2.3.4', 'x-site': 'forged', X_Site: 'forged', 'x-mine': 'stays' };
	for (const fn of [ask, ask2]) {
		const { headers: h } = (await get('/unix/', { fn, headers: forged })).json;
		assert.equal(h['x-ided-user'], 'ann');
		assert.equal(h['x-ided-roles'], 'user');
		assert.match(h['x-ided-session'], /^[0-9a-f]{16}$/);
		assert.equal(h['x-forwarded-for'], '127.0.0.1');
		assert.equal(h['x-forwarded-prefix'], '/unix');
		assert.equal(h['x-site'], 'one two');
		assert.equal(h.host, 'inner.example');
		assert.equal(h['x-mine'], 'stays');
		for (const n of ['x_ided_user', 'x-ided-anything', 'x_site']) assert.equal(h[n], undefined, n);
		assert.doesNotMatch(h.cookie ?? '', /__Host-ided/);

		const keys = jose.createLocalJWKSet((await d.request('GET', '/.well-known/jwks.json')).json);
		const { payload, protectedHeader } = await jose.jwtVerify(h['x-ided-assertion'], keys, { audience: '/unix/', issuer: 'ided', typ: 'ided-user+jwt' });
		assert.equal(protectedHeader.alg, 'EdDSA');
		assert.equal(payload.sub, 'ann');
		assert.deepEqual(payload.roles, ['user']);
		assert.equal(payload.sid, h['x-ided-session']);
		assert.ok(payload.exp - payload.iat <= 60);
		await assert.rejects(jose.jwtVerify(h['x-ided-assertion'], keys, { audience: '/app/' }));
		// It is no token of ided's.
		assert.equal((await d.request('GET', '/api/me', { headers: { authorization: `Bearer ${h['x-ided-assertion']}`, accept: '*/*' } })).status, 401);
		const other = (await get('/app/', { fn, cookie: admin })).json.headers;
		assert.equal((await jose.jwtVerify(other['x-ided-assertion'], keys, { audience: '/app/' })).payload.sub, 'admin');
	}
});

test('redirects and cookies of a service stay below its prefix', async () => {
	const to = async (path, q) => (await get(`${path}headers?status=302&location=${encodeURIComponent(q)}`)).headers.location;
	assert.equal(await to('/app/', '/login'), '/app/login');
	assert.equal(await to('/app/', `http://127.0.0.1:${tcpPort}/x`), '/app/x');
	assert.equal(await to('/app/', '/app/x'), '/app/x');
	assert.equal(await to('/app/', 'https://elsewhere.example/x'), 'https://elsewhere.example/x');
	assert.equal(await to('/unix/', '/unix/login'), '/unix/login');
	const c = await get(`/unix/headers?${['a=1; Path=/', 'b=2; Domain=localhost', '__Host-ided=evil; Path=/; Secure', 'c=3; Path=/unix/x'].map((s) => `set-cookie=${encodeURIComponent(s)}`).join('&')}`);
	assert.deepEqual(c.headers['set-cookie'], ['a=1; Path=/unix/', 'b=2', 'c=3; Path=/unix/x']);
});

for (const where of ['/unix/echo', '/tls/echo'])
	test(`a WebSocket: ${where}`, async () => {
		const s = await d.raw();
		s.write(`GET ${where} HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${ann}\r\nOrigin: ${d.origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
		let got = Buffer.alloc(0);
		s.on('data', (b) => { got = Buffer.concat([got, b]); });
		await waitFor('the handshake', () => got.includes('\r\n\r\n'));
		assert.match(got.toString('latin1'), /^HTTP\/1\.1 101 [^]*x-user: ann/i);
		got = Buffer.alloc(0);
		const bytes = crypto.randomBytes(200000);
		s.write(bytes);
		await waitFor('the echo', () => got.length === bytes.length);
		assert.deepEqual(got, bytes);
		s.destroy();
	});

test('many at once, by TLS: all are answered, and connections are kept', async () => {
	const c = http2.connect(d.origin, { rejectUnauthorized: false });
	const got = await Promise.all(Array.from({ length: 60 }, (_, i) => new Promise((resolve, reject) => {
		const r = c.request({ ':path': `/tls/n${i}`, cookie: ann });
		let out = '';
		r.on('data', (b) => { out += b; });
		r.on('error', reject);
		r.on('end', () => resolve(JSON.parse(out).url));
	})));
	c.destroy();
	assert.deepEqual(got, Array.from({ length: 60 }, (_, i) => `/tls/n${i}`));
});

test('TLS: nobody else is taken for the service', async () => {
	for (const p of ['/wrong-ca/', '/wrong-name/']) {
		const r = await get(p, { headers: { accept: '*/*' } });
		assert.equal(r.status, 502, p);
		assert.match(r.json.error.message, /cannot be verified/);
	}
});

test('files of a folder', async () => {
	const r = await get('/files/a.txt');
	assert.deepEqual([r.status, r.headers['content-type'], r.body.length], [200, 'text/plain; charset=utf-8', 5000]);
	assert.equal((await get('/files/')).body, '<p>start</p>');
	assert.equal((await get('/files/sub/')).body, '<p>sub</p>');
	const to = await get('/files/sub?x');
	assert.deepEqual([to.status, to.headers.location], [308, '/files/sub/?x']);
	assert.equal((await get('/files/a.txt', { headers: { 'if-none-match': r.headers.etag } })).status, 304);
	const part = await get('/files/a.txt', { headers: { range: 'bytes=0-9' } });
	assert.deepEqual([part.status, part.body], [206, 'aaaaaaaaaa']);
	assert.equal((await get('/files/a.txt', { method: 'HEAD' })).body, '');
	assert.equal((await get('/files/a.txt', { method: 'POST', body: '', headers: { origin: d.origin } })).status, 405);
	fs.writeFileSync(`${d.dir}/files/a.txt`, 'changed');
	assert.equal((await get('/files/a.txt')).body, 'changed');
	for (const p of ['none', '.dot', 'sub/.hidden/x', 'out', 'in', 'etc/passwd', 'secret', 'closed/x', 'a.txt/', 'sub/index.html/x', '%2e%2e/server.key', '..%2fserver.key', 'sub%2findex.html'])
		assert.ok([400, 404].includes((await get(`/files/${p}`)).status), p);
	assert.equal((await get('/admins/')).status, 403);
	assert.equal((await get('/admins/', { cookie: admin })).body, '<p>start</p>');
	assert.equal((await get('/files/', { cookie: null, headers: { accept: '*/*' } })).status, 401);
});

test('one that does not answer, or not well', async () => {
	assert.equal((await get('/app/hang-up')).status, 502);
	const late = await get('/app/never', { headers: { accept: '*/*' } });
	assert.equal(late.status, 504);
	assert.match(late.json.error.message, /service at \/app\/ did not answer in time/);
});

test('one that takes connections and does not answer is left alone by the connection that found out', async () => {
	const c = http2.connect(d.origin, { rejectUnauthorized: false });
	c.on('error', () => {});
	const ask = (path) => new Promise((resolve) => {
		const r = c.request({ ':path': path, cookie: ann });
		let head;
		r.on('response', (h) => { head = h; });
		r.resume();
		r.on('error', () => {});
		r.on('close', () => resolve(head));
	});
	const all = await Promise.all(Array.from({ length: 5 }, () => ask('/tls/never')));
	assert.deepEqual(all.map((h) => h[':status']), [504, 504, 504, 504, 504]);
	const r = await ask('/tls/x');
	assert.equal(r[':status'], 503);
	assert.ok(Number(r['retry-after']) >= 1);
	await d.says(/circuit\.open.*\/tls\//);
	assert.equal((await ask('/unix/x'))[':status'], 200, 'others go on');
	assert.equal((await get('/tls/x')).status, 200, 'on another connection too');
	await waitFor('another try', async () => (await ask('/tls/x'))[':status'] === 200, 20000, 250);
	c.destroy();
});

test('one that is just being started is waited for, and no longer than an answer may take', async () => {
	const start = Date.now();
	const none = await get('/late/', { headers: { accept: '*/*' } });
	assert.equal(none.status, 502);
	assert.match(none.json.error.message, /cannot be reached: Connection refused/);
	assert.ok(Date.now() - start >= 1000, 'after a second once more, and after two; four more would be beyond its timeout');
	const body = crypto.randomBytes(300000);
	const waits = [get('/late/x'), get('/late/up', { method: 'POST', body, fn: ask2, headers: { origin: d.origin, 'content-length': body.length } })];
	await d.says(/location\.failed location="\/late\/"[^]*location\.failed location="\/late\/"[^]*location\.failed location="\/late\/"/);
	await serve(http.createServer(handler), latePort, '127.0.0.1');
	const [page, up] = await Promise.all(waits);
	assert.equal(page.json?.url, '/late/x');
	assert.equal(up.json.sha256, crypto.createHash('sha256').update(body).digest('hex'), 'nothing of it had gone anywhere');
});

test('what may be asked twice is, when it hangs up before it answers; what may not is asked once', async () => {
	for (const [method, want] of [['GET', 200], ['HEAD', 200], ['OPTIONS', 200], ['PUT', 200], ['DELETE', 200], ['POST', 502], ['PATCH', 502]]) {
		const r = await get(`/app/once?${method}`, { method, headers: { accept: '*/*', origin: d.origin } });
		assert.equal(r.status, want, method);
		assert.equal(hung.get(`/once?${method}`), want === 200 ? 2 : 1, method);
	}
	const body = await get('/app/once?body', { method: 'PUT', body: 'x', headers: { accept: '*/*', origin: d.origin, 'content-length': 1 } });
	assert.deepEqual([body.status, hung.get('/once?body')], [502, 1], 'a body that went is gone');
});

test('one that cannot be reached is asked no more for a while, and then again', async () => {
	assert.equal((await get('/nobody/')).status, 502);
	const r = await waitFor('nobody to ask any more', async () => {
		const a = await get('/nobody/', { headers: { accept: '*/*' } });
		return a.status === 503 && a;
	});
	assert.ok(Number(r.headers['retry-after']) >= 1);
	// A person's page waits for it; of what was sent it does not.
	const page = await get('/nobody/', { headers: { accept: 'text/html' } });
	assert.equal(page.status, 503);
	assert.match(page.body, /<h1>This service does not answer<\/h1>[^]*<p id="wait"[^]*<script src="\/_static\/wait\.js/);
	const sent = await get('/nobody/', { method: 'POST', body: 'x', headers: { accept: 'text/html', origin: d.origin } });
	assert.equal(sent.status, 503);
	assert.doesNotMatch(sent.body, /<script/);
	assert.equal((await get('/nobody/', { cookie: admin })).status, 503, 'it is everybody\'s');
	assert.equal((await get('/unix/')).status, 200, 'others go on');
	await d.says(/circuit\.open.*\/nobody\//);
	assert.equal(JSON.parse(d.ok(['-j', 'status'])).services_failing, 1);
	await serve(http.createServer(handler), silentPort, '127.0.0.1');
	await waitFor('another try', async () => (await get('/nobody/')).status === 200, 20000, 250);
	await d.says(/circuit\.closed.*\/nobody\//);
	assert.equal(JSON.parse(d.ok(['-j', 'status'])).services_failing, 0);
});

test('what is wrong is said by file and line, or by its name', () => {
	const errors = (text) => {
		const f = `${d.dir}/bad.conf`;
		fs.writeFileSync(f, fs.readFileSync(d.conf, 'utf8').replace(/\nproxy \{ timeout 4s \}[^]*$/, `\n${text}\n`));
		return spawnSync(`${obj}/ided`, ['-n', '-f', f], { encoding: 'utf8' }).stderr;
	};
	assert.match(errors('location "/API/x/" { root "/srv" }'), /bad\.conf:\d+: expected a path that ided does not serve itself/);
	assert.match(errors('location "/a/" { root "/srv" }\nlocation "/A/" { root "/srv" }'), /bad\.conf:\d+: expected the location "\/A\/" once/);
	assert.match(errors('location "/a/" { root "/srv"; require role nobody }'), /bad\.conf:\d+: expected a role that there is/);
	assert.match(errors(`location "/a/" { root "${d.data}/home" }`), /bad\.conf:\d+: expected a path apart from "data"/);
	assert.match(errors('location "/a/" { proxy to 127.0.0.1 port 1; header "X-Ided-User: x" }'), /bad\.conf:\d+: expected a header that ided does not set/);
	assert.match(errors('location "/a/" { proxy to no.such.host port 1 }'), /location "\/a\/": no\.such\.host:1: the host is neither/);
	assert.match(errors('location "/a/" { proxy to 127.0.0.1 port 1 tls ca "/none" }'), /location "\/a\/": ca "\/none": No such file/);
	assert.match(errors('location "/a/" { root "/none" }'), /location "\/a\/": root "\/none": No such file/);
});
