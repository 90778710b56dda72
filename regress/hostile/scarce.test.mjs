// What a sandbox needs and cannot have: said clearly, to the user and in the log;
// nothing half made is left, nothing is taken away that ided did not make, and the
// user next door has all of his own.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { startDaemon, Daemon, obj, password, processes, waitFor } from '../system/daemon.mjs';

const show = (d, user) => JSON.parse(d.ok(['-j', 'sandbox', 'show', user]));
const exec = (d, user, script) => d.ctl(['sandbox', 'exec', user, '--', 'sh', '-c', script]);
const page = (r) => r.body.replace(/&#39;|&#x27;/g, "'").replace(/&quot;/g, '"');
const mounts = () => fs.readFileSync('/proc/self/mounts', 'latin1').split('\n').map((l) => l.split(' '));
const trees = () => mounts().filter(([, , type]) => type === 'cgroup' || type === 'cgroup2').map(([, where, type, opts]) => ({ where, type, opts }));

// Of a user who has no sandbox, whatever was begun of one.
async function nothingLeft(d, user, uid) {
	await waitFor('the sandbox to be gone', () => !d.sandboxes().some((s) => s.user === user));
	await waitFor('its processes to be gone', () => processes().every((p) => p.uid !== uid));
	assert.equal(fs.existsSync(`${d.runtime}/sandbox/${uid}`), false, 'its runtime folder');
	// Nobody's but those of sandboxes that run and of spares.
	await waitFor('its control groups to go', () => d.strangers().size <= (/\bspare 0\b/.test(d.opts.isolation) ? 0 : 2));
	await waitFor('its device to go', () => !execFileSync('losetup', ['-l', '-n', '-O', 'BACK-FILE'], { encoding: 'utf8' }).includes(`${d.dir}/data/volume/${uid}.img`));
}

// Refused to a browser and to idectl, in these words, which the log has as well.
async function refused(d, user, words, statuses) {
	d.log = '';
	const cookie = await d.login(user);
	const r = await d.request('GET', `/ide/?folder=/home/${user}`, { headers: { cookie } });
	assert.ok(statuses.includes(r.status), `${r.status}: ${r.body}`);
	assert.match(page(r), words);
	const { uid } = show(d, user);
	await nothingLeft(d, user, uid);
	const x = exec(d, user, 'true');
	assert.equal(x.status, 1);
	assert.match(x.err, words);
	await nothingLeft(d, user, uid);
	await waitFor('the log', () => d.log.split('\n').some((l) => l.includes(`user="${user}"`) && /sandbox\.failed/.test(l) && words.test(l)));
}

test('no uid is left: said with the remedy, and none is ever given twice', async () => {
	const d = new Daemon({});
	await d.prepare();
	const write = d.write.bind(d);
	let count = 2;
	d.write = (extra) => {
		write(extra);
		fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(`uids ${d.uids}:1000`, `uids ${d.uids}:${count}`));
	};
	d.write();
	await d.start();
	try {
		for (const u of ['ann', 'bob']) d.addUser(u);
		const add = () => d.ctl(['user', 'add', 'eve'], `${password}\n`);
		const none = /no uid is left: make `uids' of the configuration larger/;
		assert.equal(add().status, 1);
		assert.match(add().err, none);
		assert.deepEqual(JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => u.name).sort(), ['ann', 'bob']);
		await assert.rejects(d.login('eve'), /login of eve/);
		// Also not that of one who is gone.
		assert.equal(exec(d, 'ann', 'echo kept > f').status, 0);
		d.ok(['user', 'delete', 'ann']);
		assert.match(add().err, none);
		count = 3;
		d.write();
		d.child.kill('SIGTERM');
		await d.ended;
		await d.start();
		assert.equal(add().status, 0);
		assert.equal(show(d, 'eve').uid, d.uids + 2);
		assert.equal(exec(d, 'eve', 'ls -A f').status === 0, false);
	} finally { await d.stop(); }
});

test('no process can be made: neither by isolation, nor by the user', async (t) => {
	const pids = trees().find(({ type, opts, where }) => (type === 'cgroup' && opts.split(',').includes('pids')) ||
		(type === 'cgroup2' && fs.readFileSync(`${where}/cgroup.controllers`, 'utf8').split(/\s/).includes('pids')))?.where;
	const d = await startDaemon({ users: ['ann', 'bob'], network: 'none', isolation: 'spare 0\nprocesses 16' });
	try {
		await t.test('isolation', async (s) => {
			if (!pids) { s.skip('no control group for processes on this machine'); return; }
			const group = `${pids}/ided-test-scarce-${process.pid}`;
			fs.mkdirSync(group);
			try {
				const iso = d.role('isolation')[0].pid;
				fs.writeFileSync(`${group}/cgroup.procs`, String(iso));
				fs.writeFileSync(`${group}/pids.max`, '1');
				await refused(d, 'ann', /no new process: Resource temporarily unavailable/, [503]);
				assert.deepEqual(fs.readdirSync(`${d.data}/home`).concat(fs.readdirSync(`${d.data}/volume`)), [], 'no home either');
				assert.equal(d.role('isolation')[0].pid, iso, 'it goes on');
				fs.writeFileSync(`${group}/pids.max`, 'max');
				assert.equal(exec(d, 'ann', 'echo in').out, 'in\n');
				fs.writeFileSync(`${pids}/cgroup.procs`, String(iso));
			} finally {
				await waitFor('the group to be empty', () => { try { fs.rmdirSync(group); } catch { return !fs.existsSync(group); } return true; });
			}
		});
		await t.test('the user', async () => {
			const { pid } = (exec(d, 'ann', 'true'), show(d, 'ann'));
			for (let i = 1; i < 16; i++)
				spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', 'sleep', '1000'], { stdio: 'ignore' });
			await waitFor('all of them', () => show(d, 'ann').processes === 16);
			const x = exec(d, 'ann', 'echo never');
			assert.equal(x.status, 1);
			assert.match(x.err, /no new process/);
			const cookie = await d.login('ann');
			const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
			assert.equal(r.status, 503, r.body);
			assert.equal(show(d, 'ann').pid, pid, 'the sandbox is there');
			assert.equal(exec(d, 'bob', 'echo next door').out, 'next door\n');
			d.ok(['sandbox', 'stop', 'ann']);
			await nothingLeft(d, 'ann', show(d, 'ann').uid);
			assert.equal(exec(d, 'ann', 'echo again').out, 'again\n');
		});
	} finally { await d.stop(); }
});

test('a controller is missing: named at start, and the end of it where it is required', async (t) => {
	const tree = trees().find(({ type, opts }) => type === 'cgroup' && opts.split(',').includes('pids'));
	if (!tree) { t.skip('this machine has no tree of its own for processes'); return; }
	const enter = ['unshare', '-m', 'sh', '-c', `umount ${tree.where} && exec "$@"`, 'sh'];
	const d = await startDaemon({ enter, users: ['ann'], network: 'none', isolation: 'processes 64' });
	try {
		assert.match(d.log, /isolation\.not-held what="?processes"?[^\n]* why=/);
		assert.doesNotMatch(d.log, /not-held what="?(memory|processor)"? /);
		assert.equal(exec(d, 'ann', 'echo in').out, 'in\n');
		const { uid } = show(d, 'ann');
		const number = d.group('ann');
		assert.ok(d.groups().some((g) => g.endsWith(`/${number}`)), 'where it is looked for (control)');
		d.ok(['sandbox', 'stop', 'ann']);
		await nothingLeft(d, 'ann', uid);
	} finally { d.opts.enter = undefined; await d.stop(); }
	const r = new Daemon({ enter, network: 'none', isolation: 'processes 64\nrequire cgroup' });
	await r.prepare();
	try {
		await assert.rejects(r.start(), /isolation\.not-held what="?processes[\s\S]*this machine does not hold what the configuration requires/);
		assert.deepEqual(fs.existsSync(`${r.data}/home`) ? fs.readdirSync(`${r.data}/home`) : [], []);
	} finally { r.opts.enter = undefined; await r.stop(); }
});

test('something else where the volume is', async (t) => {
	const d = await startDaemon({ users: ['ann', 'bob'], network: 'none', isolation: 'storage 64M by volume' });
	try {
		for (const u of ['ann', 'bob']) {
			assert.equal(exec(d, u, `echo ${u} > f`).status, 0);
			d.ok(['sandbox', 'stop', u]);
		}
		const at = (u) => `${d.data}/volume/${show(d, u).uid}.img`;
		const image = at('ann'), other = at('bob'), aside = `${d.dir}/aside.img`;
		const things = {
			"a link to another's": [() => fs.symlinkSync(other, image), /is a symbolic link where a file is expected: remove it/],
			'a link to nothing': [() => fs.symlinkSync('/nonexistent', image), /is a symbolic link where a file is expected: remove it/],
			'a fifo': [() => execFileSync('mkfifo', ['-m', '600', image]), /is no file: remove it/],
			'a folder': [() => fs.mkdirSync(image), /is no file: remove it/],
			'a device': [() => execFileSync('mknod', ['-m', '600', image, 'b', '7', '0']), /is no file: remove it/],
			"another's name for another's": [() => fs.linkSync(other, image), /has other names: remove them/],
			"a user's own": [() => { fs.copyFileSync(aside, image); fs.chmodSync(image, 0o600); fs.chownSync(image, show(d, 'ann').uid, 0); }, /belongs to uid \d+, not to root: chown root/],
			'one that others may read': [() => { fs.copyFileSync(aside, image); fs.chmodSync(image, 0o644); }, /is open to others \(mode 0644\): make it 0600/],
			"a copy of another's": [() => { fs.copyFileSync(other, image); fs.chmodSync(image, 0o600); }, /the volume of ann belongs to uid \d+, not to \d+: move it away/],
			'an empty file': [() => fs.writeFileSync(image, '', { mode: 0o600 }), /the volume of ann is damaged, and only an administrator can mend it/],
		};
		const sum = () => execFileSync('sha256sum', [other], { encoding: 'utf8' });
		const was = sum();
		fs.renameSync(image, aside);
		for (const [what, [make, words]] of Object.entries(things))
			await t.test(what, async () => {
				make();
				const before = fs.lstatSync(image);
				try {
					await refused(d, 'ann', words, [400, 403, 503]);
					const after = fs.lstatSync(image);
					assert.deepEqual([after.ino, after.mode, after.uid, after.size], [before.ino, before.mode, before.uid, before.size], 'nothing was changed');
				} finally { fs.rmSync(image, { recursive: true, force: true }); }
			});
		assert.equal(sum(), was, "and nothing of the other's");
		fs.renameSync(aside, image);
		assert.equal(exec(d, 'ann', 'cat f').out, 'ann\n');
		assert.equal(exec(d, 'bob', 'cat f').out, 'bob\n');
	} finally { await d.stop(); }
});

test('the disk fills while a volume is used: what was on it stays, and it works again', async () => {
	const d = new Daemon({ network: 'none', isolation: 'storage 200M by volume' });
	await d.prepare();
	const disk = `${d.dir}/disk`, mnt = `${d.dir}/mnt`;
	execFileSync('truncate', ['-s', '300M', disk]);
	execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', '-N', '4096', disk]);
	fs.mkdirSync(mnt);
	execFileSync('mount', ['-o', 'loop', disk, mnt]);
	try {
		fs.chmodSync(mnt, 0o711);
		d.data = mnt;
		d.write();
		await d.start();
		for (const u of ['ann', 'bob']) d.addUser(u);
		assert.equal(exec(d, 'ann', 'head -c 5000000 /dev/urandom > kept; sha256sum kept > sum; sync').status, 0);
		assert.equal(exec(d, 'bob', 'echo bob > f; sync').status, 0);
		// Not the store's part: that has its own way with a full disk.
		const free = () => { const s = fs.statfsSync(mnt); return s.bavail * s.bsize; };
		execFileSync('fallocate', ['-l', String(free() - (24 << 20)), `${mnt}/ballast`]);
		const r = exec(d, 'ann', 'dd if=/dev/zero of=more bs=1M count=100 conv=fsync');
		assert.notEqual(r.status, 0, 'it is told');
		assert.match(r.err, /Input\/output error|No space|Read-only/);
		// ided goes on, and so does who is there.
		assert.equal((await d.request('GET', '/healthz')).status, 200);
		assert.equal(show(d, 'ann').state, 'running');
		fs.rmSync(`${mnt}/ballast`);
		d.ok(['sandbox', 'stop', 'ann']);
		assert.match(exec(d, 'ann', 'sha256sum -c sum && rm -f more && head -c 20000000 /dev/zero > more && sync && wc -c < more').out, /OK\n20000000\n/);
		assert.equal(exec(d, 'bob', 'cat f').out, 'bob\n');
	} finally {
		await d.stop({ keep: true });
		spawnSync('umount', [mnt]);
		fs.rmSync(d.dir, { recursive: true, force: true });
	}
});
