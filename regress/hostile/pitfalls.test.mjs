// Where systems of this kind were broken before: one script for each, run inside a
// session, with what makes it work elsewhere as its control where there can be one.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { processes, waitFor, freePort } from '../system/daemon.mjs';
import { startRecorder } from './backend.mjs';
import { attempt, inside, names, probe, serve } from './tables.mjs';

const PROCESSES = 200;
let d, share, rootServer, isolation, bob;
const uids = {};
const reached = []; // connections to root's own socket

before(async () => {
	share = fs.mkdtempSync('/srv/ided-test-');
	fs.chmodSync(share, 0o755);
	rootServer = net.createServer((s) => { reached.push(s); s.on('error', () => {}); s.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret'); });
	rootServer.listen(`${share}/root.sock`);
	await new Promise((r) => rootServer.on('listening', r));
	fs.chmodSync(`${share}/root.sock`, 0o777);
	d = await startRecorder({ users: ['ann', 'bob'], network: 'none', isolation: `processes ${PROCESSES}\nmemory 512M\nbind "${share}" read-only` });
	isolation = d.role('isolation')[0].pid;
	for (const user of ['ann', 'bob']) {
		uids[user] = Number(d.ok(['sandbox', 'exec', user, '--', 'id', '-u']));
		fs.copyFileSync(probe, `${d.home(user)}/data/probe`);
		fs.chmodSync(`${d.home(user)}/data/probe`, 0o755);
		fs.chownSync(`${d.home(user)}/data/probe`, uids[user], uids[user]);
	}
	bob = inside(d, 'bob', ['/home/bob/data/probe', 'serve', '/home/bob/data/socket', 'bob-is-here', String(await freePort()), '0x5d3d']);
	await serve(bob, 'bob');
});
after(async () => {
	bob?.kill('SIGKILL');
	await d?.stop().finally(() => rootServer?.close());
	if (share) fs.rmSync(share, { recursive: true });
});

// A shell script as ann; its output.
async function script(text, user = 'ann') {
	const p = inside(d, user, ['sh', '-s']);
	p.stdin.end(text);
	const status = await p.ended;
	return { status, out: p.out, err: p.err };
}
// Attempts in the form of the tables, all of which must be answered as they say.
async function must(rows, user = 'ann') {
	const wrong = [...await attempt(d, user, rows)].filter(([, { ok }]) => !ok).map(([n, { said }]) => `${n}: ${said}`);
	assert.equal(new Set(names(rows)).size, rows.length);
	assert.deepEqual(wrong, []);
}
const here = async (user) => assert.equal((await script('echo here', user)).out, 'here\n');
const box = (user) => d.sandboxes().find((s) => s.user === user);
const get = () => d.request('GET', '/ide/hello?folder=/', { headers: { authorization: `Bearer ${d.bearer}` } });

test('1: descriptors in messages: as many as a user can send stay the user\'s trouble', async () => {
	await d.spare(2); // they come when there is time, and each has a descriptor
	const open = fs.readdirSync(`/proc/${isolation}/fd`).length;
	const flood = inside(d, 'ann', ['/home/ann/data/probe']);
	flood.stdin.write('bomb inflight\n'.repeat(20));
	await waitFor('the first refusal', () => /ETOOMANYREFS/.test(flood.out), 20000);
	// Meanwhile a command of bob's takes three descriptors to get to him.
	await here('bob');
	flood.stdin.end();
	await flood.ended;
	assert.deepEqual([...new Set(flood.out.trim().split('\n'))], ['ETOOMANYREFS']);
	await here('ann');
	assert.equal((await get()).status, 200);
	await waitFor('nothing to be left open', () => fs.readdirSync(`/proc/${isolation}/fd`).length <= open);
});

test("2: the channel to isolation: no program of the user's gets to speak on it", async () => {
	const control = `${d.runtime}/sandbox/${uids.ann}/ctl`;
	assert.ok(fs.existsSync(control), 'control: it is there');
	await must([`by-path | path ${control} | ENOENT`, `by-folder | list ${d.runtime}/sandbox | ENOENT`,
		'by-proc | list /proc/1/fd | ENOENT', 'by-pidfd | pidfd-get 1 | EPERM', 'by-trace | ptrace 1 | EPERM', 'inherited | fds | 0 1 2']);
	// Local sockets of the sandbox: the control socket has no name that leads to it.
	const unix = (await script('cat /proc/net/unix')).out.trim().split('\n').slice(1).map((l) => l.split(/\s+/)[7]).filter(Boolean);
	assert.deepEqual([...new Set(unix)].filter((n) => !n.startsWith('/run/ide/') && !n.startsWith('@')), []);
	// As another uid outside, of those that ided runs workers as.
	const other = spawn(probe, [], { uid: uids.ann, gid: uids.ann, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
	let said = '';
	other.stdout.on('data', (s) => { said += s; });
	other.stdin.end(`path ${control}\n`);
	await new Promise((r) => other.on('close', r));
	assert.equal(said, 'EACCES\n');
});

test('3: user namespaces, by every call that makes or enters one', async () => {
	const r = await script(`for f in U Ur Urm Urn Urpf Uru Uri m n p u i C T; do unshare -$f true 2>&1; done
nsenter -t $$ -U true 2>&1; nsenter -t $$ -n true 2>&1`);
	const lines = r.out.trim().split('\n');
	assert.equal(lines.length, 16, r.out);
	for (const l of lines) assert.match(l, /Operation not permitted/);
	await must(['clone | number 56 0x10000011 0 0 | EPERM', 'high-bit | number 56 0x110000011 0 0 | EPERM',
		'high-half | number 56 0xffffffff10000011 0 0 | EPERM', 'clone3 | call clone3 0 | ENOSYS', 'setns | call setns 0 | EPERM',
		'map | open /proc/self/uid_map rw | ok', 'mapped | write /proc/self/uid_map 0 | EPERM', 'groups | write /proc/self/setgroups deny | EACCES']);
});

test('4: /proc: no way to the host by what is open, running or masked there', async () => {
	// By a working folder or descriptor that was left open across an exec.
	const r = await script(`for n in $(seq 0 40); do cd /proc/self/fd/$n/ 2>/dev/null && pwd -P; done; cd /; cd ../../..; pwd
for p in /proc/[0-9]*; do for n in cwd root exe; do readlink $p/$n; done; done 2>/dev/null | sort -u`);
	for (const l of r.out.trim().split('\n')) assert.match(l, /^(\/|\/home\/ann.*|\/usr\/.*|\/opt\/ide\/.*|\/bin\/.*)$/);
	// By its program's file, to be run again as who knows whom.
	await must(['exe-of-first | overwrite /proc/1/exe | ENOENT', 'exe-of-shell | overwrite /proc/self/exe | ETXTBSY',
		'exe-of-ide | overwrite /opt/ide/node/bin/node | EACCES', 'loader | open /lib64/ld-linux-x86-64.so.2 rw | EACCES',
		'null-removed | unlink /dev/null | EROFS', 'null-renamed | rename /dev/null /dev/nil | EROFS',
		'null-linked | link /proc/sys/kernel/core_pattern /dev/pattern | EROFS', 'core-pattern | write /proc/sys/kernel/core_pattern x | EACCES',
		'sysrq | write /proc/sysrq-trigger b | ok or ENOENT', 'modprobe | write /proc/sys/kernel/modprobe /tmp/x | EACCES or ENOENT']);
	assert.equal((await script(': >/dev/null; stat -c %t:%T /dev/null')).out, '1:3\n');
	// What runs as its first process is a copy of its own.
	const exe = fs.readlinkSync(`/proc/${box('ann').pid}/exe`);
	assert.match(exe, /^\/memfd:ide-session/);
	await here('bob');
});

test('5: one uid for all that is the user\'s: ide-session keeps its own from the rest', async () => {
	const { pid } = box('ann');
	await must(['trace | ptrace 1 | EPERM', 'read | vmread 1 | EPERM', 'memory | open /proc/1/mem rw | ENOENT', 'environment | open /proc/1/environ r | ENOENT',
		'maps | open /proc/1/maps r | ENOENT', 'descriptors | list /proc/1/fd | ENOENT', 'hidden | stat /proc/1 | ENOENT',
		'signalled | kill 1 9 | ok', 'stopped | kill 1 19 | ok', 'faulted | kill 1 11 | ok', 'by-queue | queue-signal 1 9 | ok',
		'oom | open /proc/1/oom_score_adj rw | ENOENT']);
	// Signals are heard, and end nothing.
	await here('ann');
	assert.equal(box('ann').pid, pid);
	// Its programs do not hear of it by being killed all at once either.
	await script('kill -9 -1');
	await here('ann');
	assert.equal(box('ann').pid, pid);
	await here('bob');
});

test('5: what the first process starts is its copy at first: caught then, it has nothing of its', async (t) => {
	const p = inside(d, 'ann', ['/home/ann/data/probe']);
	p.stdin.end('catch 3\n');
	await waitFor('it to lie in wait', () => /catching/.test(p.out));
	let over = false, n = 0;
	p.ended.then(() => { over = true; });
	for (; !over; n++) await script('true');
	t.diagnostic(`${n} programs, ${p.err.trim()}`);
	assert.equal(p.out, 'catching\n0 descriptors\n');
	assert.ok(n > 3);
});

test("5: limits of the first process can be lowered by its user: what comes of it is the user's", async () => {
	for (const [what, value] of [['nofile', 0], ['memory', 4096]]) {
		await must([`${what} | limit-set 1 ${what} ${value} | ok`]);
		await script('true'); // which may be the end of it
		d.ctl(['sandbox', 'stop', 'ann']);
		await waitFor('its end', () => !box('ann'));
		assert.equal(d.role('isolation')[0].pid, isolation);
		await here('bob');
		await here('ann');
	}
});

test('6: typing into a terminal that somebody else reads', async () => {
	const rows = [];
	for (const [name, request] of Object.entries({ TIOCSTI: 0x5412n, TIOCLINUX: 0x541cn, TIOCCONS: 0x541dn, TIOCSETD: 0x5423n }))
		for (const high of [0n, 1n << 32n, 0xffffffffn << 32n])
			rows.push(`${name}-${high >> 32n} | terminal ${request + high} | EPERM`);
	rows.push(`FIONREAD | terminal ${0x541b} | ok`);
	await must(rows);
	// And a session has no terminal but those that it makes.
	assert.match((await script('tty; echo x >/dev/tty')).out, /not a tty/);
	await must(['own | list /dev/pts | ptmx', 'controlling | open /dev/tty rw | ENXIO', 'host | open /dev/console rw | ENOENT', 'screen | open /dev/tty0 rw | ENOENT']);
});

test('7: control groups: not to be written, not to be left, and nothing outlives their end', async () => {
	await must(['v1 | mount x /tmp cgroup | EPERM', 'v2 | mount x /tmp cgroup2 | EPERM', 'files | list /sys/fs/cgroup | ENOENT',
		'release-agent | create /sys/fs/cgroup/memory/release_agent | ENOENT', 'namespace | unshare 0x2000000 | EPERM']);
	for (const line of (await script('cat /proc/self/cgroup')).out.trim().split('\n')) assert.match(line, /:\/$/);
	// Daemons: their parents are gone, their sessions are their own, signals they do not heed.
	await script(`for i in 1 2 3; do setsid sh -c 'trap "" TERM HUP INT; (while :; do sleep 1000; done) & (while :; do sleep 1000; done)' >/dev/null 2>&1 </dev/null & done; sleep 1`);
	const mine = processes().filter((p) => p.uid === uids.ann);
	assert.ok(mine.filter((p) => p.name === 'sleep').length >= 6, 'control: they run');
	// And what is stopped where the kernel waits for it: on its way out, or in.
	const hard = inside(d, 'ann', ['/home/ann/data/probe']);
	hard.stdin.write('linger 5\n');
	await waitFor('them to be there', () => /lingering/.test(hard.out));
	const group = (pid) => fs.readFileSync(`/proc/${pid}/cgroup`, 'latin1').split('\n').filter((l) => l.includes('/ided-'));
	if (group(box('ann').pid).length > 0)
		for (const p of mine) assert.deepEqual(group(p.pid), group(box('ann').pid), `${p.name} is in the sandbox's groups`);
	d.ok(['sandbox', 'stop', 'ann']);
	await waitFor('all of them to end', () => processes().every((p) => p.uid !== uids.ann));
	await here('bob');
	await here('ann');
});

test("7: memory that the kernel counts to nobody: netlink's", async () => {
	// A thousand are none of ided's business; thousands end what has them.
	const few = inside(d, 'ann', ['/home/ann/data/probe']), { pid } = box('ann');
	few.stdin.end('bomb netlink 1000\n');
	const used = () => fs.readFileSync(`/proc/${pid}/net/netlink`, 'latin1').split('\n').length;
	await waitFor('a thousand', () => used() > 1000);
	const at = Date.now();
	await waitFor('several looks', () => Date.now() - at > 2500);
	await here('ann');
	assert.equal(box('ann').pid, pid);
	const many = inside(d, 'ann', ['/home/ann/data/probe']);
	many.stdin.end('bomb netlink 4000\n');
	await many.ended;
	assert.match(many.err, /a program kept thousands of netlink sockets open/);
	await waitFor('the log', () => /sandbox\.netlink user="ann"/.test(d.log));
	await here('bob');
	await here('ann');
	assert.notEqual(box('ann').pid, pid);
});

test('8: set-user-ID: of the system, of the home, of a folder of the site, by file capabilities', async () => {
	const rooted = [`${d.home('ann')}/data/rooted`, `${share}/rooted`];
	for (const f of rooted) {
		fs.copyFileSync(probe, f);
		fs.chmodSync(f, 0o6755);
	}
	const own = `${uids.ann} ${uids.ann} ${uids.ann}`;
	await must([`home | run /home/ann/data/rooted | ${own}`, `site | run ${share}/rooted | ${own}`,
		'capability | setxattr /home/ann/data/probe security.capability | EPERM', 'bit | chmod /home/ann/data/rooted 6755 | EPERM',
		'ambient | prctl 47 2 21 0 | EPERM', 'off | prctl 38 0 0 0 | EINVAL']);
	// A bit of one's own leads to oneself.
	const r = await script('cp /home/ann/data/probe /tmp/mine && chmod 6755 /tmp/mine && /tmp/mine uid');
	assert.equal(r.out, `${own}\n`);
	for (const program of ['su -c id', 'sudo -n id', 'mount -t tmpfs x /tmp', 'newgrp root', 'pkexec id', 'at now'])
		assert.notEqual((await script(`${program} </dev/null`)).status, 0, program);
	for (const f of rooted) fs.rmSync(f);
});

test('9: the IDE\'s socket: whatever the user puts in its place leads to the user', async () => {
	const answers = () => waitFor('the IDE to answer', async () => (await get()).status === 200, 30000);
	// In its place: a link to a socket of root's that the user may connect to, which
	// he can do himself but ided must not do for others, and what is no socket.
	const control = await script(`python3 -c 'import socket
s = socket.socket(socket.AF_UNIX); s.connect("${share}/root.sock"); print(s.recv(99)[-6:].decode())'`);
	assert.equal(control.out, 'secret\n', `control: ${control.err}`);
	reached.length = 0;
	for (const [what, make] of Object.entries({ 'a link to a socket of root': `ln -s ${share}/root.sock /run/ide/code.sock`,
		'a link to a link': `ln -s ${share}/root.sock /tmp/l && ln -s /tmp/l /run/ide/code.sock`,
		"a link to ided's": `ln -s ${d.runtime}/ided.sock /run/ide/code.sock`, 'a fifo': 'mkfifo /run/ide/code.sock',
		'a file': ': >/run/ide/code.sock', 'a folder': 'mkdir /run/ide/code.sock', 'a loop': 'ln -s code.sock /run/ide/code.sock' })) {
		// Each costs its time limits: two of them, if there is not much time.
		if (!process.env.IDED_LONG && !['a link to a link', 'a folder'].includes(what)) continue;
		await answers();
		assert.equal((await script(`rm -rf /run/ide/code.sock && ${make}`)).status, 0, what);
		const r = await get();
		assert.notEqual(r.body, 'secret', what);
		assert.ok([502, 503, 504].includes(r.status), `${what}: ${r.status} ${r.body}`);
		assert.equal(d.role('isolation')[0].pid, isolation);
		await here('bob');
		// For the user to bear: it may have been ended for it, or has an IDE no more.
		d.ctl(['sandbox', 'stop', 'ann']);
	}
	await answers();
});

test('10: process numbers come round, and nobody else is ended', async () => {
	const { pid } = box('ann');
	// Who outlives whom: a process with a number that will be free, and 40000 others.
	await must(['numbers | bomb numbers 40000 | ok']);
	assert.equal(box('ann').pid, pid);
	process.kill(pid, 'SIGKILL');
	await waitFor('the end of the sandbox', () => box('ann')?.pid !== pid);
	assert.ok(bob.exitCode === null && /ready/.test(bob.out), 'bob\'s program runs');
	await here('bob');
	await here('ann');
	assert.equal(d.role('isolation')[0].pid, isolation);
});
