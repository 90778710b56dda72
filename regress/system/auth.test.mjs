// auth is killed in the middle of logins, again and again: it is back at once, sessions
// live on, and nobody gets in who should not.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startManaged, password, processes, sleep, waitFor } from './daemon.mjs';

const KILLS = Math.max(50, Number(process.env.IDED_ROUNDS || 0));

let m, d;
before(async () => { m = await startManaged({ users: ['ann', 'bob'], prefork: 'spare 8' }); d = m.d; });
after(() => m?.stop());

// Of this very daemon: its log is a pipe of the manager's, whichever master there is.
function auth() {
	const pipe = fs.readlinkSync(`/proc/${JSON.parse(d.ok(['-j', 'status'])).pid}/fd/2`);
	return processes().filter((p) => p.cmd === 'ided: auth').filter((p) => {
		try { return fs.readlinkSync(`/proc/${p.pid}/fd/6`) === pipe; } catch { return false; }
	});
}

let sources = 0;
const from = () => { const n = ++sources; return `127.9.${n >> 8}.${n & 255}`; };
const cookieOf = (r) => (r?.headers['set-cookie'] || []).map((s) => s.split(';')[0])
	.find((s) => /^__Host-ided=[0-9a-f]{64}$/.test(s));

// What comes of a login: 'in', or why not.
async function attempt(username, pw) {
	const r = await d.post('/login', { username, password: pw }, { localAddress: from() })
		.catch((e) => e.code || e.message);
	if (typeof r === 'string') return { what: r };
	return cookieOf(r) ? { what: 'in', cookie: cookieOf(r), status: r.status } : { what: r.status };
}

const portal = (cookie) => d.request('GET', '/', { headers: { cookie } }).then((r) => r.status, (e) => e.code);

test(`kill -9 of auth during logins, ${KILLS} times`, { timeout: 900000 }, async (t) => {
	const first = cookieOf(await d.post('/login', { username: 'ann', password }));
	assert.ok(first);
	const acknowledged = [];
	const away = [];
	const counts = {};
	for (let i = 0; i < KILLS; i++) {
		const [victim] = await waitFor('auth', () => { try { const a = auth(); return a.length && a; } catch { return null; } });
		const tries = [['bob', password], ['bob', 'Wrong-Horse-7'], ['ann', ''], ['nobody', password],
			['bob', password]].map(([u, p]) => attempt(u, p).then((r) => ({ ...r, right: u === 'bob' && p === password })));
		await sleep(Math.random() * 120);
		process.kill(victim.pid, 'SIGKILL');
		const at = Date.now();
		// A session that is there is found again.
		await waitFor(`round ${i}: the session`, async () => {
			const s = await portal(first);
			assert.notEqual(s, 302, `round ${i}: the session is gone`);
			return s === 200;
		}, 30000, 20);
		away.push(Date.now() - at);
		for (const r of await Promise.all(tries)) {
			const key = `${r.right ? 'right' : 'wrong'}: ${r.what}`;
			counts[key] = (counts[key] || 0) + 1;
			if (r.what === 'in') assert.ok(r.right, `round ${i}: a wrong password was let in`);
			else assert.ok(typeof r.what === 'string' || r.what >= 400, `round ${i}: ${r.what}`);
			// Only a session that exists is an answer.
			if (r.what === 'in') acknowledged.push(r.cookie);
		}
	}
	away.sort((a, b) => a - b);
	t.diagnostic(`back after ${away[away.length >> 1]} ms in the middle, ${away.at(-1)} ms at worst; ` +
		`ided was started again ${m.count('ready') - 1} times`);
	t.diagnostic(Object.entries(counts).map(([k, n]) => `${k} ${n}`).sort().join(', '));
	assert.ok(acknowledged.length > 0, 'somebody got in');
	// Not more than a user may have at a time: the oldest made room.
	for (const cookie of acknowledged.slice(-20)) assert.equal(await portal(cookie), 200, 'an acknowledged session is lost');
	assert.equal(await portal(first), 200);
});

test('while there is no auth nobody gets in, and nobody is let in later', { timeout: 120000 }, async () => {
	const cookie = cookieOf(await d.post('/login', { username: 'ann', password }));
	const [victim] = auth();
	process.kill(victim.pid, 'SIGSTOP');
	const waits = [attempt('bob', password), attempt('bob', 'Wrong-Horse-7')];
	const page = d.request('GET', '/', { headers: { cookie } }).then((r) => r.status, (e) => e.code);
	await sleep(1000);
	process.kill(victim.pid, 'SIGKILL');
	const [right, wrong] = await Promise.all(waits);
	assert.notEqual(wrong.what, 'in');
	assert.ok(right.what === 'in' || typeof right.what === 'string' || right.what >= 400, `${right.what}`);
	if (right.what === 'in') assert.equal(await portal(right.cookie), 200);
	assert.notEqual(await page, 302);
	await waitFor('the session', async () => await portal(cookie) === 200);
});
