// The power goes at a random moment, while idectl changes accounts as fast as it can:
// what it was told is done is there after the next start.  The disk forgets what
// was not flushed.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, VmDaemon, rounds } from './vm.mjs';
import { Disk, random } from './disk.mjs';
import { password, sleep } from '../system/daemon.mjs';

const ROUNDS = rounds || 2; // one of each kind
const LEAST = 10; // users added, before the power may go
const seed = Number(process.env.IDED_SEED || Date.now() % 2 ** 31);
const rand = random(seed);
const vm = new Vm({ memory: 384 });
const disks = [];
after(async () => {
	for (const d of disks) d.close();
	await vm.stop();
});

async function addDisk(name, megabytes) {
	const disk = new Disk(`${vm.dir}/${name}`, megabytes);
	await disk.listen();
	disks.push(disk);
	return disk;
}

async function cut() {
	await vm.kill();
	for (const d of disks) d.cut(rand);
}

// Adds users, and changes one, until the power goes; a line is printed when idectl
// was told that it is done, with when that began.
const work = (from) => `
adds() {
	n=${from}
	while :; do
		echo '${password}' | idectl -s /run/ided/ided.sock user add user$n >/dev/null 2>&1 && echo "added user$n"
		n=$((n + 1))
	done
}
changes() {
	while :; do
		for how in disable enable; do
			now=$(date +%s)
			idectl -s /run/ided/ided.sock user $how changed >/dev/null 2>&1 && echo "changed $now"
		done
	done
}
adds & changes & wait`;

async function boot() {
	await vm.start();
	// As a server does it after a crash: the journal is replayed.
	await vm.ok(`mount /dev/vda /srv && mkdir -p /srv/ided && chmod 0711 /srv /srv/ided &&
		mount -o bind /srv/ided /var/ided`);
	const d = new VmDaemon(vm);
	await d.start();
	return d;
}

// How long auth took to open its store, by the log.
async function recovery(d) {
	const at = async (re) => {
		for (;;) {
			const m = re.exec(await d.readLog());
			if (m) return Date.parse(m[1]);
		}
	};
	return await at(/^(\S+) ided-auth\[\d+\] info message text="ready"/m) - await at(/^(\S+) .* process\.started process="auth"/m);
}

async function verify() {
	const out = await vm.ok(`idectl -s /run/ided/ided.sock stop >/dev/null; until test -e /tmp/ided.end; do sleep 0.1; done
		cd /var/ided/store; for f in *.db; do db_verify -q $f && echo "sound $f" || echo "bad $f"; done`);
	assert.doesNotMatch(out, /bad/, out);
	assert.ok(out.match(/sound/g).length >= 3, out);
}

test('what was acknowledged is there after every power cut', async (t) => {
	t.diagnostic(`seed ${seed}`);
	const disk = await addDisk('disk', 128);
	vm.opts.disks = [disk];
	let d = await boot();
	await d.addUser('changed');
	const acknowledged = new Set(['changed']);
	let all = 0;
	for (let round = 0; round < ROUNDS; round++) {
		// Until it works, then for as long as chance says.
		let out = '', started;
		const works = new Promise((r) => { started = r; });
		const ended = vm.run(work(round * 10000), { timeout: 600000, onOut: (o) => {
			out = o;
			if (/changed/.test(o) && o.split('added').length > LEAST) started();
		} }).catch(() => {});
		await works;
		await sleep(rand() * 3000);
		const { lost } = disk;
		// At that moment, or as soon as something waits to be written for good.
		if (round % 2 === 0) await new Promise((r) => { disk.atFlush = r; });
		disk.atFlush = null;
		await cut();
		await ended;
		// Whole lines: these the host was told.
		const lines = out.slice(0, out.lastIndexOf('\n') + 1).split('\n').filter(Boolean);
		const changed = Math.max(...lines.filter((l) => l.startsWith('changed ')).map((l) => Number(l.slice(8))));
		for (const l of lines) if (l.startsWith('added ')) acknowledged.add(l.slice(6));
		all += lines.length;

		d = await boot();
		const there = new Map(JSON.parse(await d.ok(['-j', 'user', 'list'])).map((u) => [u.name, u]));
		const where = `seed ${seed}, round ${round}`;
		for (const name of acknowledged) assert.ok(there.has(name), `${where}: ${name} was acknowledged and is lost`);
		assert.ok(there.get('changed').updated >= changed, `${where}: a change of ${changed} was acknowledged, the last that is there is of ${there.get('changed').updated}`);
		const ms = await recovery(d);
		t.diagnostic(`round ${round}: ${lines.length} acknowledged, store opened in ${ms} ms, ${disk.lost - lost} sectors lost`);
		assert.ok(ms < 60000, `recovery took ${ms} ms`); // it ends: how fast says the line above
		if (round + 1 === ROUNDS || rounds) await verify();
		if (round + 1 < ROUNDS && rounds) await d.start();
	}
	t.diagnostic(`${all} changes acknowledged, ${acknowledged.size} users, ${disk.flushes} flushes, ${disk.lost} sectors lost in all`);
	await vm.kill();
});

test('who does not sync, or not flush, loses what he said was done (control)', async (t) => {
	const hows = ['lazy', 'unflushed', 'sync'];
	vm.opts.disks = [];
	for (const how of hows) vm.opts.disks.push(await addDisk(how, 64));
	const mounted = 'mkdir -p /srv/lazy /srv/unflushed /srv/sync; mount /dev/vda /srv/lazy && mount /dev/vdb /srv/unflushed && mount /dev/vdc /srv/sync';
	await vm.start();
	await vm.ok(mounted);
	const said = {};
	const runs = hows.map((how) => vm.run(`load records /srv/${how}/file ${how}`, { onOut: (o) => { said[how] = o; } }).catch(() => {}));
	while (hows.some((how) => (said[how] ?? '').split('\n').length < 20)) await sleep(20);
	await cut();
	await Promise.all(runs);
	await vm.start();
	await vm.ok(mounted);
	const lost = {};
	for (const how of hows) {
		const n = said[how].split('\n').length - 1;
		// A block begins with its line; one that is lost is empty.
		const found = await vm.ok(`head -c ${n * 4096} /srv/${how}/file | tr -d '\\0' | grep -c record || true`);
		lost[how] = n - Number(found);
		t.diagnostic(`${how}: ${n} said to be written, ${lost[how]} lost`);
	}
	assert.ok(lost.lazy > 0 && lost.unflushed > 0, JSON.stringify(lost));
	assert.equal(lost.sync, 0);
});
