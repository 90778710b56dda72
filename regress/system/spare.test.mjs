// Sandboxes that wait for their user: what they hold, that one which came of them is
// like any other, and that nothing of them is left, whoever is killed when.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { startDaemon, processes, sleep, waitFor } from './daemon.mjs';

const ROUNDS = Number(process.env.IDED_ROUNDS || 6);
const read = (file) => { try { return fs.readFileSync(file, 'latin1'); } catch { return ''; } };
const alive = (pid) => processes().some((p) => p.pid === pid);
const kill = (pid) => { try { process.kill(pid, 'SIGKILL'); } catch { /* it was faster */ } };

let d;
const isolation = (spare, n = 99) => `spare ${spare}\n\tstorage 5G by accounting\n\tmemory 256M\n\tprocesses ${n}`;
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], isolation: isolation(2) });
	d.ok(['user', 'limits', 'bob', 'memory=128M', 'processes=50']);
});
after(() => d?.stop());

const exec = (user, script) => d.ctl(['sandbox', 'exec', user, '--', 'sh', '-c', script]);
// Those of the configuration before go when they hear of it.
const reload = async (spare, n) => {
	const was = d.spares();
	d.opts.isolation = isolation(spare, n);
	d.write();
	d.ok(['reload']);
	await waitFor('the old ones to go', () => was.every((s) => !alive(s.first) && !alive(s.setup)));
};

const groups = () => d.groups().map((g) => path.basename(g));
const links = () => d.links();

const status = (pid) => Object.fromEntries(read(`/proc/${pid}/status`).split('\n').map((l) => l.split(/:\s*/)));

test('what waits is nobody: no user, no home, no way out, and rights to become one alone', async () => {
	for (const { first } of await d.spare(2)) {
		const s = status(first);
		assert.match(s.Uid, /^0\t0\t0\t0$/);
		assert.equal(s.Groups.trim(), '');
		// CAP_SETGID, CAP_SETUID, CAP_SETPCAP.
		for (const set of ['CapPrm', 'CapEff', 'CapBnd']) assert.equal(s[set], '00000000000001c0', set);
		for (const set of ['CapInh', 'CapAmb']) assert.equal(s[set], '0000000000000000', set);
		assert.equal(s.NoNewPrivs, '1');
		assert.equal(s.Seccomp, '2');
		assert.match(s.NSpid, /\t1$/);
		assert.equal(read(`/proc/${first}/oom_score_adj`), '100\n');
		// Its root is the new one, and no home is in it.
		const mounts = read(`/proc/${first}/mountinfo`).split('\n').filter(Boolean);
		assert.ok(mounts.length > 20);
		assert.ok(!mounts.some((m) => m.includes(d.data) || / \/home/.test(m)), mounts.join('\n'));
		assert.deepEqual(fs.readdirSync(`/proc/${first}/root/home`), []);
		assert.ok(!fs.existsSync(`/proc/${first}/root/etc/passwd`));
		assert.ok(!/ann|bob/.test(read(`/proc/${first}/cmdline`) + read(`/proc/${first}/environ`)));
		// Sockets, its own ruleset and event loop: no file, no folder.
		for (const fd of fs.readdirSync(`/proc/${first}/fd`)) {
			const to = fs.readlinkSync(`/proc/${first}/fd/${fd}`);
			assert.match(to, /^(socket:|pipe:|anon_inode:|\/dev\/null$)/, `${fd} ${to}`);
		}
		const inside = execFileSync('nsenter', ['-t', String(first), '-n', 'ip', '-o', 'addr'], { encoding: 'utf8' });
		assert.ok(!/inet 1(?!27)/.test(inside), inside);
		assert.equal(execFileSync('nsenter', ['-t', String(first), '-n', 'ip', 'route'], { encoding: 'utf8' }), '');
	}
	for (const l of links()) assert.match(l, /state DOWN/);
	assert.equal(new Set(groups()).size, 2);
});

// All that tells one sandbox from another, from outside and from inside.
function snapshot(user) {
	const { pid, uid } = d.sandboxes().find((s) => s.user === user);
	const s = status(pid);
	const numbers = { [pid]: 'PID', [uid]: 'UID' };
	const plain = (text) => text.replace(/\d+/g, (n) => numbers[n] ?? n);
	const of = (names) => names.map((n) => `${n} ${s[n]}`);
	const cgroup = read(`/proc/${pid}/cgroup`).trim().split('\n').map((l) => l.split(':'));
	const mounts = read('/proc/self/mounts').split('\n').map((l) => l.split(' '));
	const limits = cgroup.flatMap(([, tree, path]) => {
		const at = mounts.find((m) => tree === '' ? m[2] === 'cgroup2' : m[2] === 'cgroup' && tree.split(',').every((c) => m[3].split(',').includes(c)));
		return !at || !path.includes('/ided-') ? [] : ['memory.limit_in_bytes', 'memory.max', 'memory.swap.max', 'memory.high', 'pids.max', 'cpu.max', 'cpu.cfs_quota_us',
			'cpu.cfs_period_us', 'io.max', 'memory.oom.group'].map((f) => `${tree} ${f} ${read(`${at[1]}${path}/${f}`).trim()}`);
	});
	const inside = exec(user, `cat /proc/self/status | grep -E '^(Uid|Gid|Groups|Cap|NoNew|Seccomp|NSpid|Umask)' | grep -v NSpid
		cat /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup; cat /proc/self/mounts | sort; cat /etc/passwd /etc/group /etc/hosts /etc/hostname /etc/profile
		hostname; for f in / /home /dev /etc /run; do stat -c '%A %u %g %s %N' $f/* | grep -v /proc; done; stat -c '%a %u %g %n' /tmp /run/ide /dev/shm "$HOME" "$HOME"/*; pwd; env | sort
		ip -o addr | sed 's/if[0-9]*//'; ip route; ip -6 route; ip neigh | sort; df -i /tmp /dev/shm /run/ide | awk '{ print $2, $6 }'`);
	assert.equal(inside.status, 0, inside.err);
	return {
		process: of(['Umask', 'Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'SigIgn', 'SigBlk']).map(plain),
		limits: read(`/proc/${pid}/limits`), oom: read(`/proc/${pid}/oom_score_adj`), groups: limits,
		command: read(`/proc/${pid}/cmdline`), environment: read(`/proc/${pid}/environ`),
		descriptors: fs.readdirSync(`/proc/${pid}/fd`).map((fd) => `${fd} ${fs.readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, 'N')}`),
		mounts: read(`/proc/${pid}/mountinfo`).trim().split('\n').map((l) => l.split(' ').slice(3).join(' ').replace(/^.*?runtime/, '').replace(/master:\d+|shared:\d+/, '')).sort(),
		inside: inside.out,
		outside: execFileSync('ip', ['-o', 'addr', 'show'], { encoding: 'utf8' }).split('\n').filter((l) => l.includes(uid.toString(16).padStart(8, '0'))),
		link: links().filter((l) => l.includes(uid.toString(16).padStart(8, '0'))).map((l) => l.replace(/^\d+: |@if\d+|link-netnsid \d+/g, '')),
		routes: execFileSync('ip', ['route'], { encoding: 'utf8' }).split('\n').filter((l) => l.includes(uid.toString(16).padStart(8, '0'))),
	};
}

for (const user of ['ann', 'bob'])
	test(`one that came of a spare is in all like one that was made for ${user}`, async () => {
		for (const b of d.sandboxes()) d.ok(['sandbox', 'stop', b.user]);
		await reload(2);
		const before = await d.spare(2);
		assert.equal(exec(user, 'true').status, 0);
		const { pid, uid } = d.sandboxes().find((s) => s.user === user);
		assert.ok(before.some((s) => s.first === pid), 'it is one of those that stood ready');
		const warm = snapshot(user);
		d.ok(['sandbox', 'stop', user]);
		await reload(0);
		await waitFor('the spares to go', () => d.spares().length === 0 && groups().length === 0);
		assert.equal(exec(user, 'true').status, 0);
		const cold = snapshot(user);
		assert.deepEqual(warm, cold);
		// And it is what it should be.
		assert.ok(cold.process.includes(`Uid ${Array(4).fill('UID').join('\t')}`), cold.process.join('\n'));
		for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.ok(cold.process.includes(`${set} 0000000000000000`), set);
		const row = JSON.parse(d.ok(['-j', 'sandbox', 'show', user]));
		assert.equal(row.memory_max, (user === 'bob' ? 128 : 256) << 20);
		assert.equal(row.processes_max, user === 'bob' ? 50 : 99);
		if (cold.groups.some((g) => / pids\.max \d/.test(g))) assert.ok(cold.groups.some((g) => g.endsWith(`pids.max ${user === 'bob' ? 50 : 99}`)), cold.groups.join('\n'));
		assert.ok(cold.link.length <= 1 && cold.routes.length === cold.link.length, `${uid}`);
		d.ok(['sandbox', 'stop', user]);
	});

test('one that dies while it waits is replaced, and leaves nothing', async () => {
	for (const b of d.sandboxes()) d.ok(['sandbox', 'stop', b.user]);
	await reload(2);
	for (const which of ['first', 'setup']) {
		const was = await d.spare(2);
		// The one that is taken next: its end is found out at once.
		for (const s of was) kill(s[which]);
		await waitFor('its other half to go', () => was.every((s) => !alive(s.first) && !alive(s.setup)));
		assert.equal(exec('ann', 'echo here').out, 'here\n');
		d.ok(['sandbox', 'stop', 'ann']);
		// A new configuration has no patience with what went wrong before.
		await reload(2);
		const now = await d.spare(2);
		assert.ok(!now.some((s) => was.some((w) => w.first === s.first)));
		await waitFor('their groups to go', () => new Set(groups()).size === 2);
	}
});

test('those of an older configuration are thrown away', async () => {
	const was = await d.spare(2);
	await reload(2, 77);
	assert.ok(was.every((s) => !alive(s.first) && !alive(s.setup)));
	await d.spare(2);
	assert.equal(exec('ann', 'true').status, 0);
	assert.equal(JSON.parse(d.ok(['-j', 'sandbox', 'show', 'ann'])).processes_max, 77);
	d.ok(['sandbox', 'stop', 'ann']);
	await waitFor('the groups of the old ones to go', () => new Set(groups()).size <= 2);
});

test(`killed between two steps of a start, ${ROUNDS} times: the next one is whole, and nothing is left`, async () => {
	await reload(1);
	for (let i = 0; i < ROUNDS; i++) {
		const [s] = await d.spare(1);
		const c = spawn(`${d.obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', 'true'], { stdio: 'ignore' });
		const gone = new Promise((r) => c.on('exit', r));
		await sleep(Math.random() * 12);
		kill(i % 2 ? s.first : s.setup);
		await gone;
		await waitFor('the next one', () => exec('ann', 'test -w ~/data && ip route | grep -q default || test ! -e /sys/class/net/net0').status === 0, 20000);
		d.ok(['sandbox', 'stop', 'ann']);
		await reload(1);
	}
	await d.spare(1);
	await waitFor('what is left to go', () => new Set(groups()).size === 1 && links().length <= 1);
	assert.deepEqual(fs.readdirSync(`${d.runtime}/sandbox`), []);
});

test('isolation is killed while some wait: they end, and the next start clears what they had', async () => {
	const was = await d.spare(1);
	const old = groups();
	process.kill(d.role('isolation')[0].pid, 'SIGKILL');
	await d.ended;
	await waitFor('them to end', () => was.every((s) => !alive(s.first) && !alive(s.setup)));
	// A folder that a start left before it knew whose it is.
	fs.mkdirSync(`${d.runtime}/sandbox/${d.uids + 5}`, { mode: 0o700 });
	await d.start();
	await d.spare(1);
	await waitFor('the old groups to go', () => new Set(groups()).size === 1);
	assert.ok(old.length === 0 || /sandbox\.cleared group=/.test(d.log));
	assert.ok(!fs.existsSync(`${d.runtime}/sandbox/${d.uids + 5}`));
	assert.equal(exec('ann', 'echo here').out, 'here\n');
	assert.ok(groups().length === 0 || groups().includes(d.group('ann')));
});

test('at the end nothing is left of them', async () => {
	for (const s of d.sandboxes()) d.ok(['sandbox', 'stop', s.user]);
	const was = await d.spare(1);
	await d.stop({ keep: true });
	await waitFor('the processes to go', () => was.every((s) => !alive(s.first) && !alive(s.setup)));
	assert.deepEqual(groups(), []);
	await waitFor('the interfaces to go', () => links().length === 0);
	fs.rmSync(d.dir, { recursive: true, force: true });
	d = null;
});
