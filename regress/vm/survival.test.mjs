// ided is killed, in part or whole, and started again: users' sandboxes go on, and
// what nobody owns any more is cleared.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, startDaemon } from './vm.mjs';

let vm;
let d;
let group;
const first = {};
before(async () => {
	vm = await Vm.boot();
	d = await startDaemon(vm);
	group = (await vm.ok('ls -d /sys/fs/cgroup/ided-*')).trim();
	// Something to lose: a file in memory, and a program that counts.
	for (const user of ['ann', 'bob']) {
		await d.exec(user, 'echo kept >/tmp/file; (while :; do sleep 0.2; echo x >>/tmp/count; done) >/dev/null 2>&1 &');
		first[user] = (await d.row(user)).pid;
	}
});
after(() => vm?.stop());

const kills = {
	isolation: async () => vm.ok(`kill -9 ${await d.pidOf('isolation')}`),
	master: async () => vm.ok(`kill -9 ${await d.pidOf('master')}`),
	'all at once': async () => vm.ok(`kill -9 $(grep -l '^ided: ' /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3) 2>/dev/null; true`),
};

for (const [what, kill] of Object.entries(kills))
	test(`kill -9 of ${what}: the sandboxes are found again`, async () => {
		await kill();
		await vm.ok('until test -e /tmp/ided.end; do sleep 0.1; done');
		await d.start();
		for (const user of ['ann', 'bob']) {
			const row = await d.row(user);
			assert.equal(row.pid, first[user]);
			assert.match(d.log, new RegExp(`sandbox\\.adopted.*user="${user}"`));
			assert.equal((await d.exec(user, 'cat /tmp/file')).out, 'kept\n');
			// Their programs run, in the same group, under the same limits.
			const n = Number((await d.exec(user, 'wc -l </tmp/count')).out);
			await vm.ok(`while [ "$(wc -l </proc/${first[user]}/root/tmp/count)" -le ${n} ]; do sleep 0.1; done`);
			const number = await vm.read(`/run/ided/sandbox/${d.uids + (user === 'ann' ? 0 : 1)}/group`);
			assert.match(await vm.read(`/proc/${first[user]}/cgroup`), new RegExp(`/${number.trim()}$`));
		}
	});

test('what a start that was killed left behind is cleared, and nothing else', async () => {
	await kills['all at once']();
	await vm.ok('until test -e /tmp/ided.end; do sleep 0.1; done');
	// A group of ours with a process in it, and one that is not ours.
	await vm.ok(`mkdir ${group}/200777 /sys/fs/cgroup/other ${group}/other
		for g in ${group}/200777 /sys/fs/cgroup/other; do
			sh -c 'echo $$ >'$g'/cgroup.procs; exec sleep 1000' >/dev/null 2>&1 &
			until [ -n "$(cat $g/cgroup.procs)" ]; do sleep 0.1; done
		done`);
	await d.start();
	await vm.ok(`until ! test -e ${group}/200777; do sleep 0.1; done`);
	assert.match(await d.readLog(), /sandbox\.cleared/);
	assert.notEqual(await vm.read('/sys/fs/cgroup/other/cgroup.procs'), '');
	await vm.ok(`test -d ${group}/other && rmdir ${group}/other`);
	assert.equal((await d.row('ann')).pid, first.ann);
});

test('a sandbox that was found again is stopped whole', async () => {
	for (const user of ['ann', 'bob']) await d.ok(['sandbox', 'stop', user]);
	// Those of the two spares are left.
	await vm.ok(`until [ "$(ls -d ${group}/[0-9]* 2>/dev/null | wc -l)" -le 2 ]; do sleep 0.1; done`);
	assert.equal(await vm.processesOf(d.uids, 1000), '');
});
