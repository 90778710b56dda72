// Limits of roles and users: what is in effect is what the kernel was told, at
// the start of a sandbox and after a reload, and through a restart of ided.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { obj, startDaemon, waitFor } from './daemon.mjs';

const G = 1 << 30, M = 1 << 20;
const limits = (ann) => `
limits role "user" { memory 512M cpu 50% processes 64 }
limits role "operator" { memory 1G }
limits user "ann" { ${ann} }
`;
let d;
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], isolation: 'memory 2G\ncpu 200%\nprocesses 256',
		conf: limits('processes 128') });
	d.addUser('otto', 'operator');
	d.addUser('root1', 'admin');
});
after(() => d?.stop());

// What the kernel was told, by the group that a process is in.
function kernel(user) {
	const { pid } = d.sandboxes().find((s) => s.user === user);
	const lines = fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n').map((l) => l.split(':'));
	const mounts = fs.readFileSync('/proc/self/mounts', 'utf8').trim().split('\n').map((l) => l.split(' '));
	const read = (controller, v1, v2) => {
		const one = lines.find((l) => l[1].split(',').includes(controller));
		const m = one ? mounts.find((x) => x[2] === 'cgroup' && x[3].split(',').includes(controller))
			: mounts.find((x) => x[2] === 'cgroup2');
		const group = (one || lines.find((l) => l[1] === ''))[2];
		return fs.readFileSync(path.join(m[1], group, one ? v1 : v2), 'utf8').trim();
	};
	const quota = read('cpu', 'cpu.cfs_quota_us', 'cpu.max').split(' ')[0];
	return { memory: Number(read('memory', 'memory.limit_in_bytes', 'memory.max')),
		cpu: Number(quota) / 1000, processes: Number(read('pids', 'pids.max', 'pids.max')) };
}
const shown = (user) => {
	const s = JSON.parse(d.ok(['-j', 'sandbox', 'show', user]));
	return { memory: s.memory_max, cpu: s.cpu_max, processes: s.processes_max };
};
const start = (user) => d.ok(['sandbox', 'exec', user, '--', 'true']);
const check = (user, want) => {
	assert.deepEqual(kernel(user), want, `${user}: the kernel`);
	assert.deepEqual(shown(user), want, `${user}: idectl`);
};

test('a user\'s own limit, then the role\'s, then everybody\'s', () => {
	for (const u of ['ann', 'bob', 'otto', 'root1']) start(u);
	check('ann', { memory: 512 * M, cpu: 50, processes: 128 });
	check('bob', { memory: 512 * M, cpu: 50, processes: 64 });
	check('otto', { memory: G, cpu: 200, processes: 256 });
	check('root1', { memory: 2 * G, cpu: 200, processes: 256 });
});

test('of a sandbox that does not run, they are shown as well', () => {
	d.addUser('zoe');
	assert.deepEqual(shown('zoe'), { memory: 512 * M, cpu: 50, processes: 64 });
});

test('what is used of them is told to whose it is, and to who may look', async () => {
	const ask = async (cookie, path) => (await d.request('GET', `/api/${path}`, { headers: { cookie, accept: 'application/json' } })).json.data;
	const [ann, root1] = [await d.login('ann'), await d.login('root1')];
	const before = await ask(ann, 'users/me/usage');
	// A process more, with some work behind it and 40 MB.
	const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', 'bash', '-c',
		"x=$(head -c 40000000 /dev/zero | tr '\\0' x); for ((i = 0; i < 150000; i++)); do :; done; echo there; read"], { stdio: ['pipe', 'pipe', 'ignore'] });
	try {
		await new Promise((r) => c.stdout.once('data', r));
		const u = await ask(ann, 'users/me/usage');
		assert.deepEqual([u.username, u.state, u.memoryMax, u.cpuMax, u.processesMax], ['ann', 'running', 512 * M, 50, 128]);
		assert.ok(u.cpuMicroseconds - before.cpuMicroseconds >= 100000, `${before.cpuMicroseconds} ${u.cpuMicroseconds}`);
		assert.ok(u.memory - before.memory >= 35 * M && u.memory <= 512 * M, `${before.memory} ${u.memory}`);
		assert.equal(u.processes - before.processes, 1);
		const row = (await ask(root1, 'admin/sandboxes')).items.find((s) => s.username === 'ann');
		assert.ok(row.cpuMicroseconds >= u.cpuMicroseconds && row.memory >= 35 * M && row.processes === u.processes, JSON.stringify(row));
		assert.deepEqual((await ask(root1, 'admin/sandboxes')).items.map((s) => s.username), ['ann', 'bob', 'otto', 'root1']);
	} finally { c.stdin.end(); }
});

test('a reload gives them to what runs, higher and lower', () => {
	d.write(limits('processes 32 memory 1G'));
	d.ok(['reload']);
	check('ann', { memory: G, cpu: 50, processes: 32 });
	check('bob', { memory: 512 * M, cpu: 50, processes: 64 });
	// As many processes as that, and not one more.
	const count = (n) => d.ctl(['sandbox', 'exec', 'ann', '--', 'sh', '-c',
		`i=0; while [ $i -lt ${n} ]; do sleep 60 & p="$p $!"; i=$((i + 1)); done; echo $p | wc -w; kill $p`]);
	const few = count(20);
	assert.equal(few.status, 0, few.err);
	assert.notEqual(count(40).status, 0);
	d.write(limits('processes 200 memory 1G'));
	d.ok(['reload']);
	check('ann', { memory: G, cpu: 50, processes: 200 });
	const many = count(100);
	assert.equal(many.status, 0, many.err);
	assert.equal(many.out.trim(), '100');
});

test('a bad reload changes none of them', () => {
	d.write(limits('processes 1'));
	const r = d.ctl(['reload']);
	assert.equal(r.status, 1);
	assert.match(r.err + r.out, /expected a number from 16 to 1000000 after "processes", got "1"/);
	check('ann', { memory: G, cpu: 50, processes: 200 });
	d.write(limits('processes 200 memory 1G'));
});

test('a new ided gives its own configuration to those that it finds', async () => {
	d.child.kill('SIGTERM');
	await d.ended;
	d.write(limits('processes 77'));
	await d.start();
	await waitFor('adoption', () => d.sandboxes().length === 4);
	check('ann', { memory: 512 * M, cpu: 50, processes: 77 });
	check('bob', { memory: 512 * M, cpu: 50, processes: 64 });
	check('otto', { memory: G, cpu: 200, processes: 256 });
});
