// What workers really ask of the kernel, seen by strace(1) while connections of
// every kind are served: all of it is on their list, and the list holds no more
// than that without a reason.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, waitFor, obj, sanitized, top } from './daemon.mjs';
import { prepareTraffic, traffic, room } from './traffic.mjs';

// As filters_test.c writes it down.
function listed(role) {
	const text = fs.readFileSync(`${top}/regress/unit/filters.txt`, 'utf8');
	const part = new RegExp(`^${role}: \\d+\\n((?:\\t.*\\n)+)`, 'm').exec(text)[1];
	return new Set(part.split('\n').flatMap((l) => {
		const m = /^\tallow +(.*)$/.exec(l);
		if (!m) return [];
		return / argument \d/.test(m[1]) ? [m[1].split(' ')[0]] : m[1].split(' ');
	}));
}

// Listed, and not to be seen here.
const reasons = {
	brk: 'memory that did not suffice',
	mmap: 'a large piece of memory',
	mremap: 'one that grows',
	munmap: 'and its end',
	futex: 'what a library does once, where the zygote has not done it',
	clock_gettime: 'on machines that do not show the time in memory',
	gettimeofday: 'the same',
	fstat: 'as newer C libraries do what newfstatat does here',
	restart_syscall: 'a call that was stopped and goes on',
};

const able = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;

test('every system call of a worker is on its list, and most of the list is needed',
	{ timeout: 300000, skip: sanitized ? 'sanitizers call more' : !able && 'strace(1) cannot be run here' }, async (t) => {
		const d = await startDaemon({ users: ['ann'], prefork: room });
		const out = `${d.dir}/strace`;
		const s = spawn('strace', ['-f', '-qq', '-s', '0', '-o', out, '-p', String(d.role('zygote')[0].pid)]);
		const ended = new Promise((r) => { s.on('exit', r); });
		try {
			const traffic_ = await prepareTraffic(d);
			await waitFor('strace to see the zygote', () => fs.existsSync(out) && fs.statSync(out).size > 0);
			await traffic(d, traffic_, 60);
			s.kill('SIGTERM');
			await ended;
			const seen = new Map();
			const confined = new Set();
			const died = [];
			for (const line of fs.readFileSync(out, 'latin1').split('\n')) {
				const m = /^(\d+) +(?:<\.\.\. )?(\w+)/.exec(line);
				if (/SIGSYS/.test(line)) died.push(line);
				if (!m || /^\d+ +(\+\+\+|---)/.test(line)) continue;
				if (confined.has(m[1])) seen.set(m[2], (seen.get(m[2]) || 0) + 1);
				// The last call that needs the zygote's list.
				if (m[2] === 'seccomp' && !/unfinished/.test(line)) confined.add(m[1]);
			}
			assert.deepEqual(died, []);
			assert.ok(confined.size > 30, `${confined.size} workers were seen`);
			const list = listed('worker');
			assert.ok(list.size >= 15 && list.size <= 45, `${list.size} calls`);
			const strange = [...seen.keys()].filter((c) => !list.has(c));
			assert.deepEqual(strange, [], 'calls that are not on the list');
			const idle = [...list].filter((c) => !seen.has(c));
			t.diagnostic(`${confined.size} workers made ${seen.size} different calls of ${list.size}; not: ${idle.join(' ')}`);
			assert.deepEqual(idle.filter((c) => !reasons[c]), [], 'listed and never called');
		} finally {
			s.kill('SIGKILL');
			await ended;
			await d.stop();
		}
	});

// A path that is seldom taken calls as well: what the worker's own code imports from
// libc, and makes a system call that is not listed.
test('no function of libc that a worker may not call is linked into its code', { skip: sanitized && 'sanitizers call more' }, () => {
	const never = ('send recv sendto recvfrom readv writev preadv pwritev pread64 pwrite ioctl fcntl fcntl64 socket socketpair ' +
		'connect bind listen accept accept4 dup dup2 dup3 pipe pipe2 open open64 creat opendir stat stat64 lstat fstatat access ' +
		'faccessat readlink unlink mkdir rename lseek lseek64 fopen fopen64 getdents64 select pselect ppoll epoll_create1 ' +
		'epoll_wait epoll_ctl eventfd timerfd_create sleep usleep nanosleep clock_nanosleep kill raise signal sigaction ' +
		'sigprocmask pthread_sigmask alarm setitimer fork vfork execve waitpid prctl syscall madvise mprotect mlock ' +
		'getrlimit setrlimit getuid geteuid getgid getegid sched_yield pthread_create memfd_create sendfile splice').split(' ');
	// What runs in the zygote: before there are workers, or to make one.
	const zygote = { 'zygote.o': null, 'heap.o': null, 'text.o': null, 'worker.o': ['open', 'dup3', 'pipe2'],
		'upstream_tls.o': ['fopen'] }; // authorities of locations, before the first worker
	const listedCalls = listed('worker');
	const found = [];
	for (const o of fs.readdirSync(`${obj}/worker`).filter((n) => n.endsWith('.o'))) {
		if (zygote[o] === null) continue;
		for (const sym of execFileSync('nm', ['-u', `${obj}/worker/${o}`], { encoding: 'utf8' }).split('\n')) {
			const name = /U (\w+)/.exec(sym)?.[1];
			if (name && never.includes(name) && !listedCalls.has(name) && !zygote[o]?.includes(name)) found.push(`${o}: ${name}`);
		}
	}
	assert.deepEqual(found, []);
});
