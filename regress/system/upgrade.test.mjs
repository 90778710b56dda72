// Another ided in the place of one that runs: sockets stay open, sandboxes go on,
// nobody is refused; with a service manager and without one.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { ended, startDaemon, startManaged, obj, sleep, waitFor, zombies } from './daemon.mjs';

const ROUNDS = Math.min(100, Number(process.env.IDED_ROUNDS || 3));
const open = [];
after(async () => { for (const f of open.reverse()) await f(); });

const inode = (port) => {
	const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
	return fs.readFileSync('/proc/net/tcp', 'latin1').split('\n').map((l) => l.trim().split(/\s+/))
		.filter((f) => f[1]?.endsWith(hex) && f[3] === '0A').map((f) => f[9]).join();
};
const masterPid = (d) => JSON.parse(d.ok(['-j', 'status'])).pid;

// Beside what else goes on; the new ided has this environment, and knows all that begins
// so.
const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('IDED_')));
function upgrade(d) {
	const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'upgrade', '--', '-f', d.conf],
		{ stdio: ['ignore', 'pipe', 'pipe'], env });
	let said = '';
	p.stdout.on('data', (s) => { said += s; });
	p.stderr.on('data', (s) => { said += s; });
	return new Promise((r) => { p.on('exit', (status) => r({ status, said })); });
}

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
	const up = await upgrade(d);
	assert.equal(up.status, 0, up.said);
	await sleep(500);
	await waitFor('some of them', () => k.ok > 10 || k.bad.length > 0);
	await k.end();
	assert.deepEqual(k.bad, [], `${k.ok} went well`);
	const now = masterPid(d);
	assert.notEqual(now, old);
	await waitFor('the old one to be gone', () => ended(old));
	assert.equal(inode(d.port), socket, 'the very same socket');
	const [same] = d.sandboxes();
	assert.equal(same.pid, box.pid);
	assert.equal(d.ok(['sandbox', 'exec', 'ann', '--', 'cat', '/tmp/here']), 'kept\n');
	assert.equal((await d.request('GET', '/api/me', { headers: { cookie } })).status, 200, 'sessions are kept');
});

// One request after the other on connections that are kept, of both protocols: who is
// told that his is over makes another.
function ride(d, cookie) {
	const k = { ok: 0, connections: 0, bad: [], over: false };
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const first = async () => {
		let sent = Date.now(), again = false;
		while (!k.over) {
			const before = sent;
			sent = Date.now();
			const r = await d.request('GET', '/api/me', { agent, headers: { cookie } }).catch((e) => ({ status: e.code }));
			// One who takes longer than a connection that is over waits for another request may
			// meet its end, and asks again: RFC 9112 9.3.1.
			const late = !again && ['ECONNRESET', 'EPIPE'].includes(r.status) && Date.now() - before >= 250;
			again = late;
			if (r.status === 200) k.ok++; else if (!late) k.bad.push(`HTTP/1.1: ${r.status}`);
			await sleep(2);
		}
		agent.destroy();
	};
	const second = async () => {
		let c = null;
		while (!k.over) {
			if (c === null || c.away) {
				c?.close();
				const fresh = c = http2.connect(d.origin, { rejectUnauthorized: false });
				k.connections++;
				fresh.on('goaway', () => { fresh.away = true; });
				fresh.on('close', () => { fresh.away = true; });
				fresh.on('error', () => {});
				await new Promise((r) => { fresh.once('remoteSettings', r); fresh.once('close', r); });
			}
			const status = await new Promise((resolve) => {
				let s;
				const r = c.request({ ':path': '/api/me', cookie });
				r.on('response', (h) => { s = h[':status']; });
				r.resume();
				r.on('error', (e) => { s = e.code; });
				// Refused is what nobody has begun with, and is asked again: RFC 9113 8.7.
				r.on('close', () => resolve(r.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM ? 'again' : s ?? r.rstCode));
			});
			if (status === 200) k.ok++; else if (status === 'again') c.away = true; else k.bad.push(`HTTP/2: ${status}`);
			await sleep(2);
		}
		c?.destroy();
	};
	k.done = Promise.all([first(), second()]);
	k.end = async () => { k.over = true; await k.done; };
	return k;
}

test(`another configuration and another ided, ${ROUNDS} times while there is much to do: no request fails`, { timeout: 60000 + ROUNDS * 20000 }, async (t) => {
	const d = await startDaemon({ users: ['ann'], prefork: 'spare 8' });
	open.push(() => { d.ctl(['sandbox', 'stop', 'ann']); d.ctl(['stop']); return d.ended.then(() => sleep(500))
		.then(() => fs.rmSync(d.dir, { recursive: true, force: true })); });
	const path = `${d.runtime}/http.sock`;
	d.write(`listen on unix "${path}"`);
	d.ok(['reload']);
	const cookie = await d.login('ann');
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	const [box] = d.sandboxes();
	const socket = inode(d.port), file = fs.statSync(path).ino;
	const local = () => new Promise((resolve, reject) => {
		const s = net.connect(path);
		let out = '';
		s.on('data', (b) => { out += b; });
		s.on('end', () => resolve(out));
		s.on('error', reject);
		s.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
	});
	const k = knock(d.port), rides = ride(d, cookie);
	for (let i = 0; i < ROUNDS; i++) {
		const old = masterPid(d);
		process.kill(old, 'SIGHUP');
		await sleep(20 * (i % 8));	// sometimes while that is still under way
		const up = await upgrade(d);
		assert.equal(up.status, 0, up.said);
		await waitFor('the old one to be gone', () => ended(old));
		assert.notEqual(masterPid(d), old);
		assert.equal(inode(d.port), socket);
		assert.equal(fs.statSync(path).ino, file, 'nor is the local one another');
		assert.match(await local(), /^HTTP\/1\.1 200/);
		await waitFor('a connection to each of them', () => rides.connections > i + 1 || rides.bad.length > 0);
	}
	await Promise.all([k.end(), rides.end()]);
	t.diagnostic(`${k.ok} new connections, ${rides.ok} requests on kept ones`);
	assert.deepEqual([k.bad, rides.bad], [[], []]);
	assert.ok(k.ok > ROUNDS && rides.ok > ROUNDS);
	assert.ok(rides.connections > ROUNDS, 'each ided had its own');
	assert.equal(d.sandboxes()[0].pid, box.pid);
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
	const master = masterPid(d);
	const left = () => zombies().filter((p) => p.ppid === master);
	await waitFor('nobody to be left unwaited for', () => left().length === 0).catch(() => assert.deepEqual(left(), []));
});
