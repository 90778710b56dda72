// Who is there, and who only has a window open: what keeps a sandbox and a session, what
// starts a sandbox again, and what is said of it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { makeIde } from '../hostile/backend.mjs';
import { startDaemon, top, sleep, waitFor } from './daemon.mjs';

const IDLE = 4; // seconds
const SESSION = 12;
let d, e, idePath;
before(async () => {
	idePath = makeIde(`${top}/regress/system/activity-server.js`);
	d = await startDaemon({ users: ['ann', 'bob', 'cat', 'dan'], idePath, network: 'none', session: `lifetime 1h idle ${SESSION}s max 50`,
		isolation: `idle-stop ${IDLE}s\nspare 0\nstorage 1G by accounting` });
	e = await startDaemon({ users: ['eve'], idePath, network: 'none', isolation: 'idle-freeze 2s\nidle-stop 1h\nspare 0\nstorage 1G by accounting' });
});
after(async () => {
	await d?.stop();
	await e?.stop();
	if (idePath) fs.rmSync(idePath, { recursive: true, force: true });
});

const row = (user, on = d) => on.sandboxes().find((s) => s.user === user);
const page = (cookie, on = d) => on.request('GET', '/ide/', { headers: { cookie, accept: 'text/html' } });
// A browser that has loaded the page: its cookies.
async function opened(user, on = d) {
	const cookie = await on.login(user);
	const r = await page(cookie, on);
	assert.equal(r.status, 200, r.body);
	const set = [].concat(r.headers['set-cookie']).find((c) => c.startsWith('__Secure-ided-activity='));
	return { session: cookie, cookie: `${cookie}; ${set.split(';')[0]}`, page: r, set };
}
const tell = (cookie, idle, on = d) => on.request('POST', '/api/users/me/activity', { headers: { cookie, origin: on.origin,
	'content-type': 'application/json' }, body: JSON.stringify({ idle }) });

// The workbench's WebSocket, over which something is said all the time.
async function chatter(cookie, { reconnection = false, on = d, path = '/ide/' } = {}) {
	const s = await on.raw();
	let got = '', closed = false;
	s.on('data', (b) => { got += b.toString('latin1'); });
	s.on('close', () => { closed = true; });
	s.on('error', () => {});
	s.write(`GET ${path}?reconnectionToken=1&reconnection=${reconnection} HTTP/1.1\r\nHost: localhost:${on.port}\r\nCookie: ${cookie}\r\n` +
		`Origin: ${on.origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
		`Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`);
	await waitFor('an answer', () => got.includes('\r\n\r\n') || closed, 15000);
	const status = Number(/^HTTP\/1.1 (\d+)/.exec(got)?.[1]);
	const timer = setInterval(() => { if (status === 101 && !closed) s.write(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])); }, 100).unref();
	return { status, said: () => got, closed: () => closed, end: () => { clearInterval(timer); s.destroy(); } };
}

test("the workbench's page tells: it has the script, and the browser is known by a cookie", async () => {
	const { page: r, set } = await opened('ann');
	assert.match(r.body, /<\/html>\n<script src="\/_static\/activity\.js"><\/script>\n$/);
	assert.match(set, /^__Secure-ided-activity=1; Secure; HttpOnly; SameSite=Lax; Path=\/ide\/$/);
	const script = await d.request('GET', '/_static/activity.js');
	assert.equal(script.status, 200);
	assert.match(script.headers['content-type'], /^text\/javascript/);
	// Nothing else that the IDE answers has either.
	const other = await d.request('GET', '/ide/text', { headers: { cookie: await d.login('ann') } });
	assert.equal(other.body, '<!DOCTYPE html><html><body></body></html>\n');
	assert.ok(![].concat(other.headers['set-cookie'] ?? []).some((c) => c.includes('activity')));
});

test('what a page tells: a number of seconds, of a user, with all that a call of the API needs', async () => {
	const { cookie } = await opened('ann');
	assert.equal((await tell(cookie, 0)).status, 200);
	assert.equal((await tell(cookie, 4294967295)).status, 200);
	for (const idle of [-1, 4294967296, 1.5, '1', null, [], {}]) {
		const r = await tell(cookie, idle);
		assert.equal(r.status, 400, JSON.stringify(idle));
		assert.match(r.body, /"field":"idle"/);
	}
	assert.equal((await tell('', 0)).status, 401);
	const foreign = await d.request('POST', '/api/users/me/activity', { headers: { cookie, origin: 'https://other.example',
		'content-type': 'application/json' }, body: '{"idle":0}' });
	assert.equal(foreign.status, 403);
});

test('a window that was forgotten keeps nothing on, however much it says; and it starts nothing', { timeout: 90000 }, async () => {
	const { cookie, session } = await opened('bob');
	const tab = await chatter(cookie);
	assert.equal(tab.status, 101);
	const r = row('bob');
	assert.equal(r.why, 'activity');
	assert.equal(r.stops, Math.max(r.active, r.worked) + IDLE);
	await waitFor('the idle stop', () => !row('bob'), 30000, 200);
	await d.says(/sandbox\.idle user="bob"/);
	await waitFor('its end', () => tab.closed());
	tab.end();
	// The window comes back by itself, again and again.
	for (let i = 0; i < 3; i++) {
		const again = await chatter(cookie, { reconnection: true });
		assert.equal(again.status, 503);
		assert.match(again.said(), /your environment is not running, as nobody used it: reload the page to start it/);
		again.end();
	}
	// So does a page that waits.
	const waits = await d.request('GET', '/ide/', { headers: { cookie, accept: '*/*', 'x-ided-waits': '3' } });
	assert.deepEqual([waits.status, waits.headers['x-ided-waits']], [503, '1']);
	assert.equal(row('bob'), undefined);
	// Why, its user is told.
	const start = await d.request('GET', '/', { headers: { cookie: session } });
	assert.match(start.body, /Your environment is not running\. It starts when you open VS Code\. It was stopped (just now|a moment ago|\d+ \w+ ago), as nobody used it\./);
	const usage = (await d.request('GET', '/api/users/me/usage', { headers: { cookie: session, accept: 'application/json' } })).json.data;
	assert.equal(usage.why, 'idle');
	assert.ok(Math.abs(Date.parse(usage.ended) - Date.now()) < 60000);
	// Somebody is back: what the window asks is his.
	assert.equal((await tell(cookie, 0)).status, 200);
	const back = await chatter(cookie, { reconnection: true });
	assert.equal(back.status, 101);
	assert.equal(row('bob').why, 'activity');
	back.end();
});

test('who is there is not stopped: what pages tell, and WebSockets of browsers that tell nothing', { timeout: 90000 }, async () => {
	const { cookie } = await opened('cat');
	const plain = await d.login('dan');
	const tab = await chatter(cookie), old = await chatter(plain);
	assert.deepEqual([tab.status, old.status], [101, 101]);
	await waitFor('it to be known', () => row('dan').why === 'connection');
	const { active } = row('cat');
	const telling = setInterval(() => tell(cookie, 0), 1000);
	try {
		await waitFor('longer than idle-stop', () => row('cat')?.active > active + 2 * IDLE, 60000, 300);
		assert.deepEqual([row('dan').why, row('dan').stops, row('dan').connections], ['connection', 0, 1]);
		const start = await d.request('GET', '/', { headers: { cookie: plain } });
		assert.match(start.body, /It stays on, as a page or a program is connected that does not tell whether you are there\./);
		assert.ok(!tab.closed() && !old.closed());
	} finally {
		clearInterval(telling);
		tab.end();
		old.end();
	}
	await waitFor('their end', () => !row('cat') && !row('dan'), 30000, 300);
});

test('a session ends when nobody was there for so long, whatever its windows say', { timeout: 90000 }, async () => {
	const { cookie, session } = await opened('ann');
	const other = await opened('ann');
	const tab = await chatter(cookie);
	const telling = setInterval(() => tell(other.cookie, 0), 1000);
	try {
		await waitFor('the end of the session', () => tab.closed(), (SESSION + 20) * 1000, 200);
	} finally { clearInterval(telling); tab.end(); }
	assert.equal((await d.request('GET', '/api/me', { headers: { cookie: session } })).status, 401);
	assert.equal((await d.request('GET', '/api/me', { headers: { cookie: other.session } })).status, 200, 'who was there is not logged out');
});

test('a window that was forgotten does not keep a sandbox from its sleep, nor wake it; who comes back does', { timeout: 90000 }, async () => {
	const { cookie } = await opened('eve', e);
	const tab = await chatter(cookie, { on: e });
	const { pid } = row('eve', e);
	await waitFor('the freeze', () => row('eve', e).state === 'frozen', 30000, 200);
	const again = await chatter(cookie, { on: e, reconnection: true });
	assert.equal(again.status, 503);
	assert.match(again.said(), /your environment sleeps, as nobody used it: do something in the page to wake it/);
	again.end();
	assert.equal(row('eve', e).state, 'frozen');
	assert.equal((await tell(cookie, 60, e)).status, 200);
	await sleep(300);
	assert.equal(row('eve', e).state, 'frozen', 'of a page where nothing was done');
	assert.equal((await tell(cookie, 0, e)).status, 200);
	await waitFor('it to wake', () => row('eve', e).state === 'running');
	assert.equal(row('eve', e).pid, pid);
	assert.ok(!tab.closed(), 'the window has its connection');
	tab.end();
});
