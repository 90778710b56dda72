// What each route says to a browser beside its content, and to wapiti.  The list
// is of ASVS 5's chapter V3 (web front end), as far as it speaks of headers and
// cookies, with V7.1 and V14.3 where they do.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { freePort, idePath, password, startDaemon, waitFor } from '../system/daemon.mjs';
import { sources, status } from './backend.mjs';
import { tool } from './tool.mjs';

const LONG = Boolean(process.env.IDED_LONG);
const source = sources(17);
const product = Object.fromEntries(fs.readFileSync(`${idePath}/product`, 'utf8').trim().split('\n').map((l) => l.split(/=(.*)/s).slice(0, 2)));
let d;
let cookie;
let plain;
before(async () => {
	plain = await freePort();
	d = await startDaemon({ users: ['ann', 'admin'], conf: `listen on 127.0.0.1 port ${plain} redirect\n` });
	cookie = await d.login('ann');
});
after(() => d?.stop());

const assets = `/ide/${product.quality}-${product.commit}/static/out`;
// kind: page of ours, data, asset, the IDE's; `login`: 401 or the login page without.
const routes = [
	['GET', '/healthz', 'data'], ['GET', '/robots.txt', 'data'], ['GET', '/.well-known/security.txt', 'data'], ['GET', '/security.txt', 'data'],
	['GET', '/favicon.ico', 'asset'], ['GET', '/favicon.svg', 'asset'], ['GET', '/manifest.json', 'data'],
	['GET', '/_static/out/browser/serviceWorker.js', 'asset'], ['GET', '/_static/src/browser/media/favicon.svg', 'asset'],
	['GET', '/login', 'page'], ['POST', '/login', 'page'], ['GET', '/login?to=/ide/', 'page'], ['POST', '/api/login', 'data'],
	['GET', '/', 'page', 'login'], ['GET', '/api/me', 'data', 'login'], ['GET', '/api/sessions', 'data', 'login'],
	['POST', '/api/sessions/end', 'data', 'login'], ['GET', '/update/check', 'data', 'login'], ['GET', '/ide', 'data'],
	['GET', '/ide/?folder=/home/ann', 'ide', 'login'], ['GET', '/ide/login', 'data'], ['GET', '/ide/healthz', 'data'],
	['GET', '/ide/manifest.json', 'data'], ['POST', '/ide/mint-key', 'data', 'login'], ['GET', '/ide/update/check', 'data', 'login'],
	['GET', '/ide/_static/src/browser/media/favicon.svg', 'asset'], ['GET', `${assets}/vs/code/browser/workbench/workbench.js`, 'asset', 'login'],
	['GET', `${assets}/nls.messages.js`, 'asset', 'login'], ['GET', '/ide/version', 'ide', 'login'],
	['GET', '/none', 'page'], ['GET', '/ide/none', 'ide', 'login'], ['PUT', '/login', 'page'], ['TRACE', '/', 'page'], ['BREW', '/', 'page'],
	['OPTIONS', '/login', 'data'], ['OPTIONS', '*', 'data'], ['GET', '/%00', 'page'], ['GET', '/..%2f..%2fetc/passwd', 'page'],
];
const variants = ['text/html', 'application/json'];

const one = (h, n) => {
	assert.equal(typeof h[n], 'string', `${n} is missing`);
	return h[n];
};
const csp = (h) => Object.fromEntries(one(h, 'content-security-policy').split(';').map((p) => p.trim().split(/ +(.*)/s)));

// [what ASVS asks for, which answers it is about, the check]
const rules = [
	['3.4.1 Strict-Transport-Security of a year at least', () => true,
		(h) => assert.ok(Number(/^max-age=(\d+)/.exec(one(h, 'strict-transport-security'))[1]) >= 31536000)],
	['3.4.2 no Access-Control-Allow-Origin that takes what was sent', () => true,
		(h) => assert.equal(h['access-control-allow-origin'], undefined)],
	['3.4.3 a Content-Security-Policy with object-src and base-uri none', (k) => k === 'page' || k === 'data', (h) => {
		const c = csp(h);
		assert.equal(c['object-src'] ?? c['default-src'], "'none'");
		assert.equal(c['base-uri'], "'none'");
		assert.doesNotMatch(h['content-security-policy'], /unsafe-|\*|data:|http:|blob:/);
	}],
	['3.4.4 X-Content-Type-Options nosniff', () => true, (h) => assert.equal(one(h, 'x-content-type-options'), 'nosniff')],
	['3.4.5 a Referrer-Policy that keeps paths within the site', () => true,
		(h) => assert.match(one(h, 'referrer-policy'), /^(same-origin|no-referrer|strict-origin|strict-origin-when-cross-origin)$/)],
	['3.4.6 frame-ancestors, not X-Frame-Options alone', () => true,
		(h, r, k) => assert.match(one(h, 'content-security-policy'), k === 'page' || k === 'data' ? /frame-ancestors 'none'/ : /frame-ancestors 'self'/)],
	['3.4.6 framed by nobody else', () => true, (h) => assert.match(one(h, 'x-frame-options'), /^(DENY|SAMEORIGIN)$/)],
	['3.4.8 Cross-Origin-Opener-Policy of documents', (k) => k === 'page' || k === 'ide',
		(h) => assert.match(one(h, 'cross-origin-opener-policy'), /^same-origin(-allow-popups)?$/)],
	['3.5.8 Cross-Origin-Resource-Policy', () => true, (h) => assert.match(one(h, 'cross-origin-resource-policy'), /^same-(origin|site)$/)],
	['4.1.1 Content-Type with its charset, wherever there is content', (k) => k !== 'ide', (h, r) => {
		if (r.raw.length === 0) return;
		assert.match(one(h, 'content-type'), /^(text\/[\w.+-]+; ?charset=utf-8|application\/(json|manifest\+json|javascript|octet-stream)|image\/[\w.+-]+|text\/javascript.*)$/i);
	}],
	['14.3.2 what is a user\'s is not cached', (k) => k === 'page' || k === 'data', (h) => assert.match(one(h, 'cache-control'), /no-store/)],
	['13.4.6, 4.1.x no word of what runs here', () => true, (h) => {
		for (const n of ['server', 'x-powered-by', 'via', 'x-aspnet-version']) assert.equal(h[n], undefined);
	}],
	['3.7.x no header that browsers have given up', () => true, (h) => {
		for (const n of ['x-xss-protection', 'public-key-pins', 'expect-ct', 'feature-policy']) assert.equal(h[n], undefined, n);
	}],
	['16.2.1 an id by which a request is found in the log', () => true, (h) => assert.match(one(h, 'x-request-id'), /^[0-9a-f]{16}$/)],
	['3.3.1-3.3.4 cookies: __Host-, Secure, HttpOnly, SameSite, Path=/, no Domain', () => true, (h) => {
		for (const c of h['set-cookie'] ?? []) {
			if (!c.startsWith('__Host-')) continue;
			for (const flag of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) assert.ok(c.split('; ').includes(flag), `${flag}: ${c}`);
			assert.doesNotMatch(c, /domain/i);
		}
	}],
];

async function ask(method, path, accept, auth) {
	const body = method === 'POST' ? 'username=ann&password=wrong' : undefined;
	return d.request(method, path, { localAddress: source(), body, headers: { accept, ...(auth ? { cookie } : {}),
		...(body ? { origin: d.origin, 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length } : {}) } });
}

test('the IDE is there', { timeout: 120000 }, () => waitFor('it', async () => (await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } })).status === 200, 90000, 500));

for (const [name, applies, check] of rules) {
	test(name, { timeout: 60000 }, async () => {
		let n = 0;
		for (const [method, path, kind, login] of routes) {
			for (const accept of variants) {
				for (const auth of login ? [true, false] : [false]) {
					const r = await answer(method, path, accept, auth);
					// An answer that refuses or leads away is ours, whatever was asked for.
					const k = r.status >= 400 || r.status === 204 || (r.status >= 300 && r.status < 400) ? (kind === 'ide' && auth ? kind : 'data') :
						kind === 'page' && !/html/.test(r.headers['content-type'] ?? '') ? 'data' : kind;
					if (!applies(k)) continue;
					try { check(r.headers, r, k); } catch (e) { e.message = `${method} ${path} (${accept}${auth ? ', logged in' : ''}; ${r.status}): ${e.message}`; throw e; }
					n++;
				}
			}
		}
		assert.ok(n >= 10, `${n} answers`);
	});
}

const answered = new Map();
async function answer(...what) {
	const key = what.join(' ');
	if (!answered.has(key)) answered.set(key, await ask(...what));
	return answered.get(key);
}

test('without login nothing of a user is to be had', async () => {
	for (const [method, path, , login] of routes) {
		if (!login) continue;
		for (const accept of variants) {
			const r = await answer(method, path, accept, false);
			assert.ok([401, 302, 303, 403].includes(r.status), `${method} ${path}: ${r.status}`);
			assert.doesNotMatch(r.body, /ann/);
		}
	}
});

test('3.5.1-3.5.3 what changes something is done for pages of ours alone, and not by GET', async () => {
	for (const path of ['/login', '/logout', '/api/login', '/api/logout', '/api/sessions/end', '/ide/mint-key', '/ide/logout']) {
		for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { origin: `http://localhost:${d.port}` }, { origin: d.origin, 'sec-fetch-site': 'cross-site' },
			{ 'sec-fetch-site': 'same-site' }, {}]) {
			const r = await d.request('POST', path, { localAddress: source(), headers: { cookie, 'content-length': 0, ...headers } });
			assert.equal(r.status, 403, `${path} ${JSON.stringify(headers)}: ${r.status}`);
		}
	}
	assert.equal((await d.request('GET', '/', { headers: { cookie } })).status, 200, 'the session lives on');
	// A picture or a frame on another site does not log anybody out.
	for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }])
		assert.equal((await d.request('GET', '/logout', { localAddress: source(), headers: { cookie, ...headers } })).status, 403);
});

test('3.7.2 redirects lead to paths of ours alone', async () => {
	for (const to of ['https://evil.example/', '//evil.example', '/\\evil.example', '\\\\evil.example', 'https:evil.example', '/%5cevil.example', '/\t/evil.example', '/%09//evil.example', ' //evil.example', '/..//evil.example', 'javascript:alert(1)']) {
		const r = await d.post('/login', { username: 'ann', password, to }, { localAddress: source() });
		const at = new URL(r.headers.location, d.origin);
		assert.equal(at.origin, d.origin, `${to}: ${r.headers.location}`);
		assert.match(r.headers.location, /^\/(?![/\\])/);
		const page = await d.request('GET', `/login?to=${encodeURIComponent(to)}`, { localAddress: source() });
		assert.doesNotMatch(page.body, /evil\.example|javascript:/);
	}
});

test('what comes back in a page is escaped', async () => {
	const evil = `"><script>alert(1)</script><img src=x onerror=y>'{{7*7}}`;
	const e = encodeURIComponent(evil);
	for (const path of [`/login?to=/${e}`, `/login?x=${e}`, `/${e}`, `/ide?${e}`, `/none?${e}`]) {
		const r = await d.request('GET', path, { localAddress: source() });
		assert.doesNotMatch(r.body, /<script>alert|<img src=x|>49/, path);
	}
	const r = await d.post('/login', { username: evil, password: evil, to: `/${evil}` }, { localAddress: source() });
	assert.doesNotMatch(r.body, /<script>alert|<img src=x/);
	assert.doesNotMatch(r.body, new RegExp(password));
});

// VS Code's server sends any file of the user's as what its name says, and a link is
// enough to have it opened: of a repository that was cloned, for one.
test('3.2.1 a page in a folder of the user\'s is no page of this site', async () => {
	fs.writeFileSync(`${d.home('ann')}/workspaces/evil.html`, '<script>fetch("/api/me")</script>');
	for (const at of ['/ide', `/ide/${product.quality}-${product.commit}`]) {
		const r = await d.request('GET', `${at}/vscode-remote-resource?path=%2Fhome%2Fann%2Fworkspaces%2Fevil.html`, { headers: { cookie } });
		assert.deepEqual([r.status, r.headers['content-type']], [200, 'text/html'], 'else it would be no danger');
		assert.match(r.headers['content-security-policy'], /default-src 'none'.*; sandbox$/);
	}
	const page = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
	assert.doesNotMatch(page.headers['content-security-policy'], /sandbox/);
});

test('14.3.1 what VS Code keeps in a browser goes with its user', async () => {
	const login = (user, last) => d.post('/login', { username: user, password }, { localAddress: source(), headers: last ? { cookie: last } : {} });
	const of = (r) => r.headers['set-cookie'].find((c) => c.startsWith('__Host-ided-last=')).split(';')[0];
	const first = await login('ann');
	assert.equal(first.headers['clear-site-data'], undefined, 'nobody was here');
	assert.doesNotMatch(of(first), /ann/);
	assert.equal((await login('ann', of(first))).headers['clear-site-data'], undefined, 'the same user');
	const other = await login('admin', of(first));
	assert.equal(other.headers['clear-site-data'], '"storage"');
	assert.notEqual(of(other), of(first));
	const own = other.headers['set-cookie'].find((c) => c.startsWith('__Host-ided=')).split(';')[0];
	const out = await d.post('/logout', {}, { headers: { cookie: own } });
	assert.equal(out.headers['clear-site-data'], '"storage"');
});

test('3.4.1, 12.2.1 plain HTTP has one answer: the https address', async () => {
	const r = await new Promise((resolve, reject) => {
		http.get({ host: '127.0.0.1', port: plain, path: '/ide/?folder=/x', headers: { host: 'localhost' } }, resolve).on('error', reject);
	});
	r.resume();
	assert.equal(r.statusCode, 308);
	assert.equal(r.headers.location, `https://localhost:${d.port}/ide/?folder=/x`);
	assert.equal(r.headers['set-cookie'], undefined);
});

// What wapiti says that is none, and why.
const known = [
	// It wants a token; ided looks at Origin and Sec-Fetch-Site (above).
	(n, f) => n === 'Cross Site Request Forgery' && /Lack of anti CSRF token/.test(f.info),
	// Given up by all browsers, and harmful where it is not (above).
	(n, f) => n === 'HTTP Secure Headers' && /X-XSS-Protection/.test(f.info),
	// A method that nobody knows is 501, with no content of what 401 guards.
	(n, f) => n === 'Htaccess Bypass' && f.method === 'ABC',
];

// Without those that ask hosts elsewhere; the quick ones, and all of them.
const quick = 'backup,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,redirect,shellshock,sql,xss';
const every = 'all,-ssrf,-xxe,-wapp,-brute_login_form';
// It offers br as well, and may have nothing to read that with.
async function wapiti(start, modules, more) {
	const file = `${d.dir}/wapiti-${Math.random().toString(36).slice(2)}.json`;
	const r = await tool('wapiti', ['-u', start, '--verify-ssl', '0', '--no-bugreport', '--flush-session', '-v', '0', '-f', 'json', '-o', file,
		'-H', 'Accept-Encoding: gzip', '-m', modules, ...more], { net: 70, hosts: 60000, ms: 1200000 });
	assert.ok(fs.existsSync(file), r.out.slice(-2000) + r.err.slice(-2000));
	const report = JSON.parse(fs.readFileSync(file, 'utf8'));
	const found = [];
	for (const kind of ['vulnerabilities', 'anomalies'])
		for (const [n, list] of Object.entries(report[kind]))
			for (const f of list) if (!known.some((k) => k(n, f))) found.push(`${n}: ${f.method} ${f.path}: ${f.info}`);
	assert.deepEqual(found, []);
	assert.equal(status(d).crashes, 0);
	return report;
}

test('wapiti: the login page', { timeout: 120000 }, async (t) => {
	const before = status(d).requests;
	await wapiti(`${d.origin}/login`, quick, ['--scope', 'page']);
	t.diagnostic(`${status(d).requests - before} requests`);
	assert.ok(status(d).requests - before > 100);
});

// Minutes, for IDED_LONG=1; else 20 seconds.
test(`wapiti: ${LONG ? 'everything' : '20 seconds'}, as a user`, { timeout: 1300000 }, async (t) => {
	const before = status(d).requests;
	await wapiti(`${d.origin}/`, LONG ? every : quick, [...(LONG ? [] : ['--max-scan-time', '20']), '-H', `Cookie: ${await d.login('ann')}`]);
	t.diagnostic(`${status(d).requests - before} requests`);
	assert.ok(status(d).requests - before > (LONG ? 5000 : 100));
});
