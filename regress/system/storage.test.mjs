// Storage: what a user may use of it ends exactly where the configuration says,
// whatever holds it, and the user next door writes on.  Homes that were folders
// become volumes without losing a byte, wherever that is interrupted.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { startDaemon, Daemon, processes, waitFor, sleep, obj } from './daemon.mjs';

const MB = 1 << 20;
const sh = (script, ...args) => execFileSync('sh', ['-c', script, 'sh', ...args], { encoding: 'utf8' });
const devices = (d) => sh('losetup -l -n -O BACK-FILE').split('\n').filter((l) => l.includes(`${d.dir}/`)).length;
const inside = (d, user, script, opts = {}) => d.ctl(['sandbox', 'exec', user, '--', 'sh', '-c', script], '', opts);
const show = (d, user) => JSON.parse(d.ok(['-j', 'sandbox', 'show', user]));
const trail = (d, user) => d.ok(['-j', 'audit', 'query', '-e', 'sandbox.storage', '-u', user]).split('\n')
	.filter(Boolean).map((l) => JSON.parse(l)).filter((r) => r.seq).map((r) => r.detail);
const image = (d, user) => `${d.data}/volume/${show(d, user).uid}.img`;
// As much as goes into a file, in bytes.
const fill = `python3 -c '
import os
n = 0
try:
    with open("fill", "wb", buffering=0) as f:
        while True:
            n += f.write(b"x" * 65536)
            if n > 512 << 20: break
        os.fsync(f.fileno())
except OSError as e:
    try:
        # and to the last byte
        with open("fill", "ab", buffering=0) as f:
            while True: n += f.write(b"x" * 4096)
    except OSError as e:
        print(e.errno, n)
'`;
const inodes = (max) => `python3 -c '
import os
os.mkdir("many")
for n in range(${max}):
    try: os.close(os.open("many/%d" % n, os.O_CREAT, 0o600))
    except OSError as e:
        print(e.errno, n)
        break
'`;

async function withDaemon(opts, fn) {
	const d = await startDaemon(opts);
	try { await fn(d); } finally { await d.stop(); }
	await waitFor('no device to be left', () => devices(d) === 0);
}

test('volume: ENOSPC at the limit, ENOSPC at the number of files, and the neighbour writes on', async () => {
	await withDaemon({ users: ['ann', 'bob'], conf: 'audit { store }', isolation: 'storage 64M by volume\nfiles 2000' }, async (d) => {
		assert.match(inside(d, 'ann', 'stat -f -c %T . && grep -o "/home/ann ext4 rw,nosuid,nodev" /proc/self/mounts').out,
			/ext2.*\n\/home\/ann ext4 rw,nosuid,nodev\n/);
		const before = show(d, 'ann');
		assert.equal(before.storage_by, 'volume');
		assert.equal(before.storage_max, 64 * MB);
		const [errno, n] = inside(d, 'ann', fill).out.split(' ').map(Number);
		assert.equal(errno, 28);
		const used = show(d, 'ann');
		// Metadata of the one file aside, what was free is what could be written.
		assert.ok(used.storage <= 64 * MB, `${used.storage}`);
		assert.ok(64 * MB - used.storage < MB / 4, `${used.storage}`);
		assert.ok(n + before.storage <= 64 * MB && n + before.storage > 63 * MB, `${n}`);
		assert.equal(inside(d, 'bob', 'head -c 20000000 /dev/zero > f && wc -c < f').out.trim(), '20000000');
		// There is room again.
		assert.equal(inside(d, 'ann', 'rm fill; head -c 50000000 /dev/zero > g && wc -c < g').out.trim(), '50000000');
		inside(d, 'ann', 'rm g');
		const files = show(d, 'ann');
		const [eno, made] = inside(d, 'ann', inodes(5000)).out.split(' ').map(Number);
		assert.equal(eno, 28);
		const full = show(d, 'ann');
		assert.equal(full.files, full.files_max, 'every one was to be had');
		assert.equal(made + 1, full.files_max - files.files);
		assert.ok(full.files_max >= 2000 && full.files_max < 2100, `${full.files_max}`);
		assert.equal(inside(d, 'bob', 'touch x y z && ls x y z | wc -l').out.trim(), '3');
		// A full home can be entered, and emptied.
		inside(d, 'ann', `rm -r many; ${fill}`);
		d.ok(['sandbox', 'stop', 'ann']);
		const stopped = show(d, 'ann');
		assert.equal(stopped.state, 'absent');
		assert.ok(Math.abs(stopped.storage - 64 * MB) < MB / 4, `${stopped.storage}`);
		assert.equal(inside(d, 'ann', 'rm fill && echo gone').out.trim(), 'gone');
		// Once for the sandbox that found it full.
		const [told, ...more] = await waitFor('the record', () => trail(d, 'ann').length > 0 && trail(d, 'ann'));
		assert.deepEqual([told.event, told.by, Number(told.max), more.length], ['full', 'volume', 64 * MB, 0]);
		assert.equal(Number(told.used), stopped.storage);
		assert.equal(JSON.parse(d.ok(['-j', 'status'])).storage_full, 1);
		assert.deepEqual(trail(d, 'bob'), []);
		// What is removed is given back to the disk, however soon the end comes.
		inside(d, 'ann', 'head -c 40000000 /dev/zero > g && sync && rm g');
		d.ok(['sandbox', 'stop', 'ann']);
		assert.ok(fs.statSync(image(d, 'ann')).blocks * 512 < 16 * MB);
	});
});

test('volume: nothing of it is in the host\'s mounts, and kill -9 of all leaves none', async () => {
	const d = await startDaemon({ users: ['ann', 'bob'], isolation: 'storage 64M by volume' });
	try {
		inside(d, 'ann', 'echo kept > f; sync');
		inside(d, 'bob', 'true');
		assert.doesNotMatch(fs.readFileSync('/proc/self/mounts', 'utf8'), new RegExp(d.dir));
		assert.equal(devices(d), 2);
		const boxes = d.sandboxes();
		for (const p of d.tree()) try { process.kill(p.pid, 'SIGKILL'); } catch { /* gone */ }
		await d.ended;
		assert.equal(devices(d), 2, 'they live on');
		// Found again, with their numbers.
		await d.start();
		await waitFor('adoption', () => d.sandboxes().filter((s) => s.state === 'running').length === 2);
		assert.equal(show(d, 'ann').pid, boxes.find((s) => s.user === 'ann').pid);
		assert.equal(show(d, 'ann').storage_by, 'volume');
		assert.ok(show(d, 'ann').storage > 0);
		// Killed whole: started again on what is there.
		process.kill(show(d, 'ann').pid, 'SIGKILL');
		await waitFor('its end', () => show(d, 'ann').state === 'absent');
		assert.equal(inside(d, 'ann', 'cat f').out, 'kept\n');
		// With nobody there to see it.
		const left = d.sandboxes();
		for (const p of d.tree()) try { process.kill(p.pid, 'SIGKILL'); } catch { /* gone */ }
		await d.ended;
		for (const s of left) process.kill(s.pid, 'SIGKILL');
		await waitFor('the devices to go', () => devices(d) === 0);
		await d.start();
		assert.equal(inside(d, 'ann', 'cat f').out, 'kept\n');
	} finally {
		await d.stop();
	}
	await waitFor('no device to be left', () => devices(d) === 0);
});

test('volume: limits rise and fall at a reload and at a start', async () => {
	const conf = (n) => ({ isolation: `storage ${n} by volume\nfiles 5000` });
	await withDaemon({ users: ['ann'], ...conf('32M') }, async (d) => {
		const used = () => { const r = inside(d, 'ann', fill).out.split(' ').map(Number); assert.equal(r[0], 28); return r[1] / MB; };
		assert.ok(used() < 32);
		d.opts.isolation = conf('200M').isolation;
		d.write();
		d.ok(['reload']);
		// At once, where root may do that; at the next start elsewhere.
		if (BigInt(`0x${d.role('isolation')[0].capEff}`) >> 24n & 1n) {
			await waitFor('the larger limit', () => Number(inside(d, 'ann', 'rm -f fill; df --output=avail -B1M . | tail -1').out) > 190);
		} else {
			await waitFor('the line', () => /volume\.limit user="ann" .*it grows at the next start/.test(d.log));
			assert.ok(used() < 64, 'meanwhile it is as large as it was');
			d.ok(['sandbox', 'stop', 'ann']);
		}
		const large = used();
		assert.ok(large > 195 && large <= 200, `${large}`);
		assert.ok(show(d, 'ann').files_max >= 5000);
		d.opts.isolation = conf('48M').isolation;
		d.write();
		d.ok(['reload']);
		await waitFor('the smaller limit', () => Number(inside(d, 'ann', 'df --output=avail -B1M . | tail -1').out) === 0);
		// Kept, and no more.
		assert.ok(Number(inside(d, 'ann', 'stat -c %s fill').out) > 195 * MB);
		assert.match(inside(d, 'ann', 'head -c 8192 /dev/zero > more').err, /No space/);
		const small = used();
		assert.ok(small > 46 && small <= 48, `${small}`);
		d.ok(['sandbox', 'stop', 'ann']);
		d.opts.isolation = conf('96M').isolation;
		d.write();
		d.ok(['reload']);
		const later = used();
		assert.ok(later > 94 && later <= 96, `${later}`);
	});
});

test('volume: of roles and users', async () => {
	await withDaemon({ users: ['ann', 'bob'], isolation: 'storage 32M by volume',
		conf: 'limits user "bob" { storage 64M }' }, (d) => {
		for (const [user, max] of [['ann', 32], ['bob', 64]]) {
			const [errno, n] = inside(d, user, fill).out.split(' ').map(Number);
			assert.equal(errno, 28);
			assert.ok(n <= max * MB && n > (max - 1) * MB, `${user} ${n}`);
		}
	});
});

// What a user can have in a home, and a sum over all of it.
const build = `umask 022; mkdir -p a/b 'odd
name'; echo text > a/file; ln a/file a/b/hard; ln -s ../../etc/passwd a/link; ln -s nowhere a/dangling
mkfifo -m 640 a/fifo; head -c 3000000 /dev/urandom > a/data; truncate -s 50M a/hole; chmod 4755 a/data; mkdir -m 2770 a/setgid
touch -d '2001-02-03 04:05:06.789' a/b; i=0; while [ $i -lt 300 ]; do echo $i > a/b/$i; i=$((i+1)); done
touch -d '2001-02-03 04:05:06.789' a/b a/link -h; python3 -c 'import os,socket; os.setxattr("a/file", "user.k", b"v"); s=socket.socket(socket.AF_UNIX); s.bind("a/sock")'`;
const sum = `cd ~; { find . ! -path './logs*' ! -path './data*' -printf '%p %y %m %U %s %n %l %T@\\n' | grep -v '^\\. ' | sed 's/ d \\([0-9]*\\) \\([0-9]*\\) [0-9]*/ d \\1 \\2 -/' | sort
find . -type f ! -path './logs*' ! -path './data*' -exec sha256sum {} + | sort; python3 -c 'import os; print(os.getxattr("a/file", "user.k"), os.stat("a/hole").st_blocks)'; } | sha256sum`;

async function folders(users, { more = 'true' } = {}) {
	const d = await startDaemon({ users, isolation: 'storage 64M by accounting' });
	const sums = {};
	for (const u of users) {
		const r = inside(d, u, `${build}; ${more}`);
		assert.equal(r.status, 0, r.err);
		sums[u] = inside(d, u, sum).out;
		assert.match(sums[u], /^[0-9a-f]{64} /);
	}
	return { d, sums };
}

test('volume: it stands ready for who has come, and is in nobody\'s way', async () => {
	const opts = { users: ['ann', 'bob', 'eve'], isolation: 'storage 64M by volume' };
	await withDaemon(opts, async (d) => {
		const jobs = () => processes().filter((p) => p.name === 'ided-mount' && p.ppid === d.role('isolation')[0].pid).length;
		const devs = (n) => waitFor(`${n} devices`, () => devices(d) === n);
		const stop = (u) => { d.ok(['sandbox', 'stop', u]); return devs(0); };
		for (const u of ['ann', 'bob', 'eve']) {
			inside(d, u, 'echo kept > f');
			await stop(u);
		}
		const cookie = await d.login('ann');
		await devs(1);
		assert.doesNotMatch(fs.readFileSync('/proc/self/mounts', 'utf8'), new RegExp(d.dir));
		// It is shown as what it is, and no second device comes of more visits.
		const stands = await waitFor('its use to be known', () => { const s = show(d, 'ann'); return s.storage > 0 && s; });
		assert.deepEqual([stands.state, stands.storage_by, stands.storage_max], ['absent', 'volume', 64 * MB]);
		assert.equal((await d.request('GET', '/', { headers: { cookie } })).status, 200);
		assert.equal(inside(d, 'ann', 'cat f; echo more >> f').out, 'kept\n');
		assert.equal(devices(d), 1);
		await stop('ann');
		// Of one whose sandbox runs nothing is to be done, nor of one without a volume.
		inside(d, 'ann', 'true');
		assert.equal((await d.request('GET', '/', { headers: { cookie } })).status, 200);
		await stop('ann');
		assert.equal(inside(d, 'ann', 'cat f').out, 'kept\nmore\n');
		await stop('ann');
		// Other limits find it as it was left, a larger one without anything in its way.
		await d.request('GET', '/', { headers: { cookie } });
		await devs(1);
		d.ok(['user', 'limits', 'ann', 'storage=128M']);
		await devs(0);
		assert.ok(Number(inside(d, 'ann', 'df --output=size -BM . | tail -1').out.trim().replace('M', '')) > 100);
		await stop('ann');
		await d.request('GET', '/', { headers: { cookie } });
		await devs(1);
		d.ok(['reload']);
		await devs(0);
		// Its user goes, and with -r all of it, at once or while it is being mounted.
		await d.request('GET', '/', { headers: { cookie } });
		await devs(1);
		const { uid } = show(d, 'ann');
		assert.match(d.ok(['user', 'delete', '-r', 'ann']), /user ann deleted, and the home removed/);
		await devs(0);
		assert.ok(!fs.existsSync(`${d.data}/volume/${uid}.img`));
		await d.login('bob');
		assert.match(d.ok(['user', 'delete', '-r', 'bob']), /user bob deleted, and the home removed/);
		await devs(0);
		// One that has to be checked is not touched before it is wanted.
		sh('debugfs -w -R "ssv state 2" "$1" 2>&1', image(d, 'eve'));
		const before = sh('sha256sum < "$1"', image(d, 'eve'));
		await d.login('eve');
		show(d, 'eve');
		await waitFor('the job to end', () => jobs() === 0);
		assert.equal(devices(d), 0);
		assert.equal(sh('sha256sum < "$1"', image(d, 'eve')), before);
		assert.equal(inside(d, 'eve', 'cat f').out, 'kept\n');
		await d.says(/volume\.checked user="eve".* result="sound"/);
		await stop('eve');
		// With isolation killed it goes, as it had been.
		await d.login('eve');
		await devs(1);
		d.log = '';
		process.kill(d.role('isolation')[0].pid, 'SIGKILL');
		await d.ended;
		await devs(0);
		await d.start();
		assert.equal(inside(d, 'eve', 'cat f').out, 'kept\n');
		assert.doesNotMatch(d.log, /volume\.checked/);
	});
});

test('a folder becomes a volume, with everything that it has', async () => {
	const { d, sums } = await folders(['ann', 'bob']);
	try {
		for (const u of ['ann', 'bob']) d.ok(['sandbox', 'stop', u]);
		d.opts.isolation = 'storage 64M by volume';
		d.write();
		d.ok(['reload']);
		assert.equal(inside(d, 'ann', sum).out, sums.ann);
		await waitFor('the folder to go', () => !fs.existsSync(`${d.data}/home/ann`) &&
			fs.readdirSync(`${d.data}/home`).join() === 'bob');
		await waitFor('the line', () => /home\.moved user="ann"/.test(d.log));
		assert.equal(show(d, 'ann').storage_by, 'volume');
		assert.ok(fs.existsSync(`${d.data}/home/bob/a`), 'who has not come is not moved');
		// It stays one, whatever is said later.
		d.ok(['sandbox', 'stop', 'ann']);
		d.opts.isolation = 'storage 64M by accounting';
		d.write();
		d.ok(['reload']);
		assert.equal(inside(d, 'ann', sum).out, sums.ann);
		assert.equal(show(d, 'ann').storage_by, 'volume');
		assert.equal(show(d, 'bob').storage_by, 'accounting');
	} finally {
		await d.stop();
	}
});

test('what is larger than the limit is moved too, and cannot grow', async () => {
	const d = await startDaemon({ users: ['ann'], isolation: 'storage 64M by accounting' });
	try {
		assert.equal(inside(d, 'ann', 'head -c 100000000 /dev/urandom > big; sha256sum big > sum').status, 0);
		d.ok(['sandbox', 'stop', 'ann']);
		d.opts.isolation = 'storage 64M by volume';
		d.write();
		d.ok(['reload']);
		assert.match(inside(d, 'ann', 'sha256sum -c sum').out, /OK/);
		assert.match(inside(d, 'ann', 'head -c 8192 /dev/zero > more').err, /No space/);
		assert.equal(inside(d, 'ann', 'rm big more; head -c 50000000 /dev/zero > more && wc -c < more').out.trim(), '50000000');
	} finally {
		await d.stop();
	}
});

test('a move that is killed at any moment loses nothing', { timeout: 300000 }, async () => {
	const { d, sums } = await folders(['ann'], { more: 'i=0; while [ $i -lt 3000 ]; do echo $i > a/b/x$i; i=$((i+1)); done; head -c 40000000 /dev/urandom > a/big' });
	try {
		d.ok(['sandbox', 'stop', 'ann']);
		const uid = show(d, 'ann').uid;
		const moved = () => fs.existsSync(`${d.data}/volume/${uid}.img`);
		const rounds = Number(process.env.IDED_ROUNDS || 12);
		d.opts.isolation = 'storage 64M by volume';
		d.write();
		d.ok(['reload']);
		let killed = 0;
		for (let i = 0; i < rounds && !moved(); i++) {
			const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', 'true'], { stdio: 'ignore' });
			// Whoever makes it, or in turn the whole of ided, at another moment each time.
			const all = d.tree();
			const iso = all.find((p) => p.cmd === 'ided: isolation').pid;
			await waitFor('a copy', () => moved() || fs.existsSync(`${d.data}/volume/.new-${uid}.img`), 20000, 1);
			await sleep(i * 25);
			const makers = fs.readFileSync(`/proc/${iso}/task/${iso}/children`, 'utf8').trim().split(' ').map(Number);
			for (const pid of i % 3 === 2 ? [...all.map((p) => p.pid), ...makers] : makers)
				try {
					if (i % 3 !== 2 && fs.readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'ided-setup\n') continue;
					process.kill(pid, 'SIGKILL');
					killed += !moved();
				} catch { /* gone */ }
			c.kill('SIGKILL');
			if (i % 3 === 2) {
				await d.ended;
				await d.start();
			}
			await waitFor('it to be over', () => show(d, 'ann').state === 'absent' || show(d, 'ann').state === 'running');
			if (show(d, 'ann').state === 'running') d.ok(['sandbox', 'stop', 'ann']);
			assert.equal(Number(moved()) + Number(fs.existsSync(`${d.data}/home/ann`)) + Number(fs.existsSync(`${d.data}/home/.old-${uid}`)) > 0, true);
		}
		assert.ok(killed > 0);
		assert.equal(inside(d, 'ann', sum).out, sums.ann);
		await waitFor('the rest to go', () => fs.readdirSync(`${d.data}/home`).length === 0 &&
			fs.readdirSync(`${d.data}/volume`).join() === `${uid}.img`);
	} finally {
		await d.stop();
	}
});

test('each state that an interruption leaves is put right', async (t) => {
	const { d, sums } = await folders(['ann']);
	try {
		d.ok(['sandbox', 'stop', 'ann']);
		const { uid } = show(d, 'ann');
		const home = `${d.data}/home`, volume = `${d.data}/volume`;
		// The folder without its name, and a copy that was not finished.
		d.opts.isolation = 'storage 64M by volume';
		d.write();
		d.ok(['reload']);
		fs.renameSync(`${home}/ann`, `${home}/.old-${uid}`);
		fs.writeFileSync(`${volume}/.new-${uid}.img`, 'half', { mode: 0o600 });
		assert.equal(inside(d, 'ann', sum).out, sums.ann);
		await waitFor('the rest to go', () => fs.readdirSync(home).length === 0);
		await waitFor('the line', () => /home\.recovered user="ann"/.test(d.log));
		d.ok(['sandbox', 'stop', 'ann']);
		// The volume, and the folder that it was made of: found at a start.
		d.child.kill('SIGTERM');
		await d.ended;
		fs.mkdirSync(`${home}/.old-${uid}/x/y`, { recursive: true });
		fs.symlinkSync('/etc', `${home}/.old-${uid}/x/etc`);
		fs.mkdirSync(`${home}/.old-1/not/ours`, { recursive: true });
		fs.mkdirSync(`${home}/.gone-${uid}-0/x`, { recursive: true });
		// Half a volume of one who may never come again; half of one that somebody is at; and what ided has not made.
		const left = { [`.new-${uid + 7}.img`]: 0o600, [`.new-${uid + 8}.img`]: 0o600, [`.new-${uid + 9}.img`]: 0o644, '.new-ours.img': 0o600 };
		for (const [name, mode] of Object.entries(left)) fs.writeFileSync(`${volume}/${name}`, 'half', { mode });
		const holder = spawn('flock', [`${volume}/.new-${uid + 8}.img`, 'sleep', '1000'], { detached: true, stdio: 'ignore' });
		t.after(() => { try { process.kill(-holder.pid, 'SIGKILL'); } catch { /* gone */ } });
		await waitFor('the lock', () => spawnSync('flock', ['-n', `${volume}/.new-${uid + 8}.img`, 'true']).status !== 0);
		await sleep(1100);
		await d.start();
		await waitFor('the half to go', () => !fs.existsSync(`${volume}/.new-${uid + 7}.img`));
		await waitFor('its end', () => !fs.existsSync(`${home}/.gone-${uid}-0`));
		assert.deepEqual(fs.readdirSync(volume).sort(), [`.new-${uid + 8}.img`, `.new-${uid + 9}.img`, '.new-ours.img', `${uid}.img`].sort());
		await waitFor('the rest to go', () => fs.readdirSync(home).join() === '.old-1');
		assert.ok(fs.existsSync('/etc/passwd'));
		assert.ok(fs.existsSync(`${home}/.old-1/not/ours`), 'without a volume it is all there is');
		assert.equal(inside(d, 'ann', sum).out, sums.ann);
	} finally {
		await d.stop();
	}
});

test('a damaged volume is checked; one that cannot be mended is refused clearly and left alone', async () => {
	await withDaemon({ users: ['ann', 'bob'], isolation: 'storage 64M by volume' }, async (d) => {
		for (const u of ['ann', 'bob']) {
			inside(d, u, 'echo kept > f');
			d.ok(['sandbox', 'stop', u]);
		}
		// Not unmounted as it should have been, with errors seen.
		sh('debugfs -w -R "ssv state 2" "$1" 2>&1', image(d, 'ann'));
		assert.equal(inside(d, 'ann', 'cat f').out, 'kept\n');
		await waitFor('the line', () => /volume\.checked user="ann".* result="sound"/.test(d.log));
		d.ok(['sandbox', 'stop', 'ann']);
		const file = image(d, 'bob');
		fs.writeFileSync(file, Buffer.alloc(65536, 0xaa), { flag: 'r+' });
		const before = sh('sha256sum < "$1"', file);
		const cookie = await d.login('bob');
		const r = await d.request('GET', '/ide/?folder=/home/bob', { headers: { cookie } });
		assert.equal(r.status, 503);
		assert.match(r.body, /volume of bob is damaged, and only an administrator can mend it/);
		assert.equal(sh('sha256sum < "$1"', file), before);
		assert.equal(show(d, 'bob').state, 'absent');
	});
});

test('a new home has what the skeleton has, once', async (t) => {
	const d = new Daemon({ isolation: '' });
	await d.prepare();
	const skel = `${d.dir}/skel`;
	fs.mkdirSync(`${skel}/.config/deep`, { recursive: true });
	fs.writeFileSync(`${skel}/.profile`, 'profile\n', { mode: 0o644 });
	fs.writeFileSync(`${skel}/run`, '#!/bin/sh\n', { mode: 0o755 });
	fs.writeFileSync(`${skel}/.config/deep/file`, 'deep\n');
	fs.symlinkSync('/etc/shadow', `${skel}/link`);
	fs.mkdirSync(`${skel}/data/data/Machine`, { recursive: true });
	fs.writeFileSync(`${skel}/data/data/Machine/settings.json`, '{"own":1}\n');
	t.after(() => d.stop());
	await d.start();
	for (const u of ['ann', 'bob', 'eve', 'joe']) d.addUser(u);
	const set = (how, path = skel) => {
		d.opts.isolation = `storage 64M by ${how}\nskel "${path}"`;
		d.write();
		return d.ctl(['reload']);
	};
	for (const [user, how] of [['ann', 'volume'], ['bob', 'accounting']]) {
		assert.equal(set(how).status, 0);
		const { uid } = show(d, user);
		const out = inside(d, user, 'cat .profile .config/deep/file data/data/Machine/settings.json; readlink link; find . -type l -o -printf "%p %m %U\\n" | grep -v "^./logs"').out;
		assert.match(out, /^profile\ndeep\n\{"own":1\}\n\/etc\/shadow\n/);
		for (const [p, mode] of [['.', 700], ['./.profile', 600], ['./run', 700], ['./.config', 700], ['./.config/deep/file', 600],
			['./data', 700], ['./data/data/Machine/settings.json', 600]])
			assert.ok(out.includes(`\n${p} ${mode} ${uid}\n`), `${user}: ${p}\n${out}`);
		for (const line of out.split('\n').filter((l) => l.startsWith('./'))) assert.match(line, / (600|700) \d+$/);
		// A second start copies nothing.
		inside(d, user, 'rm -r .profile .config');
		d.ok(['sandbox', 'stop', user]);
		assert.equal(inside(d, user, 'ls -A | grep -c "^[.]\\(profile\\|config\\)"').out.trim(), '0');
	}
	// What it must not have is named, by a check and by a start.
	execFileSync('mkfifo', [`${skel}/.config/deep/pipe`]);
	const r = set('volume');
	assert.equal(r.status, 1);
	assert.match(r.out + r.err, /skel ".*\/skel": \.config\/deep\/pipe is no file, folder or symbolic link: remove it/);
	for (const [user, how] of [['eve', 'volume'], ['joe', 'accounting']]) {
		fs.rmSync(`${skel}/.config/deep/pipe`);
		assert.equal(set(how).status, 0);
		execFileSync('mkfifo', [`${skel}/.config/deep/pipe`]);
		const e = inside(d, user, 'true');
		assert.equal(e.status, 1);
		assert.match(e.err, new RegExp(`home of ${user}: skeleton .*/skel/.config/deep/pipe: is no file, folder or symbolic link`));
		assert.equal(show(d, user).state, 'absent');
	}
	assert.deepEqual(fs.readdirSync(`${d.data}/home`), ['bob'], 'nothing half made');
	assert.deepEqual(fs.readdirSync(`${d.data}/volume`), [`${show(d, 'ann').uid}.img`]);
	fs.rmSync(`${skel}/.config/deep/pipe`);
	fs.chmodSync(skel, 0o777);
	assert.match(((x) => x.out + x.err)(set('volume')), /skel ".*\/skel": others than root may write to it/);
	assert.match(((x) => x.out + x.err)(set('volume', `${skel}/none`)), /skel ".*\/none": No such file or directory/);
});

test('user delete -r: the home goes with its user, and nothing that is not its own', async () => {
	await withDaemon({ users: ['ann', 'bob', 'eve', 'joe'], isolation: 'storage 64M by accounting' }, async (d) => {
		const home = `${d.data}/home`, volume = `${d.data}/volume`;
		inside(d, 'ann', 'mkdir -p a/b; ln -s /etc a/b/etc; mkfifo a/pipe; chmod 0 a/b; echo x > f');
		d.opts.isolation = 'storage 64M by volume';
		d.write();
		d.ok(['reload']);
		inside(d, 'bob', 'echo x > f');
		inside(d, 'joe', 'echo kept > f');
		const { uid } = show(d, 'bob');
		// A folder, and a volume, both in use.
		assert.match(d.ok(['user', 'delete', '-r', 'ann']), /user ann deleted, and the home removed; uid \d+ is never given out again/);
		assert.match(d.ok(['user', 'delete', '-r', 'bob']), /user bob deleted, and the home removed/);
		assert.deepEqual([fs.existsSync(`${home}/ann`), fs.existsSync(`${volume}/${uid}.img`)], [false, false]);
		await waitFor('the rest to go', () => fs.readdirSync(home).length === 0 && fs.readdirSync(volume).length === 1);
		assert.deepEqual(d.sandboxes().map((s) => s.user), ['joe']);
		assert.ok(fs.existsSync('/etc/passwd'));
		// Of one who was never there; where another's folder has the name; and without -r.
		fs.mkdirSync(`${home}/eve`);
		fs.writeFileSync(`${home}/eve/kept`, 'kept');
		const r = d.ctl(['user', 'delete', '-r', 'eve']);
		assert.equal(r.status, 1);
		assert.match(r.err, /user eve is deleted, but the home is not removed: home of eve belongs to uid 0, not to \d+/);
		assert.equal(fs.readFileSync(`${home}/eve/kept`, 'utf8'), 'kept');
		assert.match(d.ok(['user', 'delete', 'joe']), /user joe deleted; the home in .* stays/);
		assert.equal(fs.readdirSync(volume).length, 1);
		d.addUser('ann');
		assert.equal(inside(d, 'ann', 'ls -A | grep -c "^[af]$"').out.trim(), '0', 'a new one');
		d.ok(['user', 'delete', '-r', 'ann']);
		d.addUser('sam');
		assert.match(d.ok(['user', 'delete', '-r', 'sam']), /removed/);
	});
});

test('accounting: soft, named at start, counted once for all who ask; require storage ends it', async () => {
	await withDaemon({ users: ['ann', 'bob'], conf: 'audit { store }', isolation: 'storage 16M by accounting\nfiles 1000' }, async (d) => {
		assert.match(d.log, /isolation\.not-held what="storage limits that hold: homes are only counted"/);
		assert.match(d.log, /isolation\.storage by="accounting"/);
		assert.equal(inside(d, 'ann', 'head -c 30000000 /dev/zero > f; wc -c < f').out.trim(), '30000000');
		const many = await Promise.all(Array.from({ length: 8 }, () => new Promise((resolve) => {
			const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, '-j', 'sandbox', 'show', 'ann']);
			let out = '';
			c.stdout.on('data', (s) => { out += s; });
			c.on('close', () => resolve(JSON.parse(out)));
		})));
		for (const s of many) {
			assert.equal(s.storage_by, 'accounting');
			assert.equal(s.storage_at, many[0].storage_at);
			assert.ok(s.storage >= 30000000 && s.storage < 31 * MB, `${s.storage}`);
			assert.equal(s.files, many[0].files);
		}
		await waitFor('the line', () => /sandbox\.storage user="ann" uid=\d+ event="over" by="accounting" used=3\d{7} max=16777216/.test(d.log));
		assert.deepEqual(trail(d, 'ann').map((r) => r.event), ['over']);
		assert.equal(JSON.parse(d.ok(['-j', 'status'])).storage_over, 1);
		// Of one who has never been there.
		assert.equal(show(d, 'bob').storage, 0);
	});
	const d = new Daemon({ isolation: 'storage 16M by accounting\nrequire storage' });
	await d.prepare();
	await assert.rejects(d.start(), /storage has no limit that holds: storage is configured to be counted only/);
	await d.stop();
});

test('a disk without room: the user is told, and nothing half made is left', async () => {
	const d = new Daemon({ isolation: 'storage 64M by volume' });
	await d.prepare();
	// A disk of its own for data, nearly full.
	const disk = `${d.dir}/disk`;
	execFileSync('truncate', ['-s', '120M', disk]);
	execFileSync('mkfs.ext4', ['-q', '-F', '-N', '4096', disk]);
	fs.mkdirSync(`${d.dir}/mnt`);
	execFileSync('mount', ['-o', 'loop', disk, `${d.dir}/mnt`]);
	try {
		fs.chmodSync(`${d.dir}/mnt`, 0o711);
		d.data = `${d.dir}/mnt`;
		d.write();
		await d.start();
		for (const u of ['ann', 'bob']) d.addUser(u);
		execFileSync('fallocate', ['-l', '60M', `${d.dir}/mnt/ballast`]);
		const cookie = await d.login('ann');
		const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
		assert.equal(r.status, 507);
		assert.match(r.body, /disk has no room for a volume for ann: 64M are needed/);
		assert.deepEqual(fs.readdirSync(`${d.data}/volume`), []);
		assert.deepEqual(fs.readdirSync(`${d.data}/home`), []);
		assert.deepEqual(d.sandboxes(), []);
		await waitFor('the line', () => /storage\.disk/.test(d.log));
		// Plain folders, and no inode left.
		d.opts.isolation = 'storage 64M by accounting';
		d.write();
		d.ok(['reload']);
		fs.mkdirSync(`${d.data}/full`);
		try { for (let i = 0; i < 5000; i++) fs.writeFileSync(`${d.data}/full/${i}`, ''); } catch (e) { assert.equal(e.code, 'ENOSPC'); }
		const s = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
		assert.equal(s.status, 507, s.body);
		assert.match(s.body, /home of ann: the server.*s disk is full/);
		assert.deepEqual(fs.readdirSync(`${d.data}/home`), []);
		assert.deepEqual(d.sandboxes(), []);
		// And when there is room again, it works.
		fs.rmSync(`${d.data}/full`, { recursive: true });
		assert.equal(inside(d, 'ann', 'echo in').out, 'in\n');
	} finally {
		await d.stop({ keep: true });
		execFileSync('umount', [`${d.dir}/mnt`]);
		fs.rmSync(d.dir, { recursive: true, force: true });
	}
});

// The kernel may have no quotas at all.
function quotaDisk(dir) {
	const disk = `${dir}/disk`;
	execFileSync('truncate', ['-s', '600M', disk]);
	execFileSync('mkfs.ext4', ['-q', '-F', '-O', 'quota,project', '-E', 'quotatype=prjquota', disk]);
	fs.mkdirSync(`${dir}/mnt`);
	return spawnSync('mount', ['-o', 'loop,prjquota', disk, `${dir}/mnt`], { encoding: 'utf8' });
}

test('quota: EDQUOT at the limit, at the number of files, and no way out of the project', async (t) => {
	const d = new Daemon({ isolation: 'storage 64M\nfiles 2000' });
	await d.prepare();
	const m = quotaDisk(d.dir);
	if (m.status !== 0) {
		await d.stop();
		t.skip(`this kernel has no project quotas: ${m.stderr.trim()}`);
		return;
	}
	try {
		fs.chmodSync(`${d.dir}/mnt`, 0o711);
		d.data = `${d.dir}/mnt`;
		d.write();
		await d.start();
		assert.match(d.log, /isolation\.storage by="quota"/);
		for (const u of ['ann', 'bob']) d.addUser(u);
		assert.equal(inside(d, 'bob', 'echo in').out, 'in\n');
		const before = show(d, 'ann');
		assert.equal(before.storage_by, 'quota');
		const [errno] = inside(d, 'ann', fill).out.split(' ').map(Number);
		assert.equal(errno, 122);
		const full = show(d, 'ann');
		assert.ok(full.storage <= 64 * MB && full.storage > 64 * MB - 65536, `${full.storage}`);
		assert.equal(inside(d, 'bob', 'head -c 20000000 /dev/zero > f && wc -c < f').out.trim(), '20000000');
		inside(d, 'ann', 'rm fill');
		const [eno] = inside(d, 'ann', inodes(5000)).out.split(' ').map(Number);
		assert.equal(eno, 122);
		assert.equal(show(d, 'ann').files, 2000);
		assert.notEqual(inside(d, 'ann', 'chattr -p 0 data || chattr -P data').status, 0);
		inside(d, 'ann', 'rm -r many');
		d.opts.isolation = 'storage 16M\nfiles 2000';
		d.write();
		d.ok(['reload']);
		const [e2, n2] = inside(d, 'ann', fill).out.split(' ').map(Number);
		assert.equal(e2, 122);
		assert.ok(n2 <= 16 * MB && n2 > 15 * MB);
	} finally {
		await d.stop({ keep: true });
		execFileSync('umount', [`${d.dir}/mnt`]);
		fs.rmSync(d.dir, { recursive: true, force: true });
	}
});
