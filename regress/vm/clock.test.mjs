// The machine's clock is set back, and forward again, under a daemon that runs: what
// lasts so long lasts so long, who is logged in stays so, and the trail is one trail.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { password, waitFor } from '../system/daemon.mjs';
import { Vm, startDaemon } from './vm.mjs';

const DAYS = 10;
const file = '/var/log/audit.log';
let vm;
let d;
let cookie;
let token;
let page;
const json = { accept: 'application/json', 'content-type': 'application/json' };
const records = async (...args) => (await d.ok(['-j', 'audit', 'query', '-n', '1000', ...args])).split('\n').filter(Boolean)
	.map((l) => JSON.parse(l)).filter((r) => r.seq);
const status = async (headers) => (await d.request('GET', '/api/auth/me', { headers: { ...json, ...headers } })).status;
const withToken = (t) => ({ authorization: `Bearer ${t}` });
const login = (username, pw) => d.request('POST', '/api/auth/login', { headers: json, body: JSON.stringify({ username, password: pw }) });
const set = (days) => vm.ok(`date -s @$(($(date +%s) + ${days * 86400}))`);
const aside = async () => (await vm.ok(`ls ${file}-* 2>/dev/null || true`)).split('\n').filter(Boolean);

async function query(cursor) {
	const r = await d.request('GET', `/api/admin/audit?limit=3${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, { headers: { ...json, cookie } });
	assert.equal(r.status, 200, r.body);
	return { seqs: r.json.data.items.map((x) => x.seq), cursor: r.json.data.next };
}

before(async () => {
	vm = await Vm.boot();
	await vm.ok('mkdir -p /var/log');
	d = await startDaemon(vm, { users: ['ann'], logins: '3 per 30s', auth: 'token access 15s refresh 1h',
		extra: `audit { file "${file}" rotate daily keep 3\n\tstore keep 30d }` });
	await d.addUser('chief', 'admin');
	cookie = await d.login('chief');
	token = (await login('ann', password)).json.data;
	page = await query();
});
after(() => vm?.stop());

test('set back: who is logged in stays so, and what has an end comes to it', async () => {
	// A window that is full, and what is said of activity.
	await waitFor('the limit', async () => (await login('nobody', 'x')).status === 429, 90000, 0);
	assert.equal((await d.request('GET', '/healthz', { headers: json })).json.status, 'alive');
	await set(-DAYS);
	assert.equal(await status({ cookie }), 200);
	const fresh = await d.request('POST', '/api/auth/refresh', { headers: json, body: JSON.stringify({ refreshToken: token.refreshToken }) });
	assert.equal(fresh.status, 200, fresh.body);
	const { accessToken } = fresh.json.data;
	assert.equal(await status(withToken(accessToken)), 200);
	// Of a time that is past: neither stays as it was when the clock was set.
	await waitFor('the window to empty', async () => (await login('ann', password)).status === 200, 90000, 1000);
	await waitFor('the token to expire', async () => (await status(withToken(accessToken))) === 401, 60000, 1000);
	assert.equal(await status({ cookie }), 200);
});

test('the trail goes on in its order, says what the clock did, and is whole', async () => {
	const all = (await records()).reverse();
	assert.deepEqual(all.map((r) => r.seq), all.map((_, i) => all[0].seq + i));
	const steps = all.filter((r) => r.event === 'audit.clock');
	assert.equal(steps.length, 1);
	assert.ok(Math.abs(steps[0].detail.by_ms + DAYS * 86400000) < 60000, JSON.stringify(steps[0]));
	assert.ok(all.at(-1).time < all[0].time, 'times go back');
	// A cursor of before leads on from where it was.
	const next = await query(page.cursor);
	assert.deepEqual(next.seqs, next.seqs.map((_, i) => page.seqs.at(-1) - 1 - i));
	// By time: those of one day are found on both sides of the step.
	const day = all[0].time.slice(0, 10);
	const found = (await records('-s', day)).map((r) => r.seq);
	assert.ok(found.includes(all[0].seq) && !found.includes(all.at(-1).seq));
	const v = await d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out + v.err);
});

test('one file more, and not another one each minute', async () => {
	await waitFor('the new file', async () => (await aside()).length === 1);
	assert.equal((await records('-e', 'audit.file')).length, 2);
	// Back by a day more, which is the day before the file's: it goes on.
	await set(-1);
	await waitFor('word of it', async () => (await records('-e', 'audit.clock')).length === 2);
	assert.equal((await aside()).length, 1);
	const first = JSON.parse(await vm.ok(`head -n 1 ${file}`));
	assert.equal(first.event, 'audit.file');
	assert.ok(Date.parse(first.time) < Date.now() - (DAYS - 1) * 86400000);
});

test('auth is killed meanwhile: whoever logs in then is in, and the trail is one', async () => {
	await vm.ok(`kill -9 ${await d.pidOf('auth')}`);
	await waitFor('another one', async () => (await d.ctl(['status'])).status === 0);
	await waitFor('a login', async () => {
		try { cookie = await d.login('chief'); return true; } catch { return false; }
	}, 60000, 1000);
	assert.equal(await status({ cookie }), 200);
	const v = await d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out + v.err);
});

test('forward again: no record goes, and nobody is in for longer', async () => {
	const n = (await records())[0].seq;
	await set(DAYS + 1 + 60);
	await waitFor('word of it', async () => (await records('-e', 'audit.clock')).some((r) => r.detail.by_ms > 0));
	assert.equal(await status({ cookie }), 200);
	const all = (await records()).reverse();
	assert.equal(all[0].seq, 1, 'the oldest is there');
	assert.ok(all.at(-1).seq > n);
	assert.ok((await aside()).length <= 3);
	const v = await d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out + v.err);
});
