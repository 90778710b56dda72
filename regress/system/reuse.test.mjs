// The numbers of processes are used again at once: in a namespace of its own, where the
// next process gets the lowest number that is free, workers, hash helpers and idectl come
// and go while people log in.  Each gets his own answer, and nobody is killed for another.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { Daemon, load, password, waitFor } from './daemon.mjs';

const able = spawnSync('unshare', ['-pf', 'true']).status === 0;
const skip = !able && 'no pid namespace may be made here';
const users = ['ann', 'bob', 'eve'];
let d, again;
before(async () => {
	if (!able) return;
	d = new Daemon({ enter: ['unshare', '-pf', '--kill-child=TERM'], prefork: 'spare 2\nmax 64\nper-source 64\nstartups 64:30:64' });
	await d.prepare();
	await d.start();
	for (const u of users) d.addUser(u);
});
after(async () => {
	again?.kill('SIGKILL');
	await d?.stop();
});

// As they are called inside; 0 for one that is gone.
const numbers = (role) => d.role(role).map((p) => {
	try { return Number(/^NSpid:.*\s(\d+)$/m.exec(fs.readFileSync(`/proc/${p.pid}/status`, 'latin1'))[1]); } catch { return 0; }
});

test('logins while every number is used again', { skip, timeout: 120000 }, async () => {
	const auth = d.role('auth')[0].pid, keys = d.role('keys')[0].pid;
	again = spawn('nsenter', ['-t', String(auth), '-p', 'sh', '-c', 'while echo 2 >/proc/sys/kernel/ns_last_pid; do sleep 0.01; done'], { stdio: 'ignore' });
	const seen = new Map();
	let n = 0;
	const one = async (i) => {
		const u = users[i % users.length];
		const cookie = await d.login(u, password, { localAddress: `127.40.0.${1 + i % 200}` });
		const r = await d.ask('GET', '/api/me', { headers: { cookie, accept: 'application/json' }, localAddress: `127.40.0.${1 + i % 200}` });
		assert.equal(r.status, 200);
		assert.equal(r.json.data.username, u);
		for (const p of numbers('worker')) seen.set(p, (seen.get(p) ?? 0) + 1);
		n++;
	};
	for (let i = 0; i < load(6); i++) {
		await Promise.all([one(3 * i), one(3 * i + 1), one(3 * i + 2)]);
		// A helper's number, and a worker's, go to whoever comes next.
		if (i % 3 === 2) {
			const [h] = d.role('hash');
			if (h) process.kill(h.pid, 'SIGKILL');
			await waitFor('a helper', () => d.role('hash').some((p) => p.pid !== h?.pid));
		}
		assert.equal(d.ctl(['status']).status, 0);
	}
	console.log(`${n} logins; the workers' numbers: ${[...seen.keys()].sort((a, b) => a - b).join(' ')}`);
	assert.ok(Math.max(...seen.keys()) < 1000, 'they were used again');
	assert.equal(d.role('auth')[0].pid, auth);
	assert.equal(d.role('keys')[0].pid, keys);
	assert.doesNotMatch(d.log, /worker\.crash|process\.died.*(auth|keys|isolation|master)/);
});
