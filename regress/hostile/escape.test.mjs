// Ways out of a sandbox and to the user next door, each by its name: both users try
// at the same time, and both are busy.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { startDaemon, freePort, processes, waitFor } from '../system/daemon.mjs';
import { attempt, inside, names, probe, report, results, table } from './tables.mjs';

const users = ['ann', 'bob'];
const PROCESSES = 160, MEMORY = 256;
let d, hostServer;
const u = {}; // of each user: uid, port, pid of who serves
const open = []; // programs to be ended

// ann's sandbox is one that had waited for its user, bob's is made when it is asked for.
async function sandboxes() {
	const isolation = (spare) => `spare ${spare}\nprocesses ${PROCESSES}\nmemory ${MEMORY}M`;
	d = await startDaemon({ users, network: 'none', isolation: isolation(2) });
	const stood = await d.spare(2);
	u.ann = { uid: Number(d.ok(['sandbox', 'exec', 'ann', '--', 'id', '-u'])) };
	assert.ok(stood.some((s) => s.first === d.sandboxes()[0].pid), 'it stood ready');
	d.opts.isolation = isolation(0);
	d.write();
	d.ok(['reload']);
	await d.spare(0);
	u.bob = { uid: Number(d.ok(['sandbox', 'exec', 'bob', '--', 'id', '-u'])) };
}

before(async () => {
	await sandboxes();
	const hostPort = await freePort();
	hostServer = net.createServer((s) => s.destroy()).listen(hostPort, '127.0.0.1');
	for (const user of users) {
		const { uid } = u[user];
		const data = `${d.home(user)}/data`;
		u[user] = { uid, port: await freePort(), key: user === 'ann' ? '0x1d3d' : '0x2d3d' };
		fs.copyFileSync(probe, `${data}/probe`);
		fs.chmodSync(`${data}/probe`, 0o755);
		fs.chownSync(`${data}/probe`, uid, uid);
		// What only root could leave there, and what is the user's own.
		fs.copyFileSync(probe, `${data}/rooted`);
		fs.chmodSync(`${data}/rooted`, 0o6755);
		spawnSync('mknod', ['-m', '666', `${data}/node`, 'c', '1', '5']);
		fs.writeFileSync(`${data}/secret`, crypto.randomBytes(16).toString('hex'), { mode: 0o644 });
		fs.chownSync(`${data}/secret`, uid, uid);
	}
	for (const user of users) {
		const p = inside(d, user, [`/home/${user}/data/probe`, 'serve', `/home/${user}/data/socket`, `${user}-is-here`,
			String(u[user].port), u[user].key]);
		open.push(p);
		await waitFor(`${user}'s servers`, () => /ready/.test(p.out), 20000);
		u[user].pid = processes().find((q) => q.uid === u[user].uid && q.name === 'probe').pid;
	}
	// Both are busy from here on.
	for (const user of users) {
		const p = inside(d, user, [`/home/${user}/data/probe`, 'load']);
		open.push(p);
		await waitFor(`${user}'s load`, () => /ready/.test(p.out), 20000);
	}
	const addresses = Object.values(os.networkInterfaces()).flat().filter((a) => a.family === 'IPv4' && !a.internal);
	for (const user of users) {
		const other = users.find((o) => o !== user);
		u[user].values = { me: user, mine: u[user].uid, other, his: u[other].uid, pid: u[other].pid, port: u[other].port,
			hostport: hostPort, idedport: d.port, hostaddress: addresses[0]?.address ?? '192.0.2.1',
			data: d.data, runtime: d.runtime, conf: d.conf, key: u[other].key, tlskey: `${d.dir}/server.key`,
			master: d.pid, isolation: d.role('isolation')[0].pid };
	}
});
after(async () => {
	for (const p of open) p.kill('SIGKILL');
	hostServer?.close();
	await d?.stop();
});

test('ways out, both at once', async (t) => {
	const rows = table('escape', u.ann.values);
	assert.ok(new Set(names(rows)).size >= 80, `${rows.length} attempts`);
	assert.equal(new Set(names(rows)).size, rows.length, 'each has a name of its own');
	const got = await Promise.all(users.map((user) => attempt(d, user, table('escape', u[user].values))));
	for (const [i, user] of users.entries()) await report(t, user, got[i]);
});

test('outside, the same uid gets other answers (control)', (t) => {
	const rows = table('escape', u.ann.values);
	const r = spawnSync(probe, ['table'], { input: `${rows.join('\n')}\n`, encoding: 'utf8', cwd: '/', uid: u.ann.uid, gid: u.ann.uid });
	const differ = [...results(r.stdout)].filter(([, { ok }]) => !ok);
	t.diagnostic(`${differ.length} of ${rows.length} differ`);
	assert.ok(differ.length > 80, `only ${differ.map(([name, { said }]) => `${name}: ${said}`).join('\n')}`);
});

test('nothing was hurt by them', () => {
	for (const user of users) {
		assert.ok(fs.existsSync(`/proc/${u[user].pid}`), `${user}'s servers`);
		assert.match(fs.readFileSync(`/proc/${u[user].pid}/status`, 'utf8'), /^State:\s+[SR]/m);
		assert.equal(fs.readFileSync(`${d.home(user)}/data/secret`, 'utf8').length, 32);
		assert.equal(fs.statSync(d.home(user)).uid, u[user].uid);
	}
	assert.equal(d.role('isolation')[0].pid, u.ann.values.isolation);
	assert.equal(d.sandboxes().length, 2);
});

test('bombs: each ends at a bound, and the user next door works', async (t) => {
	const rows = table('bombs', u.ann.values);
	if (!(d.sandboxes().find((s) => s.user === 'ann').memory_max > 0)) { t.skip('no control group on this machine'); return; }
	// ann's load ends: it would fall first.
	open.find((p) => p.spawnargs.includes('load') && p.spawnargs.includes('ann')).stdin.end();
	let done = false;
	const answers = (async () => {
		let slowest = 0, n = 0;
		while (!done) {
			const at = Date.now();
			const p = inside(d, 'bob', ['echo', 'here']);
			p.stdin.end();
			await p.ended;
			if (p.out !== 'here\n') throw new Error(`bob: ${p.out}${p.err}`);
			slowest = Math.max(slowest, Date.now() - at);
			n++;
		}
		return { slowest, n };
	})();
	const got = await attempt(d, 'ann', rows);
	done = true;
	const { slowest, n } = await answers;
	t.diagnostic(`bob was answered ${n} times, at most within ${slowest} ms`);
	await report(t, 'ann', got);
	assert.ok(n > 3, 'bob was answered all the time');
	assert.equal(d.sandboxes().length, 2, 'both sandboxes still run');
	assert.equal(d.ok(['sandbox', 'exec', 'ann', '--', 'echo', 'still']), 'still\n');
});

test('with a network of its own: what goes to nobody in particular arrives nowhere', async (t) => {
	const p = await startDaemon({ users: ['ann', 'bob'] });
	const heard = [];
	const sockets = [];
	try {
		const rows = table('outward', { hostaddress: u.ann.values.hostaddress, idedport: p.port });
		for (const [port, group] of [[20067], [20353, '224.0.0.251']]) {
			const s = dgram.createSocket({ type: 'udp4', reuseAddr: true });
			sockets.push(s);
			s.on('message', (m, from) => heard.push(`${port}: ${m} of ${from.address}`));
			await new Promise((r) => s.bind(port, '0.0.0.0', r));
			if (group) s.addMembership(group);
		}
		for (const user of users) {
			const uid = Number(p.ok(['sandbox', 'exec', user, '--', 'id', '-u']));
			fs.copyFileSync(probe, `${p.home(user)}/data/probe`);
			fs.chownSync(`${p.home(user)}/data/probe`, uid, uid);
			fs.chmodSync(`${p.home(user)}/data/probe`, 0o755);
		}
		await report(t, 'ann', await attempt(p, 'ann', rows));
		// A control, which comes after them: the sockets do hear.
		const c = dgram.createSocket('udp4');
		for (const port of [20067, 20353]) c.send('control', port, '127.0.0.1');
		await waitFor('the control', () => heard.filter((h) => /control/.test(h)).length === 2);
		c.close();
		assert.deepEqual(heard.filter((h) => !/control/.test(h)), []);
	} finally {
		for (const s of sockets) s.close();
		await p.stop();
	}
});
