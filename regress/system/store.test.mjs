// What was acknowledged is never lost.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { startDaemon, obj, password, waitFor, sleep } from './daemon.mjs';

let d;
before(async () => { d = await startDaemon({}); });
after(() => d?.stop());

const names = () => new Set(JSON.parse(d.ok(['-j', 'user', 'list'])).map((u) => u.name));

function add(name) {
	return new Promise((resolve) => {
		const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'user', 'add', name],
			{ stdio: ['pipe', 'ignore', 'ignore'] });
		c.stdin.on('error', () => {});
		c.stdin.end(`${password}\n`);
		c.on('exit', (code) => resolve(code === 0));
	});
}

test('kill -9 of auth in the middle of writes, again and again', async () => {
	const acknowledged = new Set();
	const rounds = Number(process.env.IDED_ROUNDS || 8);
	for (let round = 0; round < rounds; round++) {
		const adds = [];
		for (let i = 0; i < 6; i++) {
			const name = `u${round}-${i}`;
			adds.push(add(name).then((ok) => { if (ok) acknowledged.add(name); }));
		}
		await sleep(20 + Math.random() * 150);
		const auth = d.role('auth')[0];
		if (auth) process.kill(auth.pid, 'SIGKILL');
		await Promise.all(adds);
		await waitFor('auth', () => d.ctl(['status']).status === 0, 20000, 100);
		const have = names();
		for (const n of acknowledged) assert.ok(have.has(n), `${n} was acknowledged and is lost`);
		// Killing faster than five times a minute makes isolation give up.
		if (round % 4 === 3) { await d.stop({ keep: true }); await d.start(); }
	}
	assert.ok(acknowledged.size > 0);
});

test('accounts: every command, its errors, and both outputs', async () => {
	assert.match(d.addUser('carol'), /carol/);
	const dup = d.ctl(['user', 'add', 'carol'], `${password}\n`);
	assert.equal(dup.status, 1);
	assert.match(dup.err, /exists/);
	for (const [name, pw, re] of [['Bad Name', password, /name/], ['root', password, /name|reserved/],
		['dave', 'short', /password/], ['dave', 'alllowercaseletters', /password/]]) {
		const r = d.ctl(['user', 'add', name], `${pw}\n`);
		assert.equal(r.status, 1, `${name} ${pw}`);
		assert.match(r.err, re);
	}
	const show = JSON.parse(d.ok(['-j', 'user', 'show', 'carol']));
	assert.equal(show.name ?? show[0]?.name, 'carol');
	assert.match(d.ok(['user', 'show', 'carol']), /carol/);
	d.ok(['user', 'passwd', 'carol'], 'Another-Horse-8\n');
	await assert.rejects(d.login('carol', password, { localAddress: '127.0.0.8' }));
	assert.ok(await d.login('carol', 'Another-Horse-8'));
	d.ok(['user', 'disable', 'carol']);
	await assert.rejects(d.login('carol', 'Another-Horse-8', { localAddress: '127.0.0.8' }));
	d.ok(['user', 'enable', 'carol']);
	const cookie = await d.login('carol', 'Another-Horse-8');
	const sessions = JSON.parse(d.ok(['-j', 'session', 'list']));
	assert.ok(sessions.some((s) => s.user === 'carol'));
	d.ok(['user', 'delete', 'carol']);
	assert.equal((await d.request('GET', '/', { headers: { cookie } })).status, 302);
	assert.equal(d.ctl(['user', 'show', 'carol']).status, 1);
	assert.equal(d.ctl(['no', 'such']).status, 2);
});

test('sessions outlive a restart', async () => {
	d.addUser('erin');
	const cookie = await d.login('erin');
	await d.stop({ keep: true });
	await d.start();
	assert.equal((await d.request('GET', '/', { headers: { cookie } })).status, 200);
});

test('the first administrator from the environment, on an empty store only', async () => {
	const e = await startDaemon({ env: { IDED_ADMIN_USERNAME: 'boss', IDED_ADMIN_PASSWORD: password } });
	try {
		assert.ok(await e.login('boss'));
		const u = JSON.parse(e.ok(['-j', 'user', 'list']));
		assert.deepEqual(u.map((x) => [x.name, x.role]), [['boss', 'admin']]);
		await e.stop({ keep: true });
		e.env = { IDED_ADMIN_USERNAME: 'other', IDED_ADMIN_PASSWORD: password };
		e.opts.env = {};
		await e.start();
		assert.equal(JSON.parse(e.ok(['-j', 'user', 'list'])).length, 1);
	} finally {
		await e.stop();
	}
});
