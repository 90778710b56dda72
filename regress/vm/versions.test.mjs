// Control groups in version 1, in both, in part, and not at all.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, VmDaemon, startDaemon } from './vm.mjs';

const MB = 1 << 20;
const SHARES = ['memory', 'cpu', 'processes'];
let vm;
let d;
before(async () => { vm = await Vm.boot({ cgroup: 'none' }); });
after(() => vm?.stop());

const mount1 = (...controllers) => vm.ok(`mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup &&
	for c in ${controllers.join(' ')}; do mkdir $c && mount -t cgroup -o $c none $c || exit 1; done`);
// One with a group in it is kept by the kernel, with its controllers: isolation, which
// removes its own, may end after its master.
const umount = () => vm.ok(`cd /; until [ -z "$(ls -d /sys/fs/cgroup/*/ided-* 2>/dev/null)" ]; do sleep 0.1; done
	for m in $(awk '$2 ~ "^/sys/fs/cgroup" { print $2 }' /proc/mounts | tac); do umount $m || exit 1; done`);
const notHeld = (log) => [...log.matchAll(/isolation\.not-held what="?([\w-]+)"? why/g)].map((m) => m[1]);

// The daemon does not come up: what it said.
async function refused(opts) {
	const e = new VmDaemon(vm, opts);
	try {
		await e.start();
	} catch (err) { return err.message; }
	await e.stop();
	throw new Error('it started');
}

// Of ann's group.
const number = async () => (await vm.read(`/run/ided/sandbox/${d.uids}/group`)).trim();

async function limits(memory, cpu, pids) {
	assert.equal((await d.exec('ann', 'true')).status, 0);
	const file = async (c, name) => (await vm.ok(`cat /sys/fs/cgroup/${c}/ided-*/${await number()}/${name}`)).trim();
	assert.equal(await file('memory', 'memory.limit_in_bytes'), String(memory));
	assert.equal(await file('cpu,cpuacct', 'cpu.cfs_quota_us'), String(cpu * 1000));
	assert.equal(await file('pids', 'pids.max'), String(pids));
	const { pid } = await d.row('ann');
	for (const c of ['memory', 'cpu,cpuacct', 'pids'])
		assert.ok((await file(c, 'cgroup.procs')).split('\n').includes(String(pid)), c);
}

async function stopped() {
	await d.ok(['sandbox', 'stop', 'ann']);
	assert.equal(await vm.processesOf(d.uids, 1000), '');
	await d.stop();
	assert.equal(await vm.ok('ls -d /sys/fs/cgroup/*/ided-*/[0-9]* 2>/dev/null; true'), '', 'with those of the spares');
}

test('none: each share is named, and what requires them does not start', async () => {
	const said = await refused({});
	assert.deepEqual(notHeld(said), SHARES);
	assert.match(said, /does not hold what the configuration requires/);
	d = await startDaemon(vm, { users: ['ann'], require: 'seccomp, landlock', isolation: 'processes 32' });
	assert.deepEqual(notHeld(d.log), SHARES);
	assert.match(d.log, /isolation\.has cgroup="none"/);
	// Processes end at their number all the same.
	const r = await d.exec('ann', "echo 'x | bomb forks 0 | EAGAIN' | probe table");
	assert.match(r.out, /^ok x: EAGAIN/, r.out + r.err);
	assert.ok(Number(r.err.trim()) < 32, r.err);
	await stopped();
});

test('a machine that has too few of what users share says so', async () => {
	await vm.ok('sysctl -w fs.file-max=100000 kernel.pid_max=4000');
	const e = await startDaemon(vm, { users: [], require: 'landlock', isolation: 'processes 3000' });
	await vm.ok('sysctl -w fs.file-max=9223372036854775807 kernel.pid_max=32768');
	await e.stop();
	assert.match(e.log, /isolation\.not-held what="open files for all users" why="fs\/file-max is 100000, and one user may take \d+"/);
	assert.match(e.log, /isolation\.not-held what="process numbers for all users" why="kernel\/pid_max is 4000, and one user may take 3000"/);
});

test('version 1: every limit, out of memory, and the end', async () => {
	await mount1('memory', 'cpu,cpuacct', 'pids', 'blkio');
	d = new VmDaemon(vm, { isolation: 'memory 64M\n\tcpu 50%\n\tprocesses 40\n\tmemory-warn 99% critical 100%' });
	await d.start();
	assert.deepEqual(notHeld(d.log), []);
	assert.match(d.log, /isolation\.has cgroup="v1"/);
	await limits(64 * MB, 50, 40);
	// By the kernel, or by the watch: here the first to come.
	assert.match((await d.exec('ann', 'load memory 200 1; echo $?')).out, /(137|143)\n$/);
	assert.match((await d.exec('ann', 'cat /proc/self/cgroup')).out, /^(\d+:[\w,]+:\/\n)+(0::\/\n)?$/);
	// Up and down: memory and swap together may not be less than memory.
	for (const mb of [128, 64]) {
		d.opts.isolation = `memory ${mb}M\n\tswap ${mb / 4}M\n\tcpu 50%\n\tprocesses 40`;
		await d.write();
		await d.ok(['reload']);
		await limits(mb * MB, 50, 40);
		assert.equal((await vm.ok(`cat /sys/fs/cgroup/memory/ided-*/${await number()}/memory.memsw.limit_in_bytes`)).trim(), String(mb * 1.25 * MB));
	}
	await stopped();
});

test('rates and weights that no disk keeps are named, at a start and at a reload', async () => {
	// The homes are in memory here.
	const set = 'io-weight 200\n\tio-read 1M\n\tio-write 1M';
	const said = await refused({ isolation: set });
	assert.deepEqual(notHeld(said), ['io-weight', 'io-read', 'io-write']);
	assert.match(said, /no block device/);
	const e = new VmDaemon(vm, {});
	await e.start();
	e.opts.isolation = set;
	await e.write();
	const r = await e.ctl(['reload']);
	assert.equal(r.status, 1);
	assert.match(r.out + r.err, /isolation requires io-read, which this machine has not/);
	await e.stop();
	await d.write();
});

test('version 1 with an empty version 2 beside: that one ends a sandbox', async () => {
	await vm.ok('mkdir /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified');
	await d.start();
	assert.match(d.log, /isolation\.has cgroup="v1"/);
	await limits(64 * MB, 50, 40);
	assert.match(await vm.read(`/proc/${(await d.row('ann')).pid}/cgroup`), new RegExp(`^0::/ided-[0-9a-f]+/${await number()}$`, 'm'));
	assert.match((await d.exec('ann', 'cat /proc/self/cgroup')).out, /^(\d+:[\w,]*:\/\n)+$/);
	await stopped();
	await umount();
});

test('some in version 1 and some in version 2, and one in neither', async () => {
	await mount1('memory');
	await vm.ok('mkdir /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified');
	// Somebody has the cpu controller for himself.
	await vm.ok('mkdir /sys/fs/cgroup/cpu && mount -t cgroup -o cpu none /sys/fs/cgroup/cpu && umount /sys/fs/cgroup/cpu; true');
	d = new VmDaemon(vm, { isolation: 'memory 64M\n\tprocesses 40' });
	await d.start();
	assert.match(d.log, /isolation\.has cgroup="v1\+v2"/);
	await d.exec('ann', 'true');
	assert.equal((await vm.ok(`cat /sys/fs/cgroup/memory/ided-*/${await number()}/memory.limit_in_bytes`)).trim(), String(64 * MB));
	assert.equal((await vm.ok(`cat /sys/fs/cgroup/unified/ided-*/${await number()}/pids.max`)).trim(), '40');
	await stopped();
	await umount();
});

test('one that is missing is named alone', async () => {
	await mount1('memory', 'pids');
	assert.deepEqual(notHeld(await refused({})), ['cpu']);
	await umount();
});
