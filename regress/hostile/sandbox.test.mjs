// From inside ann's sandbox, with bob at work in his: what can be reached, and
// what the kernel answers.  The questions are those of probe/.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { startDaemon, freePort, obj, processes, sleep, waitFor } from '../system/daemon.mjs';
import { probe } from './tables.mjs';

const PROCESSES = 128;
const MEMORY = 256;
let d, port, hostPort, hostServer, bobPid, annUid, bobUid, held;
const KEY = '0x1d3d';
const secret = crypto.randomBytes(16).toString('hex');

const exec = (user, args, { input, timeout = 30000 } = {}) => {
	const r = spawnSync(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', user, '--', ...args],
		{ input: input ?? '', encoding: 'utf8', timeout });
	return { status: r.status, out: r.stdout, err: r.stderr };
};
const at = (user) => `/home/${user}/data/probe`;
// Answers to questions, in their order.
const ask = (user, questions) => {
	const r = exec(user, [at(user)], { input: questions.map((q) => `${q}\n`).join('') });
	assert.equal(r.status, 0, r.err);
	const lines = r.out.split('\n').slice(0, -1).map((l) => l.trim());
	assert.equal(lines.length, questions.length, r.out);
	return lines;
};
const one = (user, q) => ask(user, [q])[0];
// The same questions outside, as root or as a user without a sandbox.
const outside = (questions, uid) => {
	const r = spawnSync(probe, [], { cwd: '/', input: questions.map((q) => `${q}\n`).join(''), encoding: 'utf8',
		...(uid ? { uid, gid: uid } : {}) });
	return r.stdout.split('\n').slice(0, -1).map((l) => l.trim());
};

function check(rows, user = 'ann') {
	const got = ask(user, rows.map(([q]) => q));
	const wrong = rows.flatMap(([q, want, what], i) => ([].concat(want).includes(got[i]) ? [] :
		[`${what || q}: ${got[i]} instead of ${want}`]));
	assert.deepEqual(wrong, []);
}

before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], network: 'none', isolation: `processes ${PROCESSES}\nmemory ${MEMORY}M` });
	port = await freePort();
	hostPort = await freePort();
	hostServer = net.createServer((s) => s.destroy()).listen(hostPort, '127.0.0.1');
	for (const user of ['ann', 'bob']) {
		const r = exec(user, ['id', '-u'], { timeout: 60000 });
		assert.equal(r.status, 0, r.err);
		const uid = Number(r.out);
		if (user === 'ann') annUid = uid; else bobUid = uid;
		const to = `${d.home(user)}/data/probe`;
		fs.copyFileSync(probe, to);
		fs.chmodSync(to, 0o755);
		fs.writeFileSync(`${d.home(user)}/data/secret`, secret, { mode: 0o644 });
		fs.chownSync(`${d.home(user)}/data/secret`, uid, uid);
	}
	held = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'bob', '--',
		at('bob'), 'serve', '/home/bob/data/socket', 'bob-is-here', String(port), KEY], { stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	held.stdout.on('data', (s) => { said += s; });
	held.stderr.on('data', (s) => { said += s; });
	await waitFor("bob's servers", () => /ready/.test(said), 20000).catch((e) => { throw new Error(`${e.message}: ${said}`); });
	bobPid = processes().find((p) => p.uid === bobUid && p.name === 'probe').pid;
});
after(async () => {
	held?.kill('SIGKILL');
	hostServer?.close();
	await d?.stop();
});

test("bob's things are there, for bob and for those outside (control)", () => {
	const own = [['open /home/bob/data/secret r', 'ok'], ['path /home/bob/data/socket', 'ok'],
		['abstract bob-is-here', 'ok'], [`tcp 127.0.0.1 ${port}`, 'ok'], [`shm ${KEY}`, 'ok'],
		['queue /bob-is-here', 'ok'], ['open /tmp/bob-is-here rw', 'ok'], ['open /dev/shm/bob-is-here rw', 'ok']];
	check(own, 'bob');
	assert.deepEqual(outside([`open ${d.home('bob')}/data/secret r`, `kill ${bobPid} 0`, `ptrace ${bobPid}`,
		`open /proc/${bobPid}/environ r`, `tcp 127.0.0.1 ${hostPort}`, `tcp 127.0.0.1 ${d.port}`,
		`path ${d.runtime}/ided.sock`]), Array(7).fill('ok'));
});

test("other users' files", () => {
	const home = `${d.data}/home/bob`;
	check([
		['open /home/bob r', 'ENOENT'], ['open /home/bob/data/secret r', 'ENOENT'],
		['stat /home/bob', 'ENOENT'], ['create /home/bob', ['EROFS', 'EACCES']],
		['create /home/x', ['EROFS', 'EACCES']],
		['list /home', 'ann'],
		['open /home/ann/../bob/data/secret r', 'ENOENT'],
		[`open ${home}/data/secret r`, 'ENOENT'], [`list ${d.data}`, 'ENOENT'], [`list ${d.data}/volume`, 'ENOENT'], [`list ${d.dir}`, 'ENOENT'],
		['open /tmp/bob-is-here r', 'ENOENT'], ['open /dev/shm/bob-is-here r', 'ENOENT'], ['open /var/tmp/bob-is-here r', 'ENOENT'],
		['list /run', 'ide'], ['list /root', ''], ['open /etc/shadow r', 'ENOENT'], ['open /etc/ssl/private r', 'ENOENT'],
		['open /home/ann/data/secret r', 'ok', 'control: the own one'],
	]);
	const passwd = exec('ann', ['cat', '/etc/passwd']).out;
	assert.doesNotMatch(passwd, /bob|_ided/);
});

test("other users' processes", () => {
	const [pids, proc] = ask('ann', ['pids', 'list /proc']);
	const inside = pids.split(' ').map(Number);
	// Pids that ann can name are those of her own namespace.
	const ns = fs.readlinkSync(`/proc/${d.sandboxes().find((s) => s.user === 'ann').pid}/ns/pid`);
	const own = processes().filter((p) => {
		try { return fs.readlinkSync(`/proc/${p.pid}/ns/pid`) === ns; } catch { return false; }
	});
	assert.ok(inside.length <= own.length + 2, `${inside} of ${own.length}`);
	assert.ok(inside.every((p) => p < 2000), 'numbers of its own namespace');
	const shown = proc.split(' ').filter((n) => /^\d+$/.test(n)).map(Number);
	assert.ok(shown.every((p) => inside.includes(p)));
	const signals = [0, 9, 15, 19].map((s) => [`kill ${bobPid} ${s}`, 'ESRCH']);
	const master = d.pid;
	check([...signals, [`kill ${master} 0`, 'ESRCH'], [`ptrace ${bobPid}`, 'ESRCH'], [`ptrace ${master}`, 'ESRCH'],
		[`vmread ${bobPid}`, 'ESRCH'], [`pidfd ${bobPid}`, 'ESRCH'],
		[`open /proc/${bobPid}/mem rw`, 'ENOENT'], [`open /proc/${bobPid}/environ r`, 'ENOENT'],
		[`readlink /proc/${bobPid}/root`, 'ENOENT'], [`readlink /proc/${bobPid}/cwd`, 'ENOENT'],
		[`open /proc/${bobPid}/root/home/bob/data/secret r`, 'ENOENT']]);
	assert.ok(fs.existsSync(`/proc/${bobPid}`), 'bob still runs');
});

test('the first process of the own sandbox', async () => {
	const pid = d.sandboxes().find((s) => s.user === 'ann').pid;
	check([['ptrace 1', 'EPERM'], ['vmread 1', 'EPERM'], ['stat /proc/1', 'ENOENT'],
		['open /proc/1/mem rw', 'ENOENT'], ['readlink /proc/1/exe', 'ENOENT'], ['readlink /proc/1/root', 'ENOENT'],
		['list /proc/1/fd', 'ENOENT'], ['open /proc/1/environ r', 'ENOENT']]);
	ask('ann', ['kill 1 9', 'kill 1 19', 'kill 1 15', 'kill 1 11']);
	await sleep(200);
	assert.equal(d.sandboxes().find((s) => s.user === 'ann')?.pid, pid, 'signals from inside do not end it');
	assert.equal(exec('ann', ['true']).status, 0);
});

test("other users' sockets, ports, memory and queues", () => {
	check([['abstract bob-is-here', 'ECONNREFUSED'], ['path /home/bob/data/socket', 'ENOENT'],
		[`tcp 127.0.0.1 ${port}`, 'ECONNREFUSED'], [`shm ${KEY}`, 'ENOENT'], ['queue /bob-is-here', 'ENOENT']]);
});

test("the host's ports and names", () => {
	const addr = Object.values(os.networkInterfaces()).flat().find((a) => a.family === 'IPv4' && !a.internal)?.address;
	check([[`tcp 127.0.0.1 ${hostPort}`, 'ECONNREFUSED'], [`tcp 127.0.0.1 ${d.port}`, 'ECONNREFUSED'],
		[`tcp 127.9.9.9 ${d.port}`, 'ECONNREFUSED'],
		[`tcp ${addr || '192.0.2.1'} ${d.port}`, 'ENETUNREACH'], ['tcp 169.254.169.254 80', 'ENETUNREACH']]);
	assert.doesNotMatch(exec('ann', ['cat', '/proc/net/unix']).out, /ided|bob/);
	const tcp = exec('ann', ['cat', '/proc/net/tcp']).out;
	assert.doesNotMatch(tcp, new RegExp(`:${d.port.toString(16).toUpperCase().padStart(4, '0')} `));
	assert.deepEqual([...exec('ann', ['cat', '/proc/net/dev']).out.matchAll(/^\s*(\S+):/gm)].map((m) => m[1]), ['lo']);
});

test("ided's own files, sockets and keys", () => {
	const paths = [`${d.data}/store`, `${d.data}/lock`, `${d.dir}/server.key`, `${d.dir}/server.crt`, d.conf, d.runtime,
		`${d.runtime}/ided.sock`, obj, `${obj}/ided`];
	check([...paths.map((p) => [`open ${p} r`, 'ENOENT']), [`path ${d.runtime}/ided.sock`, 'ENOENT']]);
	for (const p of [...paths, hostServer && probe]) assert.ok(fs.existsSync(p), `control: ${p}`);
});

test('/proc tells nothing of the host, and steers nothing', () => {
	check([
		['write /proc/sys/kernel/core_pattern |/bin/sh', ['EACCES', 'EROFS']],
		['write /proc/sys/vm/overcommit_memory 1', ['EACCES', 'EROFS']],
		['write /proc/sys/kernel/hostname evil', ['EACCES', 'EROFS', 'EPERM']],
		// What is masked is /dev/null, and takes everything.
		['write /proc/sysrq-trigger c', fs.existsSync('/proc/sysrq-trigger') ? 'ok' : 'ENOENT'],
		['open /proc/kmsg r', ['EPERM', 'ENOENT', 'ok']],
		['write /proc/irq/default_smp_affinity 1', ['EACCES', 'EROFS', 'ENOENT']],
	]);
	// What is masked is an empty file; the sysrq above went nowhere.
	for (const f of ['kcore', 'keys', 'key-users', 'timer_list', 'kallsyms', 'kmsg', 'slabinfo', 'iomem', 'interrupts',
		'sysrq-trigger', 'sched_debug', 'config.gz'])
		if (fs.existsSync(`/proc/${f}`)) {
			const r = exec('ann', ['sh', '-c', `test -c /proc/${f} && cat /proc/${f} | wc -c`]);
			assert.equal(r.out.trim(), '0', `/proc/${f}: ${r.out}${r.err}`);
		}
	const mounts = exec('ann', ['cat', '/proc/self/mounts']).out.trim().split('\n').map((l) => l.split(' '));
	for (const [what, where, type, options] of mounts) {
		assert.match(options, /(^|,)nosuid(,|$)/, `${where}: nosuid`);
		if (!/^\/dev\/(null|zero|full|u?random|tty|pts)$/.test(where) && what !== 'devpts' && !where.startsWith('/proc/'))
			assert.match(options, /(^|,)nodev(,|$)/, `${where}: nodev`);
		assert.ok(!['cgroup', 'cgroup2', 'sysfs', 'securityfs', 'debugfs', 'tracefs', 'bpf'].includes(type), `${type} at ${where}`);
		assert.ok(!`${what} ${where}`.includes(d.dir), `${what} at ${where}`);
	}
	// Of the host's devices single ones, each by itself.
	for (const line of exec('ann', ['cat', '/proc/self/mountinfo']).out.trim().split('\n')) {
		const [, , , root, where] = line.split(' ');
		if (/ - devtmpfs /.test(line)) assert.match(root, /^\/(null|zero|full|u?random|tty)$/, where);
	}
	const writable = mounts.filter(([, , , o]) => /(^|,)rw(,|$)/.test(o)).map(([, w]) => w)
		.filter((w) => !w.startsWith('/dev/') && w !== '/proc' && !w.startsWith('/proc/'));
	assert.deepEqual(writable.sort(), ['/home/ann', '/run/ide', '/tmp']);
});

test('control groups: not there, and nothing of the path above', () => {
	check([['list /sys', 'ENOENT'], ['list /sys/fs/cgroup', 'ENOENT'], ['open /sys/fs/cgroup/cgroup.procs rw', 'ENOENT'],
		['mount cgroup /tmp cgroup', 'EPERM'], ['mount cgroup2 /tmp cgroup2', 'EPERM']]);
	for (const line of exec('ann', ['cat', '/proc/self/cgroup']).out.trim().split('\n'))
		assert.match(line, /:\/$/, `${line} shows where it stands`);
});

test('identities: no other uid, no group, no set-uid program, no capability', () => {
	const home = `${d.home('ann')}/data`;
	// Even if root itself left one in the home.
	for (const rooted of [`${home}/rooted`, `${d.dir}/rooted`]) {
		fs.copyFileSync(probe, rooted);
		fs.chmodSync(rooted, 0o6755);
	}
	assert.equal(spawnSync(`${d.dir}/rooted`, ['uid'], { encoding: 'utf8', uid: annUid, gid: annUid, cwd: '/' }).stdout.trim(),
		`${annUid} 0 0`, 'control: outside it is root');
	check([['setuid 0', 'EPERM'], [`setuid ${bobUid}`, 'EPERM'], ['setgroups 0', 'EPERM'],
		['run /home/ann/data/rooted', `${annUid} ${annUid} ${annUid}`], ['ids', `${annUid} ${annUid} ${annUid}`],
		['chmod /home/ann/data/rooted 4755', 'EPERM']]);
	fs.rmSync(`${home}/rooted`);
	const status = exec('ann', ['cat', '/proc/self/status']).out;
	for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
		assert.match(status, new RegExp(`${set}:\\s+0{16}\\n`), set);
	assert.match(status, /NoNewPrivs:\s+1\n/);
	assert.match(status, /Seccomp:\s+2\n/);
	assert.match(status, new RegExp(`Groups:\\s*(${annUid} ?)?\\n`));
	// And those of the system do not work.
	for (const program of ['/usr/bin/su', '/usr/bin/mount', '/usr/bin/passwd'])
		if (fs.existsSync(program)) assert.notEqual(exec('ann', program === '/usr/bin/su' ? [program, '-c', 'id'] :
			program === '/usr/bin/mount' ? [program, '-t', 'tmpfs', 'x', '/tmp'] : [program, '-d']).status, 0, program);
});

test('devices: the harmless ones, no other, and none can be made', () => {
	assert.deepEqual(ask('ann', ['list /dev'])[0].split(' ').sort(), ['fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm',
		'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero']);
	// One that is there does not open.
	const node = `${d.home('ann')}/data/node`;
	spawnSync('mknod', ['-m', '666', node, 'c', '1', '5']);
	check([['open /home/ann/data/node r', 'EACCES'], ['mknod /tmp/x c 1 1', 'EPERM'], ['mknod /tmp/x b 8 0', 'EPERM'],
		['mknod /home/ann/data/x c 1 1', 'EPERM'], ['open /dev/mem r', 'ENOENT'], ['open /dev/kmsg r', 'ENOENT'],
		['open /dev/fuse r', 'ENOENT'], ['open /dev/kvm r', 'ENOENT'], ['open /dev/net/tun r', 'ENOENT']]);
	fs.rmSync(node);
});

test('the system is read only', () => {
	check(['/usr/x', '/etc/x', '/etc/passwd', '/opt/ide/x', '/x', '/bin/x', '/proc/x', '/dev/x', '/run/x', '/home/x']
		.map((p) => [`create ${p}`, ['EROFS', 'EACCES', 'ENOENT']]));
	check([['unlink /usr/bin/id', ['EROFS', 'EACCES']], ['chmod /usr/bin/id 777', ['EROFS', 'EPERM']],
		['write /usr/bin/id x', ['EROFS', 'EACCES', 'ETXTBSY']], ['create /tmp/x', 'ok'], ['create /home/ann/data/x', 'ok']]);
});

// --- system calls ---

const blocked = `_sysctl acct add_key afs_syscall bpf chroot clock_settime clone3 create_module
delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy getpmsg
init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl
lookup_dcookie mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree
perf_event_open pidfd_getfd pivot_root process_madvise putpmsg query_module quotactl quotactl_fd reboot request_key
security set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff swapon sysfs
syslog tuxcall umount2 unshare uselib userfaultfd ustat vhangup vserver`.split(/\s+/);

test('the 68 system calls that containers have not', () => {
	assert.equal(blocked.length, 68);
	const rows = blocked.flatMap((name) => [0, 1, '0xffffffffffffffff'].map((arg) =>
		[`call ${name} ${arg}`, name === 'clone3' ? 'ENOSYS' : 'EPERM']));
	check(rows);
	// Control: a user outside has some of them.
	const free = outside(rows.map(([q]) => q), annUid);
	const differ = rows.filter(([, want], i) => free[i] !== want).length;
	assert.ok(differ > 60, `only ${differ} of ${rows.length} differ outside`);
});

test('calls by argument: namespaces, families of sockets, terminals, personalities', () => {
	const NEW = { NEWNS: 0x20000, NEWCGROUP: 0x2000000, NEWUTS: 0x4000000, NEWIPC: 0x8000000, NEWUSER: 0x10000000,
		NEWPID: 0x20000000, NEWNET: 0x40000000 };
	const rows = Object.entries(NEW).map(([n, v]) => [`number 56 ${v | 17} 0 0`, 'EPERM', `clone of ${n}`]);
	// In the upper half it is the same to the kernel.
	rows.push(['number 56 0x100020011 0 0', 'EPERM', 'clone of NEWNS with a high bit']);
	const families = { packet: 17, vsock: 40, alg: 38, bluetooth: 31, can: 29, xdp: 44, rds: 21, tipc: 30, nfc: 39, kcm: 41,
		key: 15, x25: 9, smc: 43, qipcrtr: 42 };
	for (const [n, f] of Object.entries(families)) rows.push([`socket ${f} 3 0`, 'EPERM', `socket of ${n}`]);
	for (const proto of [2, 4, 9, 12, 15, 16]) rows.push([`socket 16 3 ${proto}`, 'EPERM', `netlink ${proto}`]);
	rows.push(['number 41 0x100000026 3 0', 'EPERM', 'socket of alg with a high bit']);
	rows.push(['socket 2 3 1', 'EPERM', 'raw socket'], ['socket 2 3 255', 'EPERM', 'raw socket'], ['socket 10 3 58', 'EPERM', 'raw socket']);
	rows.push(['socket 1 1 0', 'ok'], ['socket 2 1 0', 'ok'], ['socket 10 1 0', 'ok'], ['socket 16 3 0', 'ok']);
	const TIOCSTI = 0x5412, TIOCLINUX = 0x541c, TIOCSETD = 0x5423, FIONREAD = 0x541b;
	for (const [n, v] of Object.entries({ TIOCSTI, TIOCLINUX, TIOCSETD })) {
		rows.push([`terminal ${v}`, 'EPERM', n]);
		rows.push([`terminal ${2 ** 32 + v}`, 'EPERM', `${n} with a high bit`]);
	}
	rows.push([`terminal ${FIONREAD}`, 'ok', 'control: another request']);
	for (const p of ['0x4000000', '0x100000', '0x400000', '0x8000000', '0x1']) rows.push([`number 135 ${p} 0 0`, 'EPERM', `personality ${p}`]);
	check(rows);
	assert.equal(outside([`terminal ${TIOCSTI}`], annUid)[0], fs.existsSync('/proc/sys/dev/tty/legacy_tiocsti') &&
		fs.readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'latin1').trim() === '0' ? 'EIO' : 'ok', 'control: typing works outside');
});

test('calls of other architectures kill, and those that are newer do not exist', () => {
	check([['int80', 'SIGSYS'], ['number 0x40000027 0 0 0', 'SIGSYS', 'x32 getpid'], ['number 0x40000208 0 0 0', 'SIGSYS', 'x32 execve'],
		['number 480 0 0 0', 'ENOSYS'], ['number 500 0 0 0', 'ENOSYS']]);
});

test('nothing of ided is left open in a program of the user', () => {
	assert.equal(one('ann', 'fds'), '0 1 2');
	const pid = d.sandboxes().find((s) => s.user === 'ann').pid;
	for (const p of processes().filter((q) => q.uid === annUid))
		for (const fd of fs.readdirSync(`/proc/${p.pid}/fd`)) {
			let to = '';
			try { to = fs.readlinkSync(`/proc/${p.pid}/fd/${fd}`); } catch { continue; }
			assert.ok(!to.startsWith(d.dir) && !to.includes('/store/'), `${p.name}: ${fd} is ${to}`);
			if (p.pid !== pid) assert.doesNotMatch(to, /seccomp|memfd:ide-session/);
		}
	const env = exec('ann', ['env']).out;
	assert.doesNotMatch(env, /IDED|ided-test|NOTIFY_SOCKET/);
});

// --- caps ---

const bobAnswers = () => {
	const t = Date.now();
	const r = exec('bob', ['echo', 'here']);
	assert.equal(r.out, 'here\n', r.err);
	return Date.now() - t;
};
const inGroup = () => fs.existsSync('/proc/self/cgroup') && d.sandboxes().find((s) => s.user === 'ann')?.processes_max > 0;

// A program that asks one question of the kernel in ann's sandbox; what it says.
function bomb(question) {
	const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', at('ann')],
		{ stdio: ['pipe', 'pipe', 'pipe'] });
	const b = { out: '', err: '' };
	p.stdout.on('data', (s) => { b.out += s; });
	p.stderr.on('data', (s) => { b.err += s; });
	b.ended = new Promise((r) => p.on('close', r));
	p.stdin.end(`${question}\n`);
	return b;
}

test('a fork bomb stays in its sandbox', async (t) => {
	if (!inGroup()) { t.skip('no control group for pids on this machine'); return; }
	const b = bomb('bomb forks 4');
	await waitFor('the refusal', () => /\n/.test(b.err), 20000);
	const n = Number(b.err);
	assert.ok(n > 10 && n < PROCESSES, `${n} processes`);
	assert.ok(bobAnswers() < 10000);
	assert.equal((await d.request('GET', '/healthz')).status, 200);
	assert.equal(processes().filter((p) => p.uid === annUid).length <= PROCESSES, true);
	await b.ended;
	assert.equal(b.out, 'EAGAIN\n');
	await waitFor('room again', () => exec('ann', ['true']).status === 0);
});

test('a memory bomb ends in its sandbox', async (t) => {
	const row = d.sandboxes().find((s) => s.user === 'ann');
	if (!inGroup() || !(row.memory_max > 0)) { t.skip('no control group for memory on this machine'); return; }
	assert.equal(row.memory_max, MEMORY * 1024 * 1024);
	const b = bomb(`bomb memory ${4 * MEMORY}`);
	const slowest = bobAnswers();
	// By the kernel, or by the watch over the sandbox's memory just before.
	assert.ok([137, 143].includes(await b.ended), `killed: ${await b.ended}`);
	assert.equal(b.out, '');
	assert.ok(slowest < 10000, `${slowest} ms`);
	assert.ok(bobAnswers() < 10000);
	assert.equal(exec('ann', ['true']).status, 0, 'the sandbox itself still runs');
});

test('files in memory count, and end at a bound', (t) => {
	if (!inGroup()) { t.skip('no control group on this machine'); return; }
	const r = exec('ann', ['sh', '-c', 'dd if=/dev/zero of=/tmp/fill bs=1M count=1024 2>/dev/null; s=$?; rm -f /tmp/fill; exit $s'], { timeout: 60000 });
	assert.notEqual(r.status, 0);
	assert.ok(bobAnswers() < 10000);
	assert.equal(exec('ann', ['true']).status, 0);
});

test("bob's servers still run, and he was not touched", () => {
	assert.ok(fs.existsSync(`/proc/${bobPid}`));
	assert.equal(one('bob', 'abstract bob-is-here'), 'ok');
	assert.equal(exec('bob', ['cat', '/home/bob/data/secret']).out, secret);
});
