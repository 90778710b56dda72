// Ports below our own origin: /proxy/<port>/ and /absproxy/<port>/, over both
// protocols: what reaches the program, what comes back, and what does not.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import https from 'node:https';
import fs from 'node:fs';
import { waitFor } from './daemon.mjs';
import { ask, ask2, serve, startPorts } from './port-daemon.mjs';

let d, ann, bob, server;
before(async () => {
	d = await startPorts({ domain: false, proxy: 'timeout 5s', prefork: 'spare 8' });
	ann = await d.login('ann');
	bob = await d.login('bob');
	server = await serve(d, 'ann', 3000);
}, { timeout: 60000 });
after(() => d?.stop());

const get = (path, opts = {}) => ask(d, 'localhost', 'GET', path, { ...opts, headers: { cookie: ann, ...opts.headers } });

for (const [protocol, fn] of [['HTTP/1.1', ask], ['HTTP/2', ask2]])
	test(`${protocol}: the prefix goes, or stays; query and bytes are as they were`, async () => {
		const headers = { cookie: ann };
		for (const [path, want] of [
			['/proxy/3000/', '/'], ['/proxy/3000/a/b?c=d&e=%2F', '/a/b?c=d&e=%2F'], ['/proxy/3000//x', '//x'],
			['/proxy/3000/%E2%82%AC?q=%E2%82%AC', '/%E2%82%AC?q=%E2%82%AC'], ['/proxy/3000/a%2Fb', '/a%2Fb'],
			['/absproxy/3000/', '/absproxy/3000/'], ['/absproxy/3000/a?b', '/absproxy/3000/a?b'],
		]) {
			const r = await fn(d, 'localhost', 'GET', path, { headers });
			assert.equal(r.status, 200, path);
			assert.equal(r.json.url, want);
		}
		const body = crypto.randomBytes(300000);
		const r = await fn(d, 'localhost', 'POST', '/proxy/3000/up', { body,
			headers: { cookie: ann, origin: `https://localhost:${d.port}`, 'content-length': body.length } });
		assert.equal(r.status, 200);
		assert.equal(r.json.bytes, body.length);
		assert.equal(r.json.sha256, crypto.createHash('sha256').update(body).digest('hex'));
		for (const m of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY']) {
			const a = await fn(d, 'localhost', m, '/proxy/3000/m', { headers: { cookie: ann, origin: `https://localhost:${d.port}` } });
			assert.equal(a.json.method, m);
		}
	});

test('without its slash it gets one', async () => {
	for (const p of ['/proxy/3000', '/absproxy/3000']) {
		const r = await get(`${p}?a=b`);
		assert.equal(r.status, 308);
		assert.equal(r.headers.location, `${p}/?a=b`);
	}
});

test('what is no port, and what may not be reached', async () => {
	for (const p of ['0', '65536', '99999999999', 'x', '3000x', '', '03000', '-1', '3000%2e', '0x10', '+3000', '127.0.0.1:3000', 'example.com'])
		assert.equal((await get(`/proxy/${p}/`)).status, 400, p);
	for (const p of ['1', '22', '80', '443', '1023'])
		assert.equal((await get(`/proxy/${p}/`)).status, 403, p);
	assert.equal((await get('/%70roxy/3000/')).status, 400);
});

test('nobody gets in: a page leads to the login, all else is refused', async () => {
	const page = await ask(d, 'localhost', 'GET', '/proxy/3000/x?y', { headers: { accept: 'text/html' } });
	assert.equal(page.status, 302);
	assert.equal(page.headers.location, '/login?to=/proxy/3000/x%3Fy');
	assert.equal((await ask(d, 'localhost', 'GET', '/proxy/3000/x')).status, 401);
	assert.equal((await ask(d, 'localhost', 'OPTIONS', '/proxy/3000/x')).status, 401);
});

test("another user's own port is another one", async () => {
	const r = await ask(d, 'localhost', 'GET', '/proxy/3000/', { headers: { cookie: bob } });
	assert.equal(r.status, 503, 'nothing runs there');
	d.ok(['sandbox', 'exec', 'bob', '--', 'true']);
	const s = await ask(d, 'localhost', 'GET', '/proxy/3000/', { headers: { cookie: bob } });
	assert.equal(s.status, 502);
	assert.match(s.json.error.message, /nothing listens on port 3000/);
});

test('who asks is said by us alone, and our credentials stay with us', async () => {
	const r = await get('/proxy/3000/', { headers: {
		cookie: `a=1; ${ann}; b="x y"; __Host-ided-port=1; __Host-ided-enter=2; c==`,
		'x-forwarded-for': '6.6.6.6', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'gopher', 'x-forwarded-port': '1',
		'x-forwarded-prefix': '/evil', forwarded: 'for=6.6.6.6', 'x-real-ip': '6.6.6.6', 'x-original-url': '/evil',
		authorization: 'Basic YTpi' } });
	const h = r.json.headers;
	const host = `localhost:${d.port}`;
	assert.equal(h.cookie, 'a=1; b="x y"; c==');
	assert.equal(h.host, host);
	assert.equal(h['x-forwarded-for'], '127.0.0.1');
	assert.equal(h['x-forwarded-host'], host);
	assert.equal(h['x-forwarded-proto'], 'https');
	assert.equal(h['x-forwarded-port'], String(d.port));
	assert.equal(h['x-forwarded-prefix'], '/proxy/3000');
	assert.equal(h.forwarded, `for=127.0.0.1;host="${host}";proto=https`);
	assert.equal(h['x-real-ip'], undefined);
	assert.equal(h['x-original-url'], undefined);
	assert.equal(h.authorization, 'Basic YTpi', "the program's own");
	const token = ann.split('=')[1];
	const both = await get('/proxy/3000/', { headers: { authorization: `Bearer ${token}` } });
	assert.equal(both.json.headers.authorization, undefined, 'one of ours never passes');
	const own = await get('/proxy/3000/', { headers: { authorization: 'Bearer of.the.program' } });
	assert.equal(own.json.headers.authorization, 'Bearer of.the.program');
	const bearer = await ask(d, 'localhost', 'GET', '/proxy/3000/', { headers: { authorization: `Bearer ${token}` } });
	assert.equal(bearer.status, 200);
	assert.equal(bearer.json.headers.authorization, undefined);
});

test('addresses that the program gives stay below its prefix', async () => {
	const host = `localhost:${d.port}`;
	for (const [to, proxy, abs] of [
		['/x?y=z', '/proxy/3000/x?y=z', '/absproxy/3000/x?y=z'],
		['x', 'x', 'x'],
		['/proxy/3000/in', '/proxy/3000/in', '/absproxy/3000/proxy/3000/in'],
		['/absproxy/3000/in', '/proxy/3000/absproxy/3000/in', '/absproxy/3000/in'],
		['/proxy/30001/', '/proxy/3000/proxy/30001/', '/absproxy/3000/proxy/30001/'],
		[`https://${host}/api/me`, '/proxy/3000/api/me', '/absproxy/3000/api/me'],
		[`http://${host}?q`, '/proxy/3000/?q', '/absproxy/3000/?q'],
		[`//${host}/api`, '/proxy/3000/api', '/absproxy/3000/api'],
		[`HTTPS://LOCALHOST:${d.port}/A`, '/proxy/3000/A', '/absproxy/3000/A'],
		['http://localhost:3000/x', '/proxy/3000/x', '/absproxy/3000/x'],
		['http://127.0.0.1:3000', '/proxy/3000/', '/absproxy/3000/'],
		['http://127.0.0.1:3001/', 'http://127.0.0.1:3001/', 'http://127.0.0.1:3001/'],
		['https://example.com/x', 'https://example.com/x', 'https://example.com/x'],
		['//example.com/x', '//example.com/x', '//example.com/x'],
		['mailto:a@b', 'mailto:a@b', 'mailto:a@b'],
		['?q', '?q', '?q'], ['#f', '#f', '#f'], ['a/b?c#d', 'a/b?c#d', 'a/b?c#d'], ['./x', './x', './x'],
		// Ways out that a browser would take.
		['/proxy/3000/../../api/me', '/proxy/3000/api/me', '/absproxy/3000/api/me'],
		['/../api/me', '/proxy/3000/api/me', '/absproxy/3000/api/me'],
		['../../api/me?x', '/proxy/3000/api/me?x', '/absproxy/3000/api/me?x'],
		['../x', '/proxy/3000/proxy/x', '/absproxy/3000/absproxy/x'],
		['/x/../y#z', '/proxy/3000/y#z', '/absproxy/3000/y#z'], ['/x/..', '/proxy/3000/', '/absproxy/3000/'],
		['/%2e%2e/api', undefined, undefined], ['/x/..%2f..%2fapi', undefined, undefined],
		['https:/api/me', undefined, undefined], ['https:api/me', undefined, undefined], ['HTTPS:/api', undefined, undefined],
		['\\api\\me', undefined, undefined], ['/\\/x', undefined, undefined], ['..\\..\\api', undefined, undefined],
		['.\t./.\t./api', undefined, undefined],
		[`https:///${host}/api`, undefined, undefined], [`///${host}/api`, undefined, undefined],
		[`https://x@${host}/api`, undefined, undefined], [`https://%6cocalhost:${d.port}/api`, undefined, undefined],
	])
		for (const [way, want] of [['proxy', proxy], ['absproxy', abs]]) {
			const r = await get(`/${way}/3000/redirect?to=${encodeURIComponent(to)}`);
			assert.equal(r.status, 302);
			assert.equal(r.headers.location, want, `${way} ${to}`);
		}
});

test('cookies of the program stay with it', async () => {
	const set = async (c, way = 'proxy') => (await get(`/${way}/3000/cookies?c=${encodeURIComponent(c)}`)).headers['set-cookie']?.[0];
	for (const [c, want] of [
		['a=1', 'a=1'], ['a=1; Path=/', 'a=1; Path=/proxy/3000/'],
		['a=1; path=/x; HttpOnly; SameSite=Lax', 'a=1; Path=/proxy/3000/x; HttpOnly; SameSite=Lax'],
		['a=1; Domain=localhost; Path=/; Secure', 'a=1; Path=/proxy/3000/; Secure'],
		['a=1; DOMAIN = .localhost', 'a=1'],
		['a=1; Path=/proxy/3000/in', 'a=1; Path=/proxy/3000/in'],
		['a=1; Path=/; Path=/api', 'a=1; Path=/proxy/3000/; Path=/proxy/3000/api'],
		['a=1; Path=x', 'a=1; Path=/proxy/3000/'],
		['a="x y"; Max-Age=5', 'a="x y"; Max-Age=5'],
		['__Host-a=1; Secure; Path=/', undefined], ['__host-a=1; Secure; Path=/', undefined],
		['__Host-ided=1; Path=/; Secure', undefined], ['=__Host-ided=1', undefined], ['__Host-ided-port=1', undefined],
	])
		assert.equal(await set(c), want, c);
	assert.equal(await set('a=1; Path=/', 'absproxy'), 'a=1; Path=/absproxy/3000/');
	assert.equal(await set('a=1; Path=/absproxy/3000/x', 'absproxy'), 'a=1; Path=/absproxy/3000/x');
});

test('an answer says nothing for the whole site', async () => {
	const q = new URLSearchParams({ 'clear-site-data': '"cookies"', 'service-worker-allowed': '/', nel: '{}', 'report-to': '{}',
		'reporting-endpoints': 'a="/x"', 'strict-transport-security': 'max-age=0', 'alt-svc': 'h3=":1"',
		'content-security-policy': "default-src 'self'", 'x-frame-options': 'ALLOW', 'x-own': 'yes' });
	const h = (await get(`/proxy/3000/headers?${q}`)).headers;
	for (const n of ['clear-site-data', 'service-worker-allowed', 'nel', 'report-to', 'reporting-endpoints', 'alt-svc'])
		assert.equal(h[n], undefined, n);
	assert.equal(h['strict-transport-security'], 'max-age=31536000');
	assert.equal(h['x-own'], 'yes');
	assert.equal(h['x-frame-options'], 'ALLOW', "the program's own affair");
	const [own, ours] = h['content-security-policy'].split(', ');
	assert.equal(own, "default-src 'self'");
	const where = `https://localhost:${d.port}/proxy/3000/ wss://localhost:${d.port}/proxy/3000/`;
	for (const what of ['connect-src', 'frame-src', 'worker-src', 'object-src', 'form-action'])
		assert.ok(ours.split('; ').includes(`${what} blob: data: ${where}`), what);
});

for (const [protocol, fn] of [['HTTP/1.1', ask], ['HTTP/2', ask2]])
	test(`${protocol}: bodies of any size, both ways`, { timeout: 60000 }, async () => {
		const n = 48 << 20;
		for (const q of ['', '&length=1']) {
			const r = await fn(d, 'localhost', 'GET', `/proxy/3000/big?n=${n}${q}`, { headers: { cookie: ann } });
			assert.equal(r.status, 200);
			assert.equal(r.raw.length, n);
		}
		const body = Buffer.alloc(n, 'u');
		const r = await fn(d, 'localhost', 'PUT', '/proxy/3000/up', { body,
			headers: { cookie: ann, origin: `https://localhost:${d.port}`, 'content-length': n } });
		assert.equal(r.json.bytes, n);
		assert.equal(r.json.sha256, crypto.createHash('sha256').update(body).digest('hex'));
	});

test('a client that does not read stops the program, and memory stays where it is', { timeout: 60000 }, async () => {
	const s = await d.raw();
	s.write(`GET /proxy/3000/big?n=${1 << 30} HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${ann}\r\n\r\n`);
	await new Promise((r) => s.once('data', r));
	s.pause();
	const look = () => d.role('worker').map(({ pid }) => {
		try {
			return { pid, read: Number(/rchar: (\d+)/.exec(fs.readFileSync(`/proc/${pid}/io`, 'utf8'))[1]),
				rss: Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) };
		} catch { return { pid, read: 0, rss: 0 }; }
	});
	let last = '';
	const still = await waitFor('the flow to stop', () => {
		const now = look(), text = JSON.stringify(now.map((w) => w.read));
		if (text === last) return now;
		last = text;
		return null;
	}, 20000, 500);
	for (const w of still) assert.ok(w.rss < 48 << 10, `${w.rss} KiB`);
	const other = await get('/proxy/3000/');
	assert.equal(other.status, 200);
	s.destroy();
});

test('server-sent events come one by one, and their end ends them', async () => {
	const s = await d.raw();
	s.write(`GET /proxy/3000/events HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${ann}\r\n\r\n`);
	let out = '';
	s.on('data', (b) => { out += b; });
	await waitFor('events', () => /data: 3/.test(out), 20000, 20);
	assert.match(out, /^HTTP\/1\.1 200 /);
	s.destroy();
});

export async function websocket(path, { cookie = ann, origin = `https://localhost:${d.port}`, host = `localhost:${d.port}`, servername = 'localhost' } = {}) {
	const s = await d.raw({ servername });
	s.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n${origin ? `Origin: ${origin}\r\n` : ''}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
	let out = Buffer.alloc(0);
	s.on('data', (b) => { out = Buffer.concat([out, b]); });
	s.on('error', () => {});
	await waitFor('an answer', () => out.includes('\r\n\r\n'));
	const at = out.indexOf('\r\n\r\n') + 4;
	const head = out.subarray(0, at).toString('latin1');
	return { s, head, status: Number(head.split(' ')[1]), bytes: () => out.subarray(at) };
}

test('WebSockets are passed byte by byte, from pages of ours only', { timeout: 60000 }, async () => {
	const ws = await websocket('/proxy/3000/socket');
	assert.equal(ws.status, 101, ws.head);
	assert.match(ws.head, /x-origin: https:\/\/localhost:/i);
	assert.match(ws.head, /x-cookie: undefined/i);
	const bytes = crypto.randomBytes(1 << 20);
	ws.s.write(bytes);
	await waitFor('the echo', () => ws.bytes().length >= bytes.length);
	assert.deepEqual(ws.bytes(), bytes);
	ws.s.destroy();
	for (const origin of ['https://evil.example', 'null', null, `https://3000.localhost:${d.port}`])
		assert.equal((await websocket('/proxy/3000/socket', { origin })).status, 403, origin);
	assert.equal((await websocket('/proxy/3000/refuse')).status, 403);
	assert.equal((await websocket('/proxy/3000/socket', { cookie: 'x=1' })).status, 401);
});

test('nothing there: why, and a page that looks again', async () => {
	const r = await get('/proxy/3999/');
	assert.equal(r.status, 502);
	assert.match(r.json.error.message, /nothing listens on port 3999/);
	const page = await get('/proxy/3999/', { headers: { accept: 'text/html' } });
	assert.equal(page.status, 502);
	assert.deepEqual([page.headers.refresh, page.headers['x-ided-waits']], [undefined, undefined]);
	assert.match(page.body, /<script src="\/_static\/wait\.js\?v=[0-9a-f]{16}">/);
	assert.match(page.body, /Port 3999 does not answer/);
	assert.match(page.body, /nothing listens on port 3999/);
	// What was sent is not sent once more: no script, a link.
	const post = await ask(d, 'localhost', 'POST', '/proxy/3999/', { headers: { cookie: ann, accept: 'text/html', origin: `https://localhost:${d.port}` }, body: 'x' });
	assert.equal(post.status, 502);
	assert.doesNotMatch(post.body, /<script/);
	assert.doesNotMatch(post.headers['content-security-policy'], /script-src/);
	assert.match(post.body, /not sent again.*<a class="button" href="">/s);
	// What the page's script asks: ours is marked, and the program's own never is.
	for (const fn of [ask, ask2]) {
		const waits = await fn(d, 'localhost', 'GET', '/proxy/3999/', { headers: { cookie: ann, 'x-ided-waits': '1' } });
		assert.deepEqual([waits.status, waits.headers['x-ided-waits']], [502, '1']);
		const there = (path) => fn(d, 'localhost', 'GET', `/proxy/3000/${path}`, { headers: { cookie: ann, 'x-ided-waits': '1' } });
		assert.equal((await there('')).json.headers['x-ided-waits'], undefined);
		const own = await there('headers?x-ided-waits=1&x-other=2');
		assert.deepEqual([own.status, own.headers['x-ided-waits'], own.headers['x-other']], [200, undefined, '2']);
		const bad = await there('redirect?status=502&to=x');
		assert.deepEqual([bad.status, bad.headers['x-ided-waits']], [502, undefined]);
	}
	const s = await serve(d, 'ann', 3999);
	assert.equal((await get('/proxy/3999/', { headers: { 'x-ided-waits': '1' } })).headers['x-ided-waits'], undefined);
	s.stop();
	await waitFor('its end', async () => (await get('/proxy/3999/')).status === 502);
});

test('one that does not answer, or not wholly, or hangs up', { timeout: 60000 }, async () => {
	// A head of which a field comes now and then is no answer either.
	for (const r of await Promise.all([get('/proxy/3000/never'), get('/proxy/3000/drip')])) {
		assert.equal(r.status, 504);
		assert.match(r.json.error.message, /port 3000 did not answer in time/);
	}
	const h = await get('/proxy/3000/hang-up');
	assert.equal(h.status, 502);
	assert.match(h.json.error.message, /port 3000 closed the connection/);
});

test('one that listens on ::1 only is reached too', async () => {
	const s = await serve(d, 'ann', 3006, { address: '::1' });
	assert.equal((await get('/proxy/3006/')).status, 200);
	s.stop();
});

test('parts, tags, HEAD, trailers: as the program says them', async () => {
	for (const [path, fn] of [['/proxy/3000/file', ask], ['/proxy/3000/file', ask2]]) {
		const f = (headers, method = 'GET') => fn(d, 'localhost', method, path, { headers: { cookie: ann, ...headers } });
		const whole = await f({});
		assert.deepEqual([whole.status, whole.headers.etag, whole.body.length], [200, '"v1"', 26]);
		const part = await f({ range: 'bytes=3-6' });
		assert.deepEqual([part.status, part.headers['content-range'], part.body], [206, 'bytes 3-6/26', 'defg']);
		const known = await f({ 'if-none-match': '"v1"' });
		assert.deepEqual([known.status, known.headers.etag, known.body], [304, '"v1"', '']);
		assert.equal(known.headers['content-length'], undefined, 'of the page, not of the answer: RFC 9110 8.6');
		const head = await f({}, 'HEAD');
		assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '26', '']);
		// What comes behind a body has no place to go, and says nothing for us.
		const t = await fn(d, 'localhost', 'GET', '/proxy/3000/trailers', { headers: { cookie: ann } });
		assert.deepEqual([t.status, t.body, t.headers['set-cookie']], [200, 'one two', undefined]);
	}
});

// What the program has seen of a request with a body.
const ends = (n) => get(`/proxy/3000/ends?n=${n}`).then((r) => r.json);
const head = (method, path, more = '') => `${method} ${path} HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: https://localhost:${d.port}\r\nCookie: ${ann}\r\n${more}\r\n`;

test('a client that leaves in the middle: the program is told, and takes no half for a whole', { timeout: 60000 }, async () => {
	for (const [n, how, sent, leave] of [['length', 'Content-Length: 1000\r\n', 'x'.repeat(500), 'destroy'], ['chunks', 'Transfer-Encoding: chunked\r\n', `1f4\r\n${'x'.repeat(500)}\r\n`, 'destroy'],
		['half', 'Content-Length: 1000\r\n', 'x'.repeat(500), 'end'], ['half chunks', 'Transfer-Encoding: chunked\r\n', `1f4\r\n${'x'.repeat(500)}\r\n`, 'end'],
		['half a chunk', 'Transfer-Encoding: chunked\r\n', `1f4\r\n${'x'.repeat(499)}`, 'end']]) {
		const s = await d.raw({ allowHalfOpen: true });
		s.on('error', () => {});
		s.write(head('POST', `/proxy/3000/watched?n=${encodeURIComponent(n)}`, how) + sent);
		const at = await waitFor(`${n}: what came`, async () => { const e = await ends(encodeURIComponent(n)); return e && e.bytes > 400 && e; });
		assert.equal(at.end, false);
		s[leave]();
		const e = await waitFor(`${n}: the end`, async () => { const x = await ends(encodeURIComponent(n)); return x.gone && x; });
		assert.equal(e.end, false, `${n}: half of it is not all`);
		s.destroy();
	}
	// And what was being read ends at its source.
	const s = await d.raw();
	s.on('error', () => {});
	s.write(head('GET', '/proxy/3000/watched?n=big&big'));
	await new Promise((r) => { s.once('data', r); });
	s.destroy();
	await waitFor('the source to end', async () => (await ends('big')).gone);
});

const huge = 5 * 2 ** 30; // more than 32 bits say

test('lengths beyond 32 bits are what they are', async () => {
	const s = await d.raw();
	s.on('error', () => {});
	let out = '';
	s.on('data', (b) => { if (out.length < 4096) out += b.toString('latin1'); });
	s.write(head('GET', `/proxy/3000/big?n=${huge}&length=1`));
	await waitFor('a head', () => out.includes('\r\n\r\n'));
	assert.match(out, new RegExp(`\r\ncontent-length: ${huge}\r\n`, 'i'));
	s.destroy();
	const u = await d.raw();
	u.on('error', () => {});
	u.write(`${head('PUT', '/proxy/3000/watched?n=huge', `Content-Length: ${huge}\r\n`)}begun`);
	await waitFor('what came', async () => { const e = await ends('huge'); return e && e.bytes === 5 && e.length === String(huge); });
	u.destroy();
});

test('five gigabytes, both ways', { skip: !process.env.IDED_LONG && 'IDED_LONG=1: takes a minute', timeout: 600000 }, async () => {
	for (const q of ['', '&length=1']) {
		const n = await new Promise((resolve, reject) => {
			https.get({ host: '127.0.0.1', port: d.port, servername: 'localhost', rejectUnauthorized: false, agent: false, path: `/proxy/3000/big?n=${huge}${q}`,
				headers: { host: `localhost:${d.port}`, cookie: ann } }, (r) => {
				let all = 0;
				r.on('data', (b) => { all += b.length; });
				r.on('end', () => resolve(all));
			}).on('error', reject);
		});
		assert.equal(n, huge);
	}
	const up = await new Promise((resolve, reject) => {
		const r = https.request({ host: '127.0.0.1', port: d.port, servername: 'localhost', rejectUnauthorized: false, agent: false, method: 'PUT', path: '/proxy/3000/up',
			headers: { host: `localhost:${d.port}`, cookie: ann, origin: `https://localhost:${d.port}`, 'content-length': huge } }, (res) => {
			let out = '';
			res.on('data', (b) => { out += b; });
			res.on('end', () => resolve(JSON.parse(out).bytes));
		});
		r.on('error', reject);
		const piece = Buffer.alloc(1 << 20);
		let left = huge;
		const more = () => {
			for (; left > 0; left -= piece.length) if (!r.write(piece)) { left -= piece.length; return; }
			r.end();
		};
		r.on('drain', more);
		more();
	});
	assert.equal(up, huge);
});

test('a client that says no more, but listens, gets all of it', async () => {
	const s = await d.raw({ allowHalfOpen: true });
	let out = '';
	s.on('data', (b) => { out += b; });
	const over = new Promise((r) => { s.on('end', r); });
	s.end(head('GET', '/proxy/3000/slow?ms=500', 'Connection: close\r\n'));
	await over;
	assert.match(out, /^HTTP\/1\.1 200 [^]*late/);
	s.destroy();
});

test('an answer that comes before the body is there is the answer', { timeout: 60000 }, async () => {
	for (const q of ['read', 'read&close', 'close&destroy', 'destroy']) {
		const s = await d.raw();
		s.on('error', () => {});
		let out = '';
		s.on('data', (b) => { out += b.toString('latin1'); });
		s.write(head('POST', `/proxy/3000/early?${q}`, `Content-Length: ${32 << 20}\r\n`));
		s.write('x'.repeat(100000));
		await waitFor(`an answer: ${q}`, () => /\r\n\r\nlarge$/.test(out));
		assert.match(out, /^HTTP\/1\.1 413 /, q);
		s.destroy();
	}
	assert.equal((await get('/proxy/3000/')).status, 200);
});

test('a program that does not read stops the client, and memory stays where it is', { timeout: 60000 }, async () => {
	const s = await d.raw();
	s.on('error', () => {});
	s.write(head('POST', '/proxy/3000/deaf', `Content-Length: ${1 << 30}\r\n`));
	const piece = Buffer.alloc(1 << 20);
	let sent = 0, stop = false;
	const more = () => { while (!stop && s.write(piece)) sent += piece.length; };
	s.on('drain', more);
	more();
	let last = -1;
	await waitFor('the flow to stop', () => { const still = s.bytesWritten === last; last = s.bytesWritten; return still; }, 20000, 500);
	stop = true;
	assert.ok(last < 64 << 20, `${last} bytes were taken`);
	for (const { pid } of d.role('worker')) {
		let rss = 0;
		try { rss = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]); } catch { continue; }
		assert.ok(rss < 48 << 10, `${rss} KiB`);
	}
	s.destroy();
	assert.equal((await get('/proxy/3000/')).status, 200);
});

test('connections are kept for the next request', async () => {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const numbers = [];
	for (let i = 0; i < 5; i++) numbers.push((await get('/proxy/3000/', { agent })).json.connection);
	assert.equal(new Set(numbers).size, 1);
	const other = (await get('/proxy/3000/')).json.connection;
	assert.ok(!numbers.includes(other), 'of one client, and of no other');
	agent.destroy();
});

test('while nobody can say where a port is, it is asked again: as long as an answer may take, no longer', { timeout: 60000 }, async () => {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const isolation = d.role('isolation')[0].pid;
	try {
		assert.equal((await get('/proxy/3000/', { agent })).status, 200);
		process.kill(isolation, 'SIGSTOP'); // nobody starts auth again
		process.kill(d.role('auth')[0].pid, 'SIGKILL');
		const start = Date.now();
		const r = await get('/proxy/3009/', { agent, headers: { accept: '*/*' } });
		assert.equal(r.status, 503);
		// After 1 and 2 s, as its timeout is 5; 4 and 8 s more would be beyond that.
		assert.ok(Date.now() - start < 14000, `${Date.now() - start} ms`);
		const again = get('/proxy/3000/other', { agent, headers: { connection: 'close' } });
		process.kill(isolation, 'SIGCONT');
		assert.equal((await again).status, 200);
	} finally {
		process.kill(isolation, 'SIGCONT');
		agent.destroy();
	}
	await waitFor('auth', async () => (await get('/proxy/3000/')).status === 200);
});

test("a page of a program may not speak to ided's own routes", async () => {
	const referer = `https://localhost:${d.port}/proxy/3000/page`;
	const h = { referer, 'sec-fetch-site': 'same-origin' };
	assert.equal((await get('/api/me', { headers: { ...h, 'sec-fetch-mode': 'cors' } })).status, 403);
	assert.equal((await get('/ide/', { headers: { ...h, 'sec-fetch-mode': 'cors' } })).status, 403);
	assert.equal((await get('/logout', { headers: { ...h, 'sec-fetch-mode': 'navigate' } })).status, 403);
	assert.equal((await ask(d, 'localhost', 'POST', '/api/logout', { headers: { cookie: ann, origin: `https://localhost:${d.port}`, ...h } })).status, 403);
	assert.equal((await get('/', { headers: { ...h, 'sec-fetch-mode': 'navigate' } })).status, 200, 'a link');
	assert.equal((await get('/api/me', { headers: { referer: `https://localhost:${d.port}/`, 'sec-fetch-site': 'same-origin' } })).status, 200);
});

test('that it is so is said at the start', () => {
	assert.match(d.log, /proxy\.shared/);
	assert.equal(server.output().includes('listening'), true);
});
