// The strategy `directory': own uid and home, limits, seccomp, Landlock; what it
// does not hold is named, and what it does hold is held.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon, processes, waitFor } from './daemon.mjs';

let d, cookie;
const box = (user) => d.sandboxes().find((s) => s.user === user);
const exec = (user, ...args) => d.ctl(['sandbox', 'exec', user, '--', ...args]);
const of = (uid) => processes().filter((p) => p.uid === uid);

before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], strategy: 'directory' });
	cookie = await d.login('ann');
});
after(() => d?.stop());

test('what it does not hold is named at start', () => {
	assert.match(d.log, /isolation\.weaker what="isolation directory: users see /);
	assert.doesNotMatch(d.log, /isolation directory is not in effect/);
});

test('VS Code answers', async () => {
	const r = await d.request('GET', '/ide/version', { headers: { cookie } });
	assert.equal(r.status, 200);
	assert.match(r.body, /^[0-9a-f]{40}$/);
	assert.equal(box('ann').ide_running ?? box('ann').ide, true);
});

test('own uid and home, no capability, no new one, a filter', () => {
	const { uid } = box('ann');
	assert.equal(exec('ann', 'sh', '-c', 'id -u; pwd; echo $HOME; echo $TMPDIR').out,
		`${uid}\n${d.data}/home/ann\n${d.data}/home/ann\n${d.runtime}/user/${uid}/tmp\n`);
	const status = exec('ann', 'cat', '/proc/self/status').out;
	for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
		assert.match(status, new RegExp(`${set}:\\s+0{16}\\n`), set);
	assert.match(status, /NoNewPrivs:\s+1\n/);
	assert.match(status, /Seccomp:\s+2\n/);
	assert.match(status, new RegExp(`Groups:\\s*(${uid} ?)?\\n`));
	assert.notEqual(exec('ann', 'unshare', '-U', 'true').status, 0);
});

test("another user's home and runtime folder, and ided's own, are closed", () => {
	assert.equal(exec('bob', 'sh', '-c', 'echo secret > data/secret; chmod -R 777 data').status, 0);
	const b = box('bob').uid;
	for (const path of [`${d.data}/home/bob/data/secret`, `${d.data}/home/bob`, `${d.runtime}/user/${b}`, `${d.data}/store`,
		`${d.runtime}/sandbox`, '/root']) {
		const r = exec('ann', 'sh', '-c', `cat '${path}' 2>/dev/null || ls '${path}' 2>/dev/null`);
		assert.notEqual(r.status, 0, path);
		assert.equal(r.out, '', path);
	}
	for (const file of [`${d.dir}/server.key`, '/etc/shadow']) assert.notEqual(exec('ann', 'cat', file).status, 0, file);
	assert.notEqual(exec('ann', 'sh', '-c', `echo > '${d.runtime}/ided.sock'`).status, 0);
	assert.equal(exec('bob', 'cat', 'data/secret').out, 'secret\n', 'control');
	assert.notEqual(exec('ann', 'sh', '-c', `kill -0 ${box('bob').pid}`).status, 0);
});

test('a stop leaves no process behind, whatever it did to get away', async () => {
	const { uid } = box('bob');
	exec('bob', 'sh', '-c', 'for i in 1 2 3; do (setsid setsid sleep 600 >/dev/null 2>&1 &); done; (trap "" TERM HUP; setsid sh -c "trap \\"\\" TERM HUP; while :; do sleep 600; done" >/dev/null 2>&1 &)');
	await waitFor('them to run', () => of(uid).filter((p) => p.name === 'sleep').length >= 4);
	d.ok(['sandbox', 'stop', 'bob']);
	assert.deepEqual(of(uid).map((p) => p.name), []);
	assert.equal(box('bob'), undefined);
	assert.ok(of(box('ann').uid).length > 0, "ann's run on");
});

test('kill -9 of ide-session takes all along', async () => {
	assert.equal(exec('bob', 'sh', '-c', '(setsid sleep 600 >/dev/null 2>&1 &)').status, 0);
	const { uid, pid } = box('bob');
	process.kill(pid, 'SIGKILL');
	await waitFor('its end', () => of(uid).length === 0);
	await waitFor('a new one', () => exec('bob', 'true').status === 0);
	assert.notEqual(box('bob').pid, pid);
});

test('it outlives ided, and is found again', async () => {
	const { pid, uid } = box('ann');
	d.child.kill('SIGTERM');
	await d.ended;
	assert.ok(of(uid).some((p) => p.pid === pid));
	await d.start();
	assert.equal(box('ann').pid, pid);
	assert.equal((await d.request('GET', '/ide/version', { headers: { cookie } })).status, 200);
});

test('a home that users cannot walk to is told, and how to mend it', async () => {
	d.ok(['sandbox', 'stop', 'bob']);
	fs.chmodSync(d.data, 0o700);
	try {
		const r = exec('bob', 'true');
		assert.notEqual(r.status, 0);
		assert.match(r.err, /home .*: Permission denied: every folder above it must be open to users \(mode 0711\)/);
	} finally {
		fs.chmodSync(d.data, 0o711);
	}
	assert.equal(exec('bob', 'true').status, 0);
});
