// One user takes all that he can get; another one loads pages meanwhile.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import https from 'node:https';
import { Vm, startDaemon, rounds } from './vm.mjs';
import { Disk } from './disk.mjs';

const MEMORY = 96, PROCESSES = 100;
const SECONDS = rounds ? 30 : 2;
let vm;
let d;
let disk;
let group;
let cookie;
const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
before(async () => {
	vm = new Vm({ cpus: 2 }); // one user could have them all
	disk = new Disk(`${vm.dir}/disk`, 256);
	await disk.listen();
	vm.opts.disks = [disk];
	await vm.start();
	await vm.ok('mount /dev/vda /var/ided && chmod 0711 /var/ided');
	d = await startDaemon(vm, { isolation: `memory ${MEMORY}M
	cpu 200%
	storage 64M
	processes ${PROCESSES}` });
	group = (await vm.ok('ls -d /sys/fs/cgroup/ided-*')).trim();
	cookie = await d.login('bob');
	await page();
	await d.exec('ann', 'true');
});
after(async () => {
	agent.destroy();
	disk?.close();
	await vm?.stop();
});

async function page() {
	const at = performance.now();
	const r = await d.request('GET', '/ide/?folder=/home/bob', { headers: { cookie }, agent });
	assert.equal(r.status, 200, r.body);
	return performance.now() - at;
}

const quantile = (times, q) => [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * q))];
const figures = (times) => `${times.length} pages, median ${quantile(times, 0.5).toFixed(0)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms`;

// bob's pages for as long as ann is at it.
async function pagesDuring(work) {
	const times = [];
	let done = false;
	const over = work.finally(() => { done = true; });
	over.catch(() => {});
	while (!done || times.length < 10) {
		times.push(await page());
		await new Promise((r) => setTimeout(r, rounds ? 200 : 50));
	}
	return { times, result: await over };
}

const quiet = [];
test('nothing else runs (for comparison)', async (t) => {
	for (let i = 0; i < (rounds ? 100 : 20); i++) quiet.push(await page());
	t.diagnostic(figures(quiet));
});

const table = (row) => `echo 'x | ${row}' | probe table`;
const attacks = {
	'a fork bomb': { run: table(`bomb forks ${SECONDS} | EAGAIN`), want: /^ok x: EAGAIN/ },
	// It goes on for as long as it may: new ones come where old ones end.
	'a fork bomb that renews itself': { run: `(bomb() { while :; do bomb & done; }; bomb) >/dev/null 2>&1 & sleep ${SECONDS}; kill -9 -1`, want: /^$/ },
	'memory, twice as much as there is': { run: `load memory ${MEMORY * 2} ${SECONDS} & load memory ${MEMORY * 2} ${SECONDS} & wait; echo over`, want: /^(ok\n)*over\n$/ },
	'descriptors by the ten thousand': { run: `load fds ${rounds ? 100000 : 20000}; sleep ${SECONDS}; kill -9 -1`, want: /^\d+ (ok|ENOMEM|EAGAIN|EMFILE|ENFILE)\n$/ },
	'every processor': { run: `load spin 8 ${SECONDS}`, want: /^$/ },
	'the disk': { run: `dd if=/dev/zero of=/home/ann/data/fill bs=64k 2>/dev/null; sync; rm -f /home/ann/data/fill; echo over`, want: /^over\n$/ },
	'files in memory': { run: 'for f in /tmp /dev/shm; do dd if=/dev/zero of=$f/fill bs=64k 2>/dev/null; rm $f/fill; done; echo over', want: /^over\n$/ },
};

for (const [what, { run, want }] of Object.entries(attacks))
	test(`${what}: the other user is answered all the time`, async (t) => {
		const { times, result } = await pagesDuring(d.exec('ann', run));
		t.diagnostic(figures(times));
		assert.match(result.out, want, result.out + result.err);
		// Emulated, on a machine of two cores: what is quick there is told by the quiet one.
		if (rounds) assert.ok(quantile(times, 0.99) < Math.max(500, 4 * quantile(quiet, 0.99)), figures(times));
		assert.equal((await d.sandboxes()).length, 2);
		assert.equal((await d.exec('bob', 'echo here')).out, 'here\n');
		// What ann took is given back, and her session lives.
		await vm.ok(`until [ "$(cat ${group}/$(cat /run/ided/sandbox/${d.uids}/group)/pids.current)" -lt 10 ]; do sleep 0.1; done`);
		assert.equal((await d.exec('ann', 'echo here')).out, 'here\n');
	});

test('stopped in the middle of all of it: no process and no group is left', async (t) => {
	d.exec('ann', `(bomb() { while :; do bomb & done; }; bomb) >/dev/null 2>&1 & load spin 4 1000 & load memory 200 1000 & wait`).catch(() => {});
	await vm.ok(`until [ "$(cat ${group}/$(cat /run/ided/sandbox/${d.uids}/group)/pids.current)" -ge ${PROCESSES - 5} ]; do sleep 0.1; done`);
	const number = (await vm.read(`/run/ided/sandbox/${d.uids}/group`)).trim();
	const { times } = await pagesDuring(d.ok(['sandbox', 'stop', 'ann'])
		.then(() => vm.ok(`until ! test -e ${group}/${number}; do sleep 0.1; done`)));
	t.diagnostic(figures(times));
	assert.equal(await vm.processesOf(d.uids), '');
});
