// kill -9 of any process, at any moment, round after round: service is back,
// sandboxes go on, what was written is there, and in the end nothing is left.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { startManaged, lightIde, obj, processes, sleep, waitFor } from './daemon.mjs';

const ROUNDS = Number(process.env.IDED_ROUNDS || 25);
const seed = Number(process.env.IDED_SEED || Date.now() % 1e6);
let state = seed;
const random = (n) => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return (state >>> 8) % n; };

const users = ['ann', 'bob', 'eve'];
let m, d, ide;
const written = Object.fromEntries(users.map((u) => [u, []]));

// Not one to throw: ided may be away just now.
const exec = (user, line, ms = 30000) => new Promise((resolve) => {
	const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', user, '--', 'sh', '-c', line],
		{ stdio: ['ignore', 'pipe', 'pipe'] });
	let out = '';
	c.stdout.on('data', (s) => { out += s; });
	c.stderr.on('data', (s) => { out += s; });
	const t = setTimeout(() => c.kill('SIGKILL'), ms);
	c.on('close', (status) => { clearTimeout(t); resolve({ status, out }); });
});
// One that was hit the round before may still be on its way out.
const boxes = () => Object.fromEntries(d.sandboxes().filter((s) => s.state === 'running').map((s) => [s.user, s.pid]));
const servedBy = async () => (await d.request('GET', '/healthz')).status;

// Whoever is there of a kind; what ided's own tree does not hold is found by uid.
function victim(kind) {
	const tree = processes();
	const ofUser = tree.filter((p) => p.uid >= d.uids && p.uid < d.uids + 1000);
	const own = (title) => tree.filter((p) => p.cmd === `ided: ${title}` && ours(p.pid));
	const first = Object.values(boxes());
	const list = kind === 'ide-session' ? ofUser.filter((p) => first.includes(p.pid)) :
		kind === 'IDE' ? ofUser.filter((p) => /node\/bin\/node$/.test(p.cmd)) : own(kind);
	return list[random(list.length || 1)];
}

// Of this very daemon: its log's pipe is the manager's.
function ours(pid) {
	for (const fd of [6, 2]) try {
		if (fs.readlinkSync(`/proc/${pid}/fd/${fd}`) === logPipe) return true;
	} catch { /* gone, or not open */ }
	return false;
}
let logPipe, bearer;

before(async () => {
	ide = lightIde();
	m = await startManaged({ users, idePath: ide, isolation: 'spare 1' });
	d = m.d;
	logPipe = fs.readlinkSync(`/proc/${JSON.parse(d.ok(['-j', 'status'])).pid}/fd/2`);
	bearer = (await d.login('ann')).split('=')[1];
	for (const u of users) assert.equal((await exec(u, ': > data/list')).status, 0);
	// Where it is looked for in the end, they are (control).
	assert.ok(d.groups().length === 0 || users.every((u) => d.groups().some((g) => g.endsWith(`/${d.group(u)}`))));
});
after(async () => {
	await m?.stop();
	fs.rmSync(ide, { recursive: true, force: true });
});

const kinds = ['master', 'isolation', 'auth', 'hash', 'keys', 'zygote', 'worker', 'sandbox set-up', 'ide-session', 'IDE'];

test(`${ROUNDS} rounds`, async (t) => {
	t.diagnostic(`IDED_SEED=${seed}`);
	const count = {};
	for (let i = 0; i < ROUNDS; i++) {
		const kind = kinds[random(kinds.length)];
		const user = users[random(users.length)];
		// In some rounds a sandbox is just being started, in others it is at work.
		const fresh = random(3) === 0;
		if (fresh) d.ctl(['sandbox', 'stop', user]);
		const was = boxes();
		const busy = [exec(user, `echo ${i} >> data/list && sync data/list && echo done`),
			d.request('GET', '/ide/', { headers: { authorization: `Bearer ${bearer}` } }).catch(() => null)];
		await sleep(random(60));
		const v = victim(kind);
		if (v) {
			try { process.kill(v.pid, 'SIGKILL'); } catch { /* it was faster */ }
			count[kind] = (count[kind] || 0) + 1;
		}
		const [r] = await Promise.all(busy);
		if (r.status === 0 && /done/.test(r.out)) written[user].push(String(i));
		await waitFor(`round ${i}, after ${kind}: service`, () => servedBy().then((s) => s === 200, () => false), 30000)
			.catch((e) => { throw new Error(`${e.message}\n${m.lines.slice(-5).join('\n')}\n${d.log.slice(-3000)}`); });
		await waitFor(`round ${i}, after ${kind}: a command`, async () => (await exec(user, 'true')).status === 0, 30000);
		const now = boxes();
		for (const u of users)
			if (was[u] && was[u] !== v?.pid && !(fresh && u === user))
				assert.equal(now[u], was[u], `round ${i}: ${u}'s sandbox outlives the end of ${kind}`);
	}
	t.diagnostic(Object.entries(count).map(([k, n]) => `${k} ${n}`).join(', '));
	assert.ok(Object.keys(count).length >= Math.min(kinds.length - 2, ROUNDS / 4), 'most kinds were hit');
});

test('what was written is there', async () => {
	for (const u of users) {
		const list = (await exec(u, 'cat data/list')).out.split('\n');
		for (const line of written[u]) assert.ok(list.includes(line), `${u}: round ${line}`);
	}
	assert.ok(Object.values(written).flat().length > ROUNDS / 3, 'most writes were acknowledged');
});

test('in the end nothing is left: no process, mount, control group, interface, rule, folder or device', async () => {
	await m.stop({ keep: true });
	const range = (uid) => uid >= d.uids && uid < d.uids + 1000;
	await waitFor('the last process', () => !processes().some((p) => range(p.uid) || ours(p.pid))).catch(() => {});
	assert.deepEqual(processes().filter((p) => range(p.uid) || ours(p.pid)).map((p) => `${p.pid} ${p.cmd}`), []);
	const mounts = fs.readFileSync('/proc/self/mountinfo', 'latin1').split('\n').filter((l) => l.includes(d.dir));
	assert.deepEqual(mounts, []);
	assert.deepEqual(fs.readdirSync(`${d.runtime}/sandbox`), []);
	assert.deepEqual(d.groups(), []);
	await waitFor('the interfaces to go', () => d.links().length === 0).catch(() => {});
	assert.deepEqual(d.links(), []);
	assert.ok(!spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' }).stdout?.includes(d.table), 'its rules');
	const loops = fs.readdirSync('/sys/block').filter((b) => b.startsWith('loop')).map((b) => {
		try { return fs.readFileSync(`/sys/block/${b}/loop/backing_file`, 'latin1').trim(); } catch { return ''; }
	}).filter((f) => f.startsWith(d.dir));
	assert.deepEqual(loops, []);
});
