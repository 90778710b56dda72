// What the configuration adds to sandboxes: folders of the site's own, and user
// namespaces where they are allowed.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startDaemon, obj, waitFor } from './daemon.mjs';

const run = (d, user, ...c) => d.ctl(['sandbox', 'exec', user, '--', ...c]);
const sh = (d, user, script) => run(d, user, 'sh', '-c', script);
// Programs' words for EROFS, EPERM and so on.
const says = (r, words) => {
	assert.notEqual(r.status, 0, r.out);
	assert.match(r.err, words);
};

let dir;
before(() => {
	// Not in /tmp, which sandboxes have of their own.
	dir = fs.mkdtempSync('/srv/ided-test-');
	fs.chmodSync(dir, 0o755);
	for (const name of ['read', 'write', 'deep/er', 'hidden']) fs.mkdirSync(`${dir}/${name}`, { recursive: true });
	fs.writeFileSync(`${dir}/read/file`, 'for all\n');
	fs.writeFileSync(`${dir}/one`, 'one file\n');
	fs.writeFileSync(`${dir}/hidden/file`, 'for none\n');
	fs.chmodSync(`${dir}/write`, 0o1777);
	fs.symlinkSync(`${dir}/hidden`, `${dir}/link`);
	fs.copyFileSync('/usr/bin/id', `${dir}/read/rooted`);
	fs.chmodSync(`${dir}/read/rooted`, 0o6755);
	spawnSync('mknod', ['-m', '666', `${dir}/write/zero`, 'c', '1', '5']);
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

test("folders of the site's own", async () => {
	const d = await startDaemon({ users: ['ann', 'bob'],
		isolation: `bind "${dir}/read" read-only\nbind "${dir}/write" read-write\nbind "${dir}/deep/er"\nbind "${dir}/one" read-only` });
	try {
		assert.equal(sh(d, 'ann', `cat ${dir}/read/file ${dir}/one`).out, 'for all\none file\n');
		says(sh(d, 'ann', `echo x >${dir}/read/file`), /Read-only file system|Permission denied/);
		says(sh(d, 'ann', `echo x >${dir}/one`), /Read-only file system|Permission denied/);
		// What is not named is not there, beside it or above it.
		assert.deepEqual(sh(d, 'ann', `ls ${dir}`).out.trim().split('\n'), ['deep', 'one', 'read', 'write']);
		assert.equal(sh(d, 'ann', `ls ${dir}/deep`).out.trim(), 'er');
		says(sh(d, 'ann', `touch ${dir}/x`), /Read-only file system|Permission denied/);
		// Users share what may be written to, as its modes have it.
		assert.equal(sh(d, 'ann', `echo hello >${dir}/write/ann && chmod 600 ${dir}/write/ann && echo hi >${dir}/write/all`).status, 0);
		assert.equal(sh(d, 'bob', `cat ${dir}/write/all`).out, 'hi\n');
		says(sh(d, 'bob', `cat ${dir}/write/ann`), /Permission denied/);
		says(sh(d, 'bob', `rm -f ${dir}/write/all`), /not permitted/);
		// No set-user-ID, no device.
		assert.equal(run(d, 'ann', `${dir}/read/rooted`, '-u').out, run(d, 'ann', 'id', '-u').out);
		says(sh(d, 'ann', `head -c1 ${dir}/write/zero`), /Permission denied/);
		const mounts = sh(d, 'ann', 'cat /proc/self/mounts').out.split('\n').filter((l) => l.includes(dir));
		assert.equal(mounts.length, 4);
		for (const m of mounts) assert.match(m, /\bnosuid,nodev\b/);
		assert.equal(mounts.filter((m) => / ro,/.test(m)).length, 3);
	} finally { await d.stop(); }
});

test('a folder that is not there, or behind a link, is said before anything starts', () => {
	for (const [name, words] of [['none', /bind ".*none": No such file or directory/], ['link', /symbolic link/],
		['link/file', /symbolic link/]]) {
		const d = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-test-'));
		fs.writeFileSync(`${d}/conf`, `data "${d}"\nruntime "${d}/run"\nlisten on 127.0.0.1 port 1\n` +
			`isolation namespace { bind "${dir}/${name}" }\n`);
		fs.chmodSync(d, 0o711);
		const r = spawnSync(`${obj}/ided`, ['-n', '-f', `${d}/conf`], { encoding: 'utf8' });
		assert.equal(r.status, 1);
		assert.match(r.stderr, words);
		fs.rmSync(d, { recursive: true });
	}
});

test('one that goes away ends the start of a sandbox, and says so', async () => {
	const name = `${dir}/goes`;
	fs.mkdirSync(name);
	const d = await startDaemon({ users: ['ann'], isolation: `spare 0\nbind "${name}"` });
	try {
		// A link in its place leads nowhere.
		fs.rmdirSync(name);
		fs.symlinkSync(`${dir}/hidden`, name);
		const r = run(d, 'ann', 'true');
		assert.equal(r.status, 1);
		assert.match(r.err, /bind .*symbolic link/);
		await waitFor('the log', () => /sandbox\.failed.*symbolic link/.test(d.log));
		assert.deepEqual(d.sandboxes(), []);
		fs.unlinkSync(name);
		assert.match(run(d, 'ann', 'true').err, /bind .*No such file/);
		fs.mkdirSync(name);
		assert.equal(run(d, 'ann', 'true').status, 0);
	} finally { await d.stop(); }
});

test('a reload gives and takes folders, for sandboxes that start after it', async () => {
	const d = await startDaemon({ users: ['ann', 'bob'], isolation: `bind "${dir}/read"` });
	try {
		assert.equal(sh(d, 'ann', `cat ${dir}/read/file`).out, 'for all\n');
		d.opts.isolation = `bind "${dir}/one"`;
		d.write();
		d.ok(['reload']);
		assert.equal(sh(d, 'bob', `cat ${dir}/one; ls ${dir}`).out, 'one file\none\n');
		assert.equal(sh(d, 'ann', `cat ${dir}/read/file`).out, 'for all\n', 'one that runs keeps what it has');
		d.ok(['sandbox', 'stop', 'ann']);
		assert.equal(sh(d, 'ann', `cat ${dir}/one; ls ${dir}`).out, 'one file\none\n');
		// A bad one is refused, and the old stays.
		d.opts.isolation = `bind "${dir}/link"`;
		d.write();
		assert.notEqual(d.ctl(['reload']).status, 0);
		d.ok(['sandbox', 'stop', 'ann']);
		assert.equal(sh(d, 'ann', `ls ${dir}`).out, 'one\n');
	} finally { await d.stop(); }
});

test('user namespaces: refused by default', async () => {
	const d = await startDaemon({ users: ['ann'] });
	try {
		for (const flags of ['-U', '-Ur', '-Urm', '-Urn', '-Urpf', '-m', '-n'])
			says(run(d, 'ann', 'unshare', flags, 'true'), /Operation not permitted/);
	} finally { await d.stop(); }
});

test('user namespaces: where they are allowed, they work and lead nowhere', async (t) => {
	if (fs.readFileSync('/proc/sys/user/max_user_namespaces', 'latin1').trim() === '0') {
		t.skip('this kernel has them switched off');
		return;
	}
	const d = await startDaemon({ users: ['ann'], isolation: 'user-namespaces allow' });
	try {
		await waitFor('the log', () => /isolation\.not-held what="Landlock for files" why="user-namespaces/.test(d.log));
		assert.equal(run(d, 'ann', 'unshare', '-Ur', 'id', '-u').out.trim(), '0');
		const inside = (script) => run(d, 'ann', 'unshare', '-Urmnpf', 'sh', '-c', script);
		assert.equal(inside('mount -t tmpfs x /tmp && echo y >/tmp/z && cat /tmp/z').out, 'y\n');
		// The mounts of the sandbox stay as they are, and /proc cannot be had anew.
		says(inside('mount -o remount,rw,bind /usr && touch /usr/x'), /permission denied|not permitted|read-only/i);
		says(inside('umount /proc/sys'), /not mounted|Invalid argument|not permitted/i);
		says(inside('mount -t proc x /proc'), /permission denied|not permitted/i);
		says(inside('mount -t cgroup2 x /tmp'), /permission denied|not permitted|unknown|already mounted/i);
		says(inside('mount -t sysfs x /tmp'), /permission denied|not permitted/i);
		says(inside('mknod /tmp/null c 1 3'), /not permitted/);
		says(inside('ls /home/bob'), /No such file/);
		says(inside('chown 1:1 /home/ann/data'), /Invalid argument|not permitted/);
	} finally { await d.stop(); }
});

test('what the kernel has for all users together is named where one could take half of it', async () => {
	const all = (name) => Number(fs.readFileSync(`/proc/sys/${name}`, 'latin1'));
	for (const [memory, processes] of [['64M', 64], ['64G', 16384]]) {
		const d = await startDaemon({ isolation: `memory ${memory}\nprocesses ${processes}` });
		try {
			const bytes = parseInt(memory, 10) * (memory.endsWith('G') ? 2 ** 30 : 2 ** 20);
			const want = [['open files', 'fs/file-max', Math.min(processes * 65536, bytes / 256)], ['process numbers', 'kernel/pid_max', processes],
				['threads', 'kernel/threads-max', processes], ['filters of system calls', 'net/core/bpf_jit_limit', processes * 7 * 4096 * 16]];
			for (const [what, name, one] of want) {
				const line = `what="${what} for all users" why="${name} is ${all(name)}, and one user may take ${one}"`;
				assert.equal(d.log.includes(line), Math.floor(all(name) / 2) < one, `${line}\n${d.log}`);
			}
		} finally { await d.stop(); }
	}
});
