// A VS Code that ends while it starts: whoever opens it is told why by a page that
// looks again, it is started for nobody else, and it is there when it is mended.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { sleep, startDaemon, top, waitFor } from './daemon.mjs';
import { makeIde } from '../hostile/backend.mjs';

let d, cookie, idePath;
before(async () => {
	idePath = makeIde(`${top}/regress/system/broken-ide.js`);
	d = await startDaemon({ users: ['ann'], idePath });
	cookie = await d.login('ann');
}, { timeout: 60000 });
after(async () => {
	await d?.stop();
	if (idePath) fs.rmSync(idePath, { recursive: true, force: true });
});

const open = (headers = {}) => d.request('GET', '/ide/?ew=true', { headers: { cookie, ...headers } });
const starts = () => { try { return fs.readFileSync(`${d.home('ann')}/starts`, 'utf8').trim().split('\n').length; } catch { return 0; } };

test('a page says why, and looks again; programs are told when to', { timeout: 60000 }, async () => {
	const r = await open({ accept: 'text/html' });
	assert.equal(r.status, 503, r.body);
	assert.match(r.body, /ended while it started: see logs\/ide\.log/);
	assert.match(r.body, /<a class="button" href="">Look again now<\/a>/);
	// By a script, and no sooner than there is something to see.
	assert.match(r.body, /<p id="wait" role="status" aria-live="polite"/);
	assert.match(r.body, /<script src="\/_static\/wait\.js\?v=[0-9a-f]{16}">/);
	assert.deepEqual([r.headers.refresh, r.headers['x-ided-waits']], [undefined, undefined]);
	assert.equal(r.headers['retry-after'], '5');
	assert.match(r.headers['cache-control'], /no-store/);
	const json = await open({ accept: '*/*' });
	assert.deepEqual([json.status, json.json.error.code, json.headers['x-ided-waits']], [503, 'SESSION_UNAVAILABLE', undefined]);
	const asked = await open({ accept: '*/*', 'x-ided-waits': '3' });
	assert.deepEqual([asked.status, asked.headers['x-ided-waits']], [503, '1'], 'wait on');
	// What is not waited for: nobody is logged in any more, there is no such page.
	for (const [path, headers, status] of [['/ide/?ew=true', {}, 401], ['/none', { cookie }, 404]]) {
		const other = await d.request('GET', path, { headers: { accept: '*/*', 'x-ided-waits': '3', ...headers } });
		assert.deepEqual([other.status, other.headers['x-ided-waits']], [status, undefined], path);
	}
});

test('it is started for who asks, and not for nobody', { timeout: 60000 }, async () => {
	const before = starts();
	assert.ok(before >= 1);
	// Once it would have been started again after 0.2, 0.4, 0.8 s and so on.
	await sleep(2000);
	assert.equal(starts(), before);
	// Many who ask at once are one reason.
	const all = await Promise.all(Array.from({ length: 10 }, () => open({ accept: 'text/html' })));
	assert.deepEqual([...new Set(all.map((r) => r.status))], [503]);
	assert.ok(starts() - before <= 3, `${starts() - before} starts for ten at once`);
});

test('mended, it is there for the next who asks', { timeout: 90000 }, async () => {
	fs.writeFileSync(`${d.home('ann')}/mended`, '');
	const r = await waitFor('VS Code', async () => {
		const x = await open({ accept: 'text/html' });
		return x.status === 200 ? x : null;
	}, 60000, 300);
	assert.equal(r.body, 'mended');
});
