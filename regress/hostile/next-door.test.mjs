// Two users of one machine: what the one has, the other does not reach.  The same
// questions between two programs of one uid, as where all users share a server, show
// that they are good questions.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { startDaemon, freePort, processes } from '../system/daemon.mjs';
import { attempt, inside, names, probe, report, results, serve, table } from './tables.mjs';

let d, bob, uids = {};
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], network: 'none' });
	for (const user of ['ann', 'bob']) {
		uids[user] = Number(d.ok(['sandbox', 'exec', user, '--', 'id', '-u']));
		const data = `${d.home(user)}/data`;
		fs.copyFileSync(probe, `${data}/probe`);
		fs.chmodSync(`${data}/probe`, 0o755);
		fs.writeFileSync(`${data}/secret`, 'secret', { mode: 0o666 });
		fs.chownSync(`${data}/secret`, uids[user], uids[user]);
	}
	const port = await freePort();
	bob = inside(d, 'bob', ['/home/bob/data/probe', 'serve', '/home/bob/data/socket', 'bob-is-here', String(port), '0x3d3d']);
	bob.tty = await serve(bob, 'bob');
	bob.values = { other: 'bob', home: '/home/bob', tmp: '/tmp', port, key: '0x3d3d', his: uids.bob, tty: bob.tty,
		pid: processes().find((p) => p.uid === uids.bob && p.name === 'probe').pid };
	// By the host's names: what a user would have to know.
	const group = fs.readFileSync(`/proc/${bob.values.pid}/cgroup`, 'latin1').split('\n').find((l) => l.includes('/ided-'));
	bob.values.group = group ? `/sys/fs/cgroup/${group.split(':')[1]}${group.split(':')[2]}` : '/sys/fs/cgroup';
});
after(async () => {
	bob?.kill('SIGKILL');
	await d?.stop();
});

test('from one session to another', async (t) => {
	const rows = table('next-door', bob.values);
	assert.ok(rows.length >= 40 && new Set(names(rows)).size === rows.length, `${rows.length} attempts`);
	await report(t, 'ann', await attempt(d, 'ann', rows));
	assert.ok(fs.existsSync(`/proc/${bob.values.pid}`), 'bob still runs');
	assert.equal(fs.readFileSync(`${d.home('bob')}/data/secret`, 'utf8'), 'secret');
});

test('where users are not kept apart, more than 20 of them work (control)', async (t) => {
	const home = fs.mkdtempSync(`${os.tmpdir()}/ided-test-`), port = await freePort(), uid = uids.ann + 500;
	fs.mkdirSync(`${home}/data`);
	fs.writeFileSync(`${home}/data/secret`, 'secret');
	for (const f of ['', '/data', '/data/secret']) fs.chownSync(`${home}${f}`, uid, uid);
	const name = `ided-test-${process.pid}`, key = `0x${(0x40000000 + process.pid).toString(16)}`;
	const other = spawn(probe, ['serve', `${home}/data/socket`, `${name}-is-here`, String(port), key], { uid, gid: uid, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
	other.out = other.err = '';
	other.stdout.on('data', (s) => { other.out += s; });
	try {
		const tty = await serve(other, 'the other');
		const rows = table('next-door', { ...bob.values, other: name, home, tmp: '/tmp', port, key, his: uid, pid: other.pid, tty,
			group: '/sys/fs/cgroup/memory' });
		const r = spawnSync(probe, ['table'], { input: `${rows.join('\n')}\n`, encoding: 'utf8', uid, gid: uid, cwd: '/' });
		const got = [...results(r.stdout)];
		// What is done, not what is refused with another word.
		const work = got.filter(([, { ok, said }]) => !ok && !/^E[A-Z]+ instead/.test(said));
		t.diagnostic(`${work.length} of ${rows.length} work: ${work.map(([n]) => n).join(' ')}`);
		assert.ok(work.length > 20, got.map(([n, { said }]) => `${n}: ${said}`).join('\n'));
	} finally {
		other.kill('SIGTERM');
		await new Promise((r) => other.on('exit', r));
		fs.rmSync(home, { recursive: true });
	}
});
