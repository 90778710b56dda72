// The ways out that hostile/ tries on the newest kernel, on an older one: what its
// Landlock does not know, other layers must hold.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, startDaemon } from './vm.mjs';
import { names, report, results, table } from '../hostile/tables.mjs';

const users = ['ann', 'bob'];
let vm;
let d;
const values = {};
before(async () => {
	vm = await Vm.boot();
	// What is put there is put there from outside, as no volume would let it.
	d = await startDaemon(vm, { isolation: 'storage 256M by accounting' });
	const u = {};
	// Numbers of processes by which a sandbox cannot mean its own.
	await vm.ok('echo 20000 >/proc/sys/kernel/ns_last_pid');
	for (const [i, user] of users.entries()) {
		const home = `/var/ided/home/${user}/data`, uid = d.uids + i;
		u[user] = { uid, port: 4001 + i, key: `0x${i + 1}d3d` };
		assert.equal((await d.exec(user, 'true')).status, 0);
		await vm.ok(`cp /usr/bin/probe ${home}/probe; chown ${uid}:${uid} ${home}/probe
			cp /usr/bin/probe ${home}/rooted; chmod 6755 ${home}/rooted
			mknod -m 666 ${home}/node c 1 5
			echo secret >${home}/secret; chown ${uid}:${uid} ${home}/secret`);
		// Not waited for: it ends with its sandbox.
		d.exec(user, `exec /home/${user}/data/probe serve /home/${user}/data/socket ${user}-is-here ${u[user].port} ${u[user].key}`)
			.catch(() => {});
		for (;;) {
			const [, pid] = /^(\d+) probe$/m.exec(await vm.processesOf(uid)) ?? [];
			u[user].pid = Number(pid);
			if (pid && (await vm.run(`grep -q /socket /proc/${pid}/net/unix`)).status === 0) break;
		}
	}
	const pids = { master: await d.pidOf('master'), isolation: await d.pidOf('isolation') };
	for (const user of users) {
		const other = users.find((o) => o !== user);
		values[user] = { me: user, mine: u[user].uid, other, his: u[other].uid, pid: u[other].pid, port: u[other].port,
			key: u[other].key, hostport: 7, idedport: 8443, hostaddress: '10.0.2.15', data: '/var/ided', runtime: '/run/ided',
			conf: '/etc/ided.conf', tlskey: '/etc/server.key', home: `/home/${other}`, tmp: '/tmp',
			tty: '/dev/pts/7', group: '/sys/fs/cgroup', ...pids };
	}
});
after(() => vm?.stop());

const attempt = async (user, name = 'escape') => {
	const rows = table(name, values[user]);
	const r = await d.ctl(['sandbox', 'exec', user, '--', `/home/${user}/data/probe`, 'table'], `${rows.join('\n')}\n`);
	const got = results(r.out);
	for (const name of names(rows)) if (!got.has(name)) got.set(name, { ok: false, said: `no answer: ${r.err}` });
	return got;
};

test('what this kernel holds less is named at start, each by itself', () => {
	const named = [...d.log.matchAll(/isolation\.not-held what="([^"]*)" why="([^"]*)"/g)].map((m) => m[1])
		.filter((what) => what.startsWith('Landlock'));
	assert.deepEqual(named, ['Landlock for truncation', 'Landlock for TCP', 'Landlock for ioctl on devices',
		'Landlock for signals and abstract sockets']);
	assert.match(d.log, /isolation\.has cgroup="v2" landlock=2/);
});

test('ways out, both at once: every refusal is the same as on the newest kernel', async (t) => {
	const got = await Promise.all(users.map((user) => attempt(user)));
	for (const [i, user] of users.entries()) await report(t, user, got[i]);
});

test('nor is anything reached next door', async (t) => report(t, 'ann', await attempt('ann', 'next-door')));

test("no core is dumped, not even by the host's own program for them", async () => {
	await vm.ok(`printf '#!/bin/sh\\necho "$@" >>/tmp/cores\\n' >/usr/sbin/collect; chmod 755 /usr/sbin/collect
		echo '|/usr/sbin/collect %u %p' >/proc/sys/kernel/core_pattern`);
	const crash = { input: 'crash\n' };
	// Outside, for a control: the kernel runs it.
	await vm.ok('ulimit -c unlimited; probe', crash);
	await vm.ok('n=0; until [ -s /tmp/cores ]; do sleep 0.1; n=$((n + 1)); [ $n -lt 100 ]; done; grep "^0 " /tmp/cores; rm /tmp/cores');
	const r = await d.ctl(['sandbox', 'exec', 'ann', '--', '/home/ann/data/probe'], 'crash\ncrash\n');
	assert.equal(r.out, 'SIGABRT no core\nSIGABRT no core\n');
	// One more outside: what the kernel would have run before it has been run by now.
	await vm.ok('ulimit -c unlimited; probe', crash);
	await vm.ok('n=0; until [ -s /tmp/cores ]; do sleep 0.1; n=$((n + 1)); [ $n -lt 100 ]; done');
	assert.match(await vm.read('/tmp/cores'), /^0 \d+$/);
});

test('nothing was hurt by them', async () => {
	assert.equal((await d.sandboxes()).length, 2);
	for (const user of users) {
		assert.equal(await vm.read(`/var/ided/home/${user}/data/secret`), 'secret');
		assert.match(await vm.ok(`cat /proc/${values[user].pid}/status`), /^State:\s+[SR]/m);
	}
	for (const title of ['master', 'isolation']) assert.equal(await d.pidOf(title), values.ann[title]);
});

test('outside, the same uid gets other answers (control)', async (t) => {
	const rows = table('escape', values.ann);
	const r = await vm.run(`echo ann:x:${d.uids}:${d.uids}::/:/bin/sh >>/etc/passwd
		su -s /bin/sh ann -c 'probe table'`, { input: `${rows.join('\n')}\n` });
	const differ = [...results(r.out)].filter(([, { ok }]) => !ok);
	t.diagnostic(`${differ.length} of ${rows.length} differ`);
	assert.ok(differ.length > 80, r.out + r.err);
});
