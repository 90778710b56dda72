// A user's sandbox: started on first use, shared, found again, stopped.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import crypto from 'node:crypto';
import https from 'node:https';
import { ended, startDaemon, lightIde, processes, waitFor, sleep } from './daemon.mjs';

let d;
let ann;
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], isolation: 'processes 256' });
	ann = await d.login('ann');
});
after(() => d?.stop());
const ide = (cookie, path = '/ide/?folder=/home/ann') =>
	d.request('GET', path, { headers: { cookie, accept: 'text/html' } });
const box = (user) => d.sandboxes().find((s) => s.user === user);

test('VS Code is started on first use and answers', async () => {
	assert.equal(box('ann'), undefined);
	const r = await ide(ann);
	assert.equal(r.status, 200, r.body);
	assert.match(r.body, /vscode-workbench-web-configuration/);
	assert.ok(box('ann').pid > 0);
});

test('a second browser of the same user shares it', async () => {
	const pid = box('ann').pid;
	const other = await d.login('ann');
	assert.equal((await ide(other)).status, 200);
	assert.equal(box('ann').pid, pid);
	assert.equal(d.sandboxes().length, 1);
});

test('inside: own uid, name, processes, network, and only own home', () => {
	const out = (...c) => d.ok(['sandbox', 'exec', 'ann', '--', ...c]);
	const uid = Number(out('id', '-u'));
	assert.ok(uid >= d.uids && uid < d.uids + 1000);
	assert.match(out('id'), /\(ann\)/);
	assert.equal(out('hostname').trim(), 'ann');
	assert.deepEqual(out('ls', '/home').trim().split('\n'), ['ann']);
	// Others' processes are not to be seen, nor is the first one's inside.
	assert.equal(out('sh', '-c', 'cat /proc/1/comm 2>/dev/null || echo hidden').trim(), 'hidden');
	assert.match(out('cat', '/proc/self/status'), /CapBnd:\s+0+\n/);
	assert.match(out('cat', '/proc/self/status'), /Seccomp:\s+2\n/);
	assert.match(out('cat', '/proc/self/status'), /NoNewPrivs:\s+1\n/);
	assert.match(out('cat', '/proc/net/dev'), /lo:/);
	assert.doesNotMatch(out('cat', '/proc/net/dev'), /eth0/);
	for (const dir of ['data', 'settings', 'extensions', 'workspaces', 'logs']) {
		const st = fs.statSync(`${d.home('ann')}/${dir}`);
		assert.equal(st.uid, uid);
		assert.equal(st.mode & 0o777, 0o700);
	}
	// What a new home begins with.
	assert.deepEqual(JSON.parse(out('cat', 'data/data/Machine/settings.json')), { 'telemetry.telemetryLevel': 'off', 'update.mode': 'none' });
	assert.equal(out('stat', '-c', '%a %u', 'data/data/Machine/settings.json').trim(), `600 ${uid}`);
	const host = fs.readFileSync(`/proc/${box('ann').pid}/status`, 'utf8');
	assert.match(host, new RegExp(`Uid:\\s+${uid}\\s+${uid}\\s+${uid}`));
});

test('exec: exit status, output and input are the command\'s', async () => {
	const r = d.ctl(['sandbox', 'exec', 'ann', '--', 'sh', '-c', 'cat; echo err >&2; exit 7'], 'in\n');
	assert.equal(r.status, 7);
	assert.equal(r.out, 'in\n');
	assert.equal(r.err, 'err\n');
	await waitFor('the audit line', () => /sandbox\.exec.*ann/.test(d.log));
	assert.equal(d.ctl(['sandbox', 'exec', 'nobody-here', '--', 'id']).status, 1);
});

test('a WebSocket goes through, both ways', async () => {
	const m = /([a-z]+-[0-9a-f]{40})\/static/.exec((await ide(ann)).body);
	assert.ok(m, 'the page names its commit');
	const s = await d.raw();
	const key = crypto.randomBytes(16).toString('base64');
	const got = [];
	s.on('data', (b) => got.push(b));
	s.write(`GET /ide/${m[1]}?reconnectionToken=${crypto.randomUUID()}&reconnection=false&skipWebSocketFrames=false HTTP/1.1\r\n` +
		`Host: localhost:${d.port}\r\nOrigin: ${d.origin}\r\nCookie: ${ann}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
		`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
	await waitFor('101', () => Buffer.concat(got).includes('\r\n\r\n'));
	const head = Buffer.concat(got).toString('latin1');
	assert.match(head, /^HTTP\/1\.1 101 /);
	const accept = crypto.createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
	assert.ok(head.includes(accept));
	s.destroy();
	const x = await d.exchange(`GET /ide/${m[1]}?reconnectionToken=x HTTP/1.1\r\nHost: localhost:${d.port}\r\n` +
		`Origin: https://evil.example\r\nCookie: ${ann}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
		`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
	assert.match(x.out, /^HTTP\/1\.1 403/, 'another origin is refused');
});

test('the last opened folder is remembered', async () => {
	await ide(ann, '/ide/?folder=/home/ann/workspaces');
	const r = await waitFor('it to be known', async () => { const x = await ide(ann, '/ide/'); return x.status === 302 && x; });
	assert.match(r.headers.location, /folder=\/home\/ann\/workspaces/);
	const other = await d.login('ann');
	assert.match((await ide(other, '/ide/')).headers.location, /workspaces/);
});

test('VS Code that dies is started again', async () => {
	d.ctl(['sandbox', 'exec', 'ann', '--', 'sh', '-c', 'kill -9 $(pgrep -f server-main.js)']);
	const r = await waitFor('VS Code', async () => {
		const x = await ide(ann);
		return x.status === 200 ? x : null;
	}, 30000, 300);
	assert.match(r.body, /workbench/);
});

test('a sandbox that is killed whole is started again on the next use', async () => {
	const pid = box('ann').pid;
	process.kill(pid, 'SIGKILL');
	await waitFor('its end', () => box('ann')?.pid !== pid);
	const r = await waitFor('VS Code', async () => {
		const x = await ide(ann);
		return x.status === 200 ? x : null;
	}, 30000, 300);
	assert.ok(r);
	assert.notEqual(box('ann').pid, pid);
});

test('it outlives ided, and is found again', async () => {
	const pid = box('ann').pid;
	d.child.kill('SIGTERM');
	await d.ended;
	assert.ok(!ended(pid), 'the sandbox still runs');
	await d.start();
	assert.equal((await ide(ann)).status, 200);
	assert.equal(box('ann').pid, pid);
});

test("what is found is taken over only if it is the user's own; what is nobody's is left alone", async () => {
	const { pid, uid } = box('ann');
	const folder = `${d.runtime}/sandbox/${uid}`, nobodys = `${d.runtime}/sandbox/7`;
	d.child.kill('SIGTERM');
	await d.ended;
	process.kill(pid, 'SIGKILL');
	await waitFor('its end', () => ended(pid));
	fs.rmSync(`${folder}/ctl`);
	fs.mkdirSync(nobodys, { mode: 0o700 });
	// Another process listens where that one did.
	const other = spawn('python3', ['-c', `import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind('${folder}/ctl')
s.listen(5)
print('on', flush=True)
time.sleep(1000)`], { stdio: ['ignore', 'pipe', 'inherit'] });
	try {
		await new Promise((r) => other.stdout.once('data', r));
		await d.start();
		await d.says(new RegExp(`sandbox\\.cleared user="ann" uid=${uid} why="the session is not the user's own"`));
		await d.says(/sandbox\.foreign uid=7\b/);
		assert.ok(!ended(other.pid), 'it is not ended for it');
		assert.ok(fs.existsSync(nobodys));
		await waitFor('what was there to be cleared', () => box('ann') === undefined && !fs.existsSync(folder));
		assert.equal(d.ok(['sandbox', 'exec', 'ann', '--', 'echo', 'here']), 'here\n');
	} finally {
		other.kill('SIGKILL');
		fs.rmSync(nobodys, { recursive: true, force: true });
	}
});

test('stopped by idectl: who has something to save does, and nothing of it is left', async () => {
	const { pid, uid } = box('ann');
	// One that takes a moment to save, a shell in a terminal, one that was stopped.
	const terminal = `import os, pty, signal, time
pid, fd = pty.fork()
if pid == 0: os.execvp('bash', ['bash', '-c', 'trap "" TERM; trap "echo hung up >said-shell; exit" HUP; : >up-2; while :; do sleep 0.1; done'])
for s in (signal.SIGTERM, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)
os.waitpid(pid, 0)`;
	d.ok(['sandbox', 'exec', 'ann', '--', 'bash', '-c', `cd data; rm -f said-* up-*; run() { setsid "$@" >/dev/null 2>&1 </dev/null & }
		run bash -c 'trap "sleep 1; echo saved >said-editor; exit" TERM; : >up-1; while :; do sleep 0.1; done'
		run python3 -c "$1"
		run bash -c 'trap "echo went on >said-stopped; exit" TERM; : >up-3; kill -STOP $$; while :; do sleep 0.1; done'
		until [ -e up-1 -a -e up-2 -a -e up-3 ]; do sleep 0.05; done`, 'sh', terminal]);
	d.ok(['sandbox', 'stop', 'ann']);
	await waitFor('its end', () => ended(pid));
	await waitFor('its row to go', () => box('ann') === undefined);
	assert.deepEqual(processes().filter((p) => p.uid === uid), []);
	assert.doesNotMatch(fs.readFileSync('/proc/mounts', 'utf8'), new RegExp(`/sandbox/${uid}`));
	assert.equal(d.ok(['sandbox', 'exec', 'ann', '--', 'sh', '-c', 'cd data; cat said-editor said-shell said-stopped']), 'saved\nhung up\nwent on\n');
	d.ok(['sandbox', 'stop', 'ann']);
});

test('a home of another owner is refused clearly, and left alone', async () => {
	fs.mkdirSync(`${d.data}/home/bob`, { mode: 0o700 });
	fs.chownSync(`${d.data}/home/bob`, 65533, 65533);
	const r = await ide(await d.login('bob'), '/ide/?folder=/home/bob');
	assert.ok([403, 503].includes(r.status), `${r.status}`);
	assert.match(r.body, /home/);
	assert.deepEqual(fs.readdirSync(`${d.data}/home/bob`), []);
	assert.equal(box('bob'), undefined);
	fs.rmdirSync(`${d.data}/home/bob`);
});

test('made while its opening is recorded: one record, one sandbox, and of a failure the reason', async () => {
	const light = lightIde();
	const e = await startDaemon({ users: ['ann', 'bob'], idePath: light, conf: 'audit { store }', isolation: 'storage 64M by accounting' });
	try {
		const open = async (user, cookie) => e.request('GET', `/ide/?folder=/home/${user}`, { headers: { cookie } });
		fs.mkdirSync(`${e.data}/home/bob`, { mode: 0o700 });
		fs.chownSync(`${e.data}/home/bob`, 65533, 65533);
		const bob = await e.login('bob');
		for (let i = 0; i < 5; i++) {
			const r = await open('bob', bob);
			assert.ok([403, 503].includes(r.status), `${r.status}`);
			assert.match(r.body, /home of bob belongs to uid 65533/);
		}
		assert.deepEqual(fs.readdirSync(`${e.data}/home/bob`), []);
		const ann = await e.login('ann');
		const all = await Promise.all([1, 2, 3].map(() => open('ann', ann)));
		assert.deepEqual(all.map((r) => [r.status, r.body]), Array(3).fill([200, '<p>a small IDE</p><script src="/_static/activity.js"></script>\n']));
		await waitFor('bob to have none', () => e.sandboxes().length === 1);
		const opened = e.ok(['-j', 'audit', 'query', '-e', 'sandbox.open', '-u', 'ann']).split('\n').filter((l) => /"seq"/.test(l));
		assert.equal(opened.length, 1);
		await e.says(/sandbox\.started user="ann"/);
		assert.equal([...e.log.matchAll(/sandbox\.started user="ann"/g)].length, 1);
		// It has one server, as with who asked later.
		const out = e.ok(['sandbox', 'exec', 'ann', '--', 'sh', '-c', 'cat /proc/[0-9]*/comm']);
		assert.equal(out.split('\n').filter((l) => l === 'node').length, 1, out);
	} finally {
		await e.stop();
		fs.rmSync(light, { recursive: true, force: true });
	}
});

test('idle: stopped after idle-stop', async () => {
	const e = await startDaemon({ users: ['ann'], isolation: 'idle-stop 6s' });
	try {
		const cookie = await e.login('ann');
		const r = await e.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
		assert.equal(r.status, 200, r.body);
		assert.equal(e.sandboxes().length, 1);
		// Why it still runs, and until when, is no secret.
		const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
		assert.equal((await e.request('GET', '/api/me', { agent, headers: { cookie } })).status, 200);
		// The connections before are over, but that may be known a little later.
		const box_ = await waitFor('one to be there', () => e.sandboxes().find((b) => b.connections === 1));
		assert.equal(box_.stops, Math.max(box_.active, box_.worked) + 6);
		const usage = (await e.request('GET', '/api/users/me/usage', { agent, headers: { cookie, accept: 'application/json' } })).json.data;
		assert.deepEqual([usage.connections, usage.ended], [1, null]);
		assert.ok(['activity', 'work'].includes(usage.why), usage.why);
		assert.ok(Math.abs(Date.parse(usage.active) - Date.now()) < 5000, usage.active);
		agent.destroy();
		const alone = await waitFor('nobody to be there', () => e.sandboxes().find((b) => b.connections === 0));
		assert.equal(alone.stops, Math.max(alone.active, alone.worked) + 6);
		await waitFor('the idle stop', () => e.sandboxes().length === 0, 20000, 500);
		await e.says(/sandbox\.idle user="ann"/);
	} finally {
		await e.stop();
	}
});

test('idle: what works is not stopped, whoever is there; when it is done, it is', async () => {
	const e = await startDaemon({ users: ['ann', 'bob'], isolation: 'idle-stop 3s' });
	try {
		const run = (user, script) => e.ok(['sandbox', 'exec', user, '--', 'sh', '-c', `(${script}) >/dev/null 2>&1 &`]);
		run('ann', 'while [ ! -e data/done ]; do :; done; exec sleep 1h');
		run('bob', 'exec sleep 1h');
		await waitFor('bob, who only waits, to be stopped', () => !e.sandboxes().some((b) => b.user === 'bob'), 20000, 200);
		const row = () => e.sandboxes().find((b) => b.user === 'ann');
		const since = row().active;
		// Longer than bob had, and then as long again.
		const now = await waitFor('ann to work on', () => { const r = row(); return r.worked >= since + 9 && r; }, 30000, 300);
		assert.equal(now.stops, now.worked + 3);
		fs.writeFileSync(`${e.home('ann')}/data/done`, '');
		await waitFor('the idle stop', () => e.sandboxes().length === 0, 20000, 300);
	} finally {
		await e.stop();
	}
});

test('idle: frozen after idle-freeze, and goes on where it was', async () => {
	const e = await startDaemon({ users: ['eve'], isolation: 'idle-freeze 2s\nidle-stop 1h' });
	try {
		e.ok(['sandbox', 'exec', 'eve', '--', 'sh', '-c',
			'(i=0; while :; do i=$((i+1)); echo $i > data/count; sleep 0.05; done) >/dev/null 2>&1 & echo $! > data/pid']);
		const count = `${e.home('eve')}/data/count`;
		const state = () => e.sandboxes()[0]?.state;
		const { pid } = e.sandboxes()[0];
		await waitFor('the freeze', () => state() === 'frozen', 20000, 200);
		const at = fs.readFileSync(count, 'utf8');
		await sleep(600);
		assert.equal(fs.readFileSync(count, 'utf8'), at, 'nothing runs');
		assert.equal(JSON.parse(e.ok(['-j', 'sandbox', 'show', 'eve'])).state, 'frozen', 'a look does not wake it');
		// Frozen over a restart of ided: found again, and woken.
		e.child.kill('SIGKILL');
		await e.ended;
		await e.start();
		assert.equal(e.sandboxes()[0].pid, pid);
		await waitFor('it to go on', () => fs.readFileSync(count, 'utf8') !== at);
		await waitFor('the next freeze', () => state() === 'frozen', 20000, 200);
		const cookie = await e.login('eve');
		assert.equal((await e.request('GET', '/ide/version', { headers: { cookie } })).status, 200);
		assert.equal(state(), 'running');
		assert.match(e.ok(['sandbox', 'exec', 'eve', '--', 'sh', '-c', 'kill -0 $(cat data/pid) && echo same']), /same/);
		await waitFor('the last freeze', () => state() === 'frozen', 20000, 200);
		e.ok(['sandbox', 'stop', 'eve']);
		assert.deepEqual(e.sandboxes(), [], 'a frozen one can be stopped');
	} finally {
		await e.stop();
	}
});
