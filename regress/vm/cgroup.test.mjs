// Control groups in version 2: what each sandbox is held to, and its end.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, startDaemon } from './vm.mjs';
import { Disk } from './disk.mjs';
import { waitFor } from '../system/daemon.mjs';

const MB = 1 << 20;
const MEMORY = 96 * MB, PROCESSES = 64;
let vm;
let d;
let disk;
let group; // of ided, with one below for each user
before(async () => {
	vm = new Vm();
	disk = new Disk(`${vm.dir}/disk`, 192);
	await disk.listen();
	vm.opts = { disks: [disk] };
	await vm.start();
	// Weights take a scheduler that heeds them.
	await vm.ok('echo bfq >/sys/block/vda/queue/scheduler && mount /dev/vda /var/ided && chmod 0711 /var/ided');
	// Of what is scarce no sandbox takes one: their alarms are to come all the same.
	await vm.ok('echo 0 >/proc/sys/fs/inotify/max_user_instances');
	d = await startDaemon(vm, { isolation: `memory ${MEMORY / MB}M
	cpu 50%
	processes ${PROCESSES}
	io-weight 300
	io-read 20M
	io-write 10M` });
	group = (await vm.ok('ls -d /sys/fs/cgroup/ided-*')).trim();
});
after(async () => {
	disk?.close();
	await vm?.stop();
});

// Groups have numbers, and whose each is stands in the sandbox's folder.
const number = async (user) => (await vm.read(`/run/ided/sandbox/${d.uids + (user === 'ann' ? 0 : 1)}/group`)).trim();
const file = async (user, name) => vm.read(`${group}/${await number(user)}/${name}`);
const exec = (user, script) => d.exec(user, script);
const empty = () => waitFor('the groups to go', async () =>
	// But for those of the two spares.
	Number(await vm.ok(`ls -d ${group}/[0-9]* 2>/dev/null | wc -l`)) <= 2, 60000);

test('nothing is named as not held but what Landlock has not', () => {
	const lines = [...d.log.matchAll(/isolation\.not-held what=("[^"]*"|\S+)/g)].map((m) => m[1]);
	assert.ok(lines.every((l) => /Landlock/.test(l)), lines.join());
	assert.match(d.log, /isolation\.has cgroup="v2"/);
});

test('each sandbox has a group of its own, with every limit', async () => {
	for (const user of ['ann', 'bob']) {
		const r = await exec(user, 'true');
		assert.equal(r.status, 0, r.err);
		assert.equal(await file(user, 'memory.max'), String(MEMORY));
		assert.equal(await file(user, 'memory.swap.max'), '0');
		assert.equal(await file(user, 'memory.oom.group'), '0');
		assert.equal(await file(user, 'cpu.max'), '50000 100000');
		assert.equal(await file(user, 'pids.max'), String(PROCESSES));
		assert.match(await file(user, 'io.bfq.weight'), /^default 300|^300/);
		assert.match(await file(user, 'io.max'), /^\d+:\d+ rbps=20971520 wbps=10485760/);
		const { pid } = await d.row(user);
		assert.ok((await file(user, 'cgroup.procs')).split('\n').includes(String(pid)));
	}
	// All of a user's processes are there: none stands at the top.
	assert.equal(await vm.read(`${group}/cgroup.procs`), '');
	for (const uid of [d.uids, d.uids + 1]) {
		const pids = (await vm.processesOf(uid)).match(/^\d+/gm);
		const number = (await vm.read(`/run/ided/sandbox/${uid}/group`)).trim();
		assert.equal(await vm.ok(`for p in ${pids.join(' ')}; do grep -q '/${number}$' /proc/$p/cgroup || ! test -e /proc/$p || echo $p; done`), '');
	}
});

test('inside, nothing tells where the group stands, and none is to be seen', async () => {
	const r = await exec('ann', 'cat /proc/self/cgroup; ls /sys 2>&1; mount -t cgroup2 none /tmp 2>&1');
	assert.match(r.out, /^0::\/\n/);
	assert.doesNotMatch(r.out, /ided-|\/\d{6}/);
	assert.match(r.out, /No such file/);
	assert.match(r.out, /(not permitted|denied|must be superuser)/);
});

test('nearly out of memory: slowed down, told to isolation, and the largest process ends', async () => {
	assert.equal(await file('ann', 'memory.high'), String(Math.floor(Math.floor(MEMORY / 100) * 95 / 4096) * 4096));
	const r = await exec('ann', 'load memory 400 60; echo $?');
	assert.match(r.out, /143\n$/, JSON.stringify(r));
	assert.match(await file('ann', 'memory.events'), /oom_kill 0/, 'the kernel had not to');
});

test('out of memory: the process that took it ends, and nothing else', async () => {
	// Nobody looks any more, and there is no mark before it.
	d.opts.isolation += '\n\tmemory-warn 85% critical 95% every 1h';
	await d.write();
	await d.ok(['reload']);
	await vm.ok(`echo max >${group}/${await number('ann')}/memory.high`);
	const before = await d.row('ann');
	const keep = exec('ann', 'until test -e /tmp/go; do sleep 0.2; done; echo lived');
	const r = await exec('ann', 'load memory 400 1; echo $?');
	assert.match(r.out, /137\n$/, r.out + r.err);
	assert.match(await file('ann', 'memory.events'), /oom_kill [1-9]/);
	assert.equal((await d.row('ann')).pid, before.pid, 'its first process lives');
	assert.equal((await exec('bob', 'echo here')).out, 'here\n');
	assert.match(await file('bob', 'memory.events'), /oom_kill 0/);
	await exec('ann', 'touch /tmp/go');
	assert.equal((await keep).out, 'lived\n', 'and so does another of the same user');
});

test('who ends first is no choice of a program', async () => {
	const score = async (pid) => Number(await vm.read(`/proc/${pid}/oom_score_adj`));
	const { pid } = await d.row('ann');
	const first = await score(pid);
	const r = await exec('ann', 'cat /proc/self/oom_score_adj; for n in -1000 -500 0 99; do echo $n >/proc/self/oom_score_adj; done; cat /proc/self/oom_score_adj');
	const [start, end] = r.out.trim().split('\n').map(Number);
	assert.ok(start > first, 'programs end before the first process');
	assert.ok(end >= first && first > 0, `${end}: none goes below the first, nor below a process of the system`);
	for (const title of ['isolation', 'auth', 'keys', 'master'])
		assert.ok(await score(await d.pidOf(title)) < 0, `${title} is not the one to end`);
});

test('files in memory cannot take all of it', async () => {
	const before = await d.row('ann');
	const r = await exec('ann', `for d in /tmp /dev/shm /run/ide; do dd if=/dev/zero of=$d/fill bs=1M 2>/dev/null; done
		load memory 8 0; rm -f /tmp/fill /dev/shm/fill /run/ide/fill`);
	assert.equal(r.out, 'ok\n', r.err);
	assert.equal((await d.row('ann')).pid, before.pid);
});

test('processor time ends where it must', async () => {
	await exec('ann', 'load spin 4 0');
	const used = async () => Number(/usage_usec (\d+)/.exec(await file('ann', 'cpu.stat'))[1]);
	const u = await used();
	const t = Date.now();
	await exec('ann', 'load spin 4 4');
	const share = ((await used()) - u) / 1000 / (Date.now() - t);
	assert.ok(share < 0.6, `${share.toFixed(2)} of a processor, 0.5 is the limit`);
	assert.match(await file('ann', 'cpu.stat'), /nr_throttled [1-9]/);
});

test('processes end at their number', async () => {
	const r = await exec('ann', "echo 'x | bomb forks 1 | EAGAIN' | probe table");
	assert.match(r.out, /^ok x: EAGAIN/, r.out + r.err);
	const n = Number(r.err.trim()); // how many there were
	assert.ok(n > 10 && n < PROCESSES, r.err);
	assert.equal((await exec('bob', 'echo here')).out, 'here\n');
});

test('writing to the disk takes its time', async () => {
	const t = Date.now();
	// 15 MB at 10 MB a second; the cache is passed by.
	const r = await exec('ann', 'dd if=/dev/zero of=/home/ann/data/big bs=1M count=15 oflag=direct 2>&1');
	assert.equal(r.status, 0, r.out);
	assert.ok(Date.now() - t > 1000, `${Date.now() - t} ms`);
	const stat = await file('ann', 'io.stat');
	assert.ok(Number(/wbytes=(\d+)/.exec(stat)[1]) >= 15 * MB, stat);
	await exec('ann', 'rm /home/ann/data/big');
});

test('a new configuration holds for those that run', async () => {
	d.opts.isolation = `memory ${(MEMORY / MB) * 2}M
	swap 16M
	cpu 75%
	processes ${PROCESSES * 2}`;
	await d.write();
	await d.ok(['reload']);
	assert.equal(await file('ann', 'memory.max'), String(MEMORY * 2));
	assert.equal(await file('ann', 'memory.swap.max'), String(16 * MB));
	assert.equal(await file('ann', 'cpu.max'), '75000 100000');
	assert.equal(await file('ann', 'pids.max'), String(PROCESSES * 2));
	assert.equal(await file('ann', 'io.max'), '');
	assert.match(await file('ann', 'io.bfq.weight'), /^default 100|^100/);
});

test('stopped: all of it is killed at once, and no group is left', async () => {
	// What hears neither TERM nor HUP, is stopped, or makes new ones all the time.
	const left = exec('ann', `trap '' TERM HUP
		sleep 1000 & kill -STOP $!
		(trap '' TERM HUP; while :; do sleep 0.01 & done) 2>/dev/null & wait`);
	await waitFor('them to run', async () => (await d.row('ann')).processes > 5, 60000);
	await d.ok(['sandbox', 'stop', 'ann']);
	await left;
	await d.ok(['sandbox', 'stop', 'bob']);
	await empty();
	assert.equal(await vm.processesOf(d.uids, 1000), '');
	assert.equal(await vm.ok('grep -c /run/ided/sandbox /proc/mounts || true'), '0\n');
});

test('ided stopped: its own group goes too', async () => {
	await d.stop();
	assert.equal((await vm.run(`test -e ${group}`)).status, 1);
});
