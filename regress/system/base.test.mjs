// The whole site below a prefix of its host, which one in front takes off or leaves.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { idePath, obj, password } from './daemon.mjs';
import { ask, serve, startPorts } from './port-daemon.mjs';

const base = '/tools/a.b';
const product = Object.fromEntries(fs.readFileSync(`${idePath}/product`, 'utf8').trim().split('\n').map((l) => l.split('=')));
let d, cookie;

before(async () => {
	d = await startPorts({ domain: false, conf: `base-path "${base}/"` });
	const r = await d.post(`${base}/login`, { username: 'ann', password });
	assert.deepEqual([r.status, r.headers.location], [302, `${base}/`]);
	cookie = r.headers['set-cookie'][0].split(';')[0];
	assert.match(r.headers['set-cookie'][0], /^__Host-ided=[0-9a-f]{64}; .*Path=\//);
	await serve(d, 'ann', 3000);
}, { timeout: 60000 });
after(() => d?.stop());

const get = (path, headers = {}) => d.request('GET', path, { headers: { cookie, ...headers } });
const nobody = (path) => d.request('GET', path);

test('redirects lead below it', async () => {
	for (const [path, status, to] of [
		[base, 308, `${base}/`], [`${base}?a`, 308, `${base}/`], [`${base}/`, 302, `${base}/login`],
		[`${base}/ide`, 308, `${base}/ide/`], [`${base}/ide?folder=/x`, 308, `${base}/ide/?folder=/x`],
		[`${base}/ide/?folder=/x`, 302, `${base}/login?to=%2Fide%2F%3Ffolder%3D%2Fx`],
		// Where it was taken off, it is written all the same.
		['/', 302, `${base}/login`], ['/ide', 308, `${base}/ide/`],
	]) {
		const r = await nobody(path);
		assert.equal(r.status, status, path);
		assert.equal(decodeURIComponent(r.headers.location), decodeURIComponent(to), path);
	}
	for (const path of [`${base}x`, `${base}x/login`, '/tools/', '/tools', `${base}${base}/login`, '/tools/a%2Eb/login'])
		assert.equal((await nobody(path)).status, 404, path);
	const out = await d.post(`${base}/logout`, '', { headers: { cookie: await login() } });
	assert.deepEqual([out.status, out.headers.location], [303, `${base}/login`]);
	const json = await d.request('POST', `${base}/login`, { body: JSON.stringify({ username: 'ann', password, to: '/ide/' }),
		headers: { 'content-type': 'application/json', origin: d.origin } });
	assert.equal(json.json.data.to, `${base}/ide/`);
});

async function login() {
	const r = await d.post(`${base}/login`, { username: 'ann', password });
	return r.headers['set-cookie'][0].split(';')[0];
}

test('every address on our pages is below it, and answers', async () => {
	for (const page of [await nobody(`${base}/login`), await get(`${base}/`), await get(`${base}/password`), await nobody(`${base}/none`), await nobody('/login')]) {
		const urls = [...page.body.matchAll(/(?:href|src|action)="([^"]*)"/g)].map((m) => m[1]);
		assert.ok(urls.length >= 2);
		for (const url of urls) {
			assert.ok(url.startsWith(`${base}/`), url);
			if (/_static/.test(url)) assert.equal((await nobody(url)).status, 200, url);
		}
		assert.match(page.headers['content-security-policy'], new RegExp(`report-uri ${base}/csp-report`));
		assert.equal(page.headers['reporting-endpoints'], `csp="${base}/csp-report"`);
	}
	assert.equal((await get(`${base}/api/openapi.json`)).json.servers[0].url, `${base}/`);
	assert.equal((await d.request('GET', `${base}/healthz`)).status, 200);
});

test('the IDE: page, files, manifest, what its front is asked', { timeout: 60000 }, async () => {
	const page = await get(`${base}/ide/?folder=/home/ann`, { 'sec-fetch-dest': 'document' });
	assert.equal(page.status, 200);
	assert.match(page.body, /workbench/);
	const hinted = page.headers['set-cookie']?.find((c) => /Path=.*ide/.test(c));
	if (hinted) assert.match(hinted, new RegExp(`Path=${base}/ide/`));
	const again = await get(`${base}/ide/`);
	assert.deepEqual([again.status, again.headers.location], [302, `${base}/ide/?folder=/home/ann`]);
	const js = `/ide/${product.quality}-${product.commit}/static/out/vs/code/browser/workbench/workbench.js`;
	assert.equal((await d.request('HEAD', base + js, { headers: { cookie } })).status, 200);
	const manifest = (await get(`${base}/ide/manifest.json`)).json;
	for (const icon of manifest.icons) assert.equal((await nobody(icon.src)).status, 200, icon.src);
	assert.equal((await d.post(`${base}/ide/mint-key`, '', { headers: { cookie } })).raw.length, 32);
	assert.equal((await get(`${base}/update/check`)).json.isLatest, true);
	assert.match((await get(`${base}/ide/_static/out/browser/serviceWorker.js`)).headers['service-worker-allowed'], /^\/$/);
});

test('ports: addresses, cookies, and who may be asked', async () => {
	const port = (path, headers = {}) => ask(d, 'localhost', 'GET', base + path, { headers: { cookie, ...headers } });
	const echo = await port('/proxy/3000/a?b');
	assert.equal(echo.json.url, '/a?b');
	assert.equal(echo.json.headers['x-forwarded-prefix'], `${base}/proxy/3000`);
	assert.equal((await port('/absproxy/3000/a?b')).json.url, `${base}/absproxy/3000/a?b`);
	for (const [to, want] of [['/x?y', `${base}/proxy/3000/x?y`], [`${base}/proxy/3000/x`, `${base}/proxy/3000/x`],
		['../../login', `${base}/proxy/3000${base}/login`], ['http://localhost:3000/z', `${base}/proxy/3000/z`]])
		assert.equal((await port(`/proxy/3000/redirect?to=${encodeURIComponent(to)}`)).headers.location, want, to);
	const set = await port(`/proxy/3000/cookies?c=${encodeURIComponent('a=b; Path=/')}`);
	assert.equal(set.headers['set-cookie'][0], `a=b; Path=${base}/proxy/3000/`);
	assert.match(set.headers['content-security-policy'], new RegExp(`connect-src blob: data: https://localhost:${d.port}${base}/proxy/3000/`));
	assert.deepEqual([(await port('/proxy/3000?q')).status, (await port('/proxy/3000?q')).headers.location], [308, `${base}/proxy/3000/?q`]);
	// A program's page does not get at our routes.
	const denied = await d.request('GET', `${base}/api/me`, { headers: { cookie, referer: `${d.origin}${base}/proxy/3000/` } });
	assert.equal(denied.status, 403);
	assert.equal((await get(`${base}/api/me`)).status, 200);
});

test('a prefix that ided serves itself is refused by name', () => {
	for (const path of ['/ide/', '/api/v1/', '/_static/']) {
		fs.writeFileSync(`${d.dir}/other.conf`, `base-path "${path}"\nlisten on 127.0.0.1 port 8080\n`);
		assert.throws(() => execFileSync(`${obj}/ided`, ['-n', '-f', `${d.dir}/other.conf`], { stdio: 'pipe' }),
			(e) => /other\.conf:1: expected a path that ided does not serve itself after "base-path", got "/.test(String(e.stderr)));
	}
});
