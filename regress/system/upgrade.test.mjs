// Another ided in the place of one that runs: sockets stay open, sandboxes go on,
// nobody is refused; with a service manager and without one.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import { startDaemon, startManaged, obj, sleep, waitFor, processes } from './daemon.mjs';

const open = [];
after(async () => { for (const f of open.reverse()) await f(); });

const inode = (port) => {
	const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
	return fs.readFileSync('/proc/net/tcp', 'latin1').split('\n').map((l) => l.trim().split(/\s+/))
		.filter((f) => f[1]?.endsWith(hex) && f[3] === '0A').map((f) => f[9]).join();
};
const alive = (pid) => { try { process.kill(pid, 0); return true; } catch { return false; } };
const masterPid = (d) => JSON.parse(d.ok(['-j', 'status'])).pid;

// New connections all the time, each with a request; what went wrong is kept.
function knock(port) {
	const k = { ok: 0, bad: [], over: false };
	k.done = (async () => {
		while (!k.over) {
			await new Promise((resolve) => {
				const r = https.get({ host: '127.0.0.1', port, path: '/healthz', agent: false, rejectUnauthorized: false,
					servername: 'localhost', headers: { host: `localhost:${port}` }, timeout: 20000 }, (res) => {
					res.resume();
					res.on('end', () => { if (res.statusCode === 200) k.ok++; else k.bad.push(res.statusCode); resolve(); });
					res.on('error', (e) => { k.bad.push(e.code); resolve(); });
				});
				r.on('timeout', () => r.destroy(new Error('timeout')));
				r.on('error', (e) => { k.bad.push(e.code || e.message); resolve(); });
			});
			await sleep(5);
		}
	})();
	k.end = async () => { k.over = true; await k.done; };
	return k;
}

test('idectl upgrade: the same sockets, a new ided, sandboxes untouched, nobody refused', async () => {
	const d = await startDaemon({ users: ['ann'] });
	open.push(() => { d.ctl(['sandbox', 'stop', 'ann']); d.ctl(['stop']); return d.ended.then(() => sleep(500))
		.then(() => fs.rmSync(d.dir, { recursive: true, force: true })); });
	d.ok(['sandbox', 'exec', 'ann', '--', 'sh', '-c', 'echo kept > /tmp/here']);
	const cookie = await d.login('ann');
	const [box] = d.sandboxes();
	const socket = inode(d.port);
	const old = masterPid(d);
	assert.ok(/^\d+$/.test(socket), socket);
	const k = knock(d.port);
	const up = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'upgrade', '--', '-f', d.conf],
		{ stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	up.stdout.on('data', (s) => { said += s; });
	up.stderr.on('data', (s) => { said += s; });
	const status = await new Promise((r) => up.on('exit', r));
	assert.equal(status, 0, said);
	await sleep(500);
	await k.end();
	assert.deepEqual(k.bad, [], `${k.ok} went well`);
	assert.ok(k.ok > 10);
	const now = masterPid(d);
	assert.notEqual(now, old);
	await waitFor('the old one to be gone', () => !alive(old), 10000);
	assert.equal(inode(d.port), socket, 'the very same socket');
	const [same] = d.sandboxes();
	assert.equal(same.pid, box.pid);
	assert.equal(d.ok(['sandbox', 'exec', 'ann', '--', 'cat', '/tmp/here']), 'kept\n');
	assert.equal((await d.request('GET', '/api/me', { headers: { cookie } })).status, 200, 'sessions are kept');
});

test('one that would not start is refused, and the old one goes on', async () => {
	const d = await startDaemon({ users: [] });
	open.push(() => d.stop());
	const old = masterPid(d);
	const bad = `${d.dir}/bad.conf`;
	fs.writeFileSync(bad, `${fs.readFileSync(d.conf, 'latin1')}\nprefork { spare 0 }\n`);
	const r = d.ctl(['upgrade', '--', '-f', bad]);
	assert.equal(r.status, 1);
	assert.match(r.err, /bad\.conf:\d+: expected/);
	assert.match(r.err, /the new ided would not start; the old one goes on/);
	const none = d.ctl(['upgrade', '-b', '/nonexistent/ided', '--', '-f', d.conf]);
	assert.equal(none.status, 1);
	assert.match(none.err, /\/nonexistent\/ided: No such file/);
	assert.equal(masterPid(d), old);
	assert.equal((await d.request('GET', '/healthz')).status, 200);
});

// Stopped when all is over.
async function managed(users) {
	const m = await startManaged({ users });
	open.push(() => m.stop());
	return m;
}

test('under a service manager: it keeps the sockets and starts the new ided', async () => {
	const { d, lines, count } = await managed(['ann']);
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	const [box] = d.sandboxes();
	const socket = inode(d.port);
	const old = masterPid(d);
	const k = knock(d.port);
	assert.match(d.ok(['upgrade', '--', '-f', d.conf]), /the service manager starts the new ided/);
	await waitFor('the new one', () => count('ready') > 1, 20000);
	await sleep(300);
	await k.end();
	assert.ok(lines.includes(`ended ${old} 75`), lines.join('\n'));
	assert.deepEqual(k.bad, []);
	assert.equal(inode(d.port), socket);
	assert.equal(d.sandboxes()[0].pid, box.pid);
	assert.equal(count('stored') >= 1 && lines.filter((l) => /^started \d+ 1$/.test(l)).length, 1);
});

test('kill -9 of the master under a service manager: nobody who comes is refused', async () => {
	const { d, count } = await managed([]);
	const socket = inode(d.port);
	for (let i = 0; i < 3; i++) {
		const ready = count('ready');
		const old = masterPid(d);
		process.kill(old, 'SIGKILL');
		// Connects while nobody is there to accept, and is served later.
		const r = await d.request('GET', '/healthz');
		assert.equal(r.status, 200);
		await waitFor('the next one', () => count('ready') > ready, 20000);
		assert.notEqual(masterPid(d), old);
		assert.equal(inode(d.port), socket);
	}
	const left = processes().filter((p) => p.cmd.startsWith('ided: ') && p.state === 'Z');
	assert.deepEqual(left, []);
});
