// What code-server's front does and no other test asks for: see COMPATIBILITY in ided(8).
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startDaemon } from './daemon.mjs';

let d, cookie;

before(async () => {
	d = await startDaemon({ users: ['ann'], conf: 'app-name "testnäme"\nsecurity-contact "mailto:security@example.com"' });
	cookie = await d.login('ann');
});
after(() => d?.stop());

const as = (path, headers = {}) => d.request('GET', path, { headers: { cookie, ...headers } });

test('without a login: what robots and researchers want to know', async () => {
	assert.match((await d.request('GET', '/robots.txt')).body, /User-agent: \*\nDisallow: \//);
	for (const path of ['/security.txt', '/.well-known/security.txt']) {
		const { body } = await d.request('GET', path);
		assert.match(body, /^Contact: mailto:security@example\.com$/m);
		const until = new Date(/^Expires: (.*)$/m.exec(body)[1]) - Date.now();
		assert.ok(until > 86400e3 && until < 365 * 86400e3, 'RFC 9116, 2.5.5: it ends, within a year');
		assert.match(body, new RegExp(`^Canonical: ${d.origin}/\\.well-known/security\\.txt$`, 'm'));
	}
});

test('health: JSON, and over HTTP only', async () => {
	const r = await d.request('GET', '/healthz');
	assert.deepEqual(Object.keys(r.json), ['status', 'lastHeartbeat']);
	const ws = await d.exchange(`GET /healthz HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n` +
		'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n', { ms: 2000 });
	assert.match(ws.out, /^HTTP\/1\.1 200 [\s\S]*"lastHeartbeat"/);
});

test('the login: its title, and where to afterwards', async () => {
	assert.match((await d.request('GET', '/login')).body, /<title>testnäme login<\/title>/);
	for (const [to, where] of [['', '/'], ['?to=%2Fide%2F%3Ffolder%3D%2Fa', '/ide/?folder=/a'], ['?to=https%3A%2F%2Fevil.example', '/'], ['?to=%2F%2Fevil.example', '/']]) {
		const r = await as(`/login${to}`);
		assert.deepEqual([r.status, r.headers.location], [302, where], to);
	}
});

test('the manifest has the name, and needs no login', async () => {
	const r = await d.request('GET', '/ide/manifest.json');
	assert.equal(r.headers['content-type'], 'application/manifest+json');
	assert.deepEqual([r.json.name, r.json.start_url, r.json.display, r.json.icons.length], ['testnäme', '.', 'fullscreen', 4]);
});

test('errors: a page for browsers, JSON for others', async () => {
	const page = await as('/none');
	assert.equal(page.status, 404);
	assert.match(page.body, /<p class="status">404<\/p>/);
	const json = await as('/none', { accept: '*/*' });
	assert.deepEqual([json.status, json.json.success, json.json.error.code], [404, false, 'NOT_FOUND']);
});

test('of _static there is what pages need, and no more', async () => {
	for (const f of ['src/browser/media/favicon.ico', 'src/browser/media/pwa-icon-192.png', 'out/browser/serviceWorker.js'])
		assert.equal((await d.request('GET', `/_static/${f}`)).status, 200, f);
	assert.equal((await d.request('GET', '/_static/out/browser/serviceWorker.js')).headers['service-worker-allowed'], '/');
	for (const f of ['package.json', 'out/node/entry.js', 'lib/vscode/product.json', '../product', 'src/browser/media/'])
		assert.notEqual((await d.request('GET', `/_static/${f}`)).status, 200, f);
});

test('updates: the one that runs is the latest, with and without force', async () => {
	for (const path of ['/update/check', '/update/check?force=true', '/ide/update/check']) {
		const r = (await as(path)).json;
		assert.deepEqual([Object.keys(r).sort(), r.isLatest, r.latest], [['checked', 'current', 'isLatest', 'latest'], true, r.current]);
	}
	assert.equal((await d.request('GET', '/update/check', { headers: { accept: '*/*' } })).status, 401);
});
