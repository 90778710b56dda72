// A session that belongs to an attacker, in the place of ide-session: whatever it
// hands out or says, it ends its own sandbox and nothing else.
import path from 'node:path';
// Before daemon.mjs reads it: the tree in which ide-session is another.
process.env.O = path.join(process.env.O || 'obj', 'regress/hostile/session');
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
const { startDaemon, waitFor } = await import('../system/daemon.mjs');

let d, uid, cookie, isolation, auth;
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], network: 'none', isolation: 'spare 0\nstorage 5G by accounting',
		conf: 'proxy { timeout 3s }' });
	isolation = d.role('isolation')[0].pid;
	auth = d.role('auth')[0].pid;
	cookie = await d.login('ann');
	d.ctl(['sandbox', 'exec', 'ann', '--', 'true']); // makes the home
	uid = fs.statSync(`${d.data}/home/ann`).uid;
});
after(() => d?.stop());

const evil = (what) => {
	fs.writeFileSync(`${d.data}/home/ann/evil`, what);
	fs.chownSync(`${d.data}/home/ann/evil`, uid, uid);
	d.log = '';
};
const gone = () => waitFor('its end', () => !d.sandboxes().some((s) => s.user === 'ann'), 20000);
// ided is as it was, and goes on.
const unhurt = async () => {
	assert.equal(d.exit, null, d.log);
	assert.equal(d.role('isolation')[0].pid, isolation);
	assert.equal(d.role('auth')[0].pid, auth);
	assert.equal((await d.request('GET', '/healthz')).status, 200);
	assert.doesNotMatch(d.log, /BUG|AddressSanitizer|runtime error/);
};
const fds = () => fs.readdirSync(`/proc/${isolation}/fd`).length;

// It is asked for a connection, by a browser, and answers so.
async function connect(what) {
	evil(what);
	const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
	assert.ok([403, 502, 503, 504].includes(r.status), `${what}: ${r.status}`);
	return r;
}

const violations = {
	'a descriptor that is no connection': ['hand folder', 'hand path', 'hand memory', 'hand null', 'hand terminal', 'hand pipe',
		'hand seqpacket', 'hand datagram', 'hand control', 'hand tcp', 'hand listening', 'hand unconnected', 'hand-none'],
	'more descriptors than one': ['hand-many 2', 'hand-many 10', 'hand-many 253'],
	'a message that is none': ['lie version', 'lie none', 'lie type', 'lie short', 'lie long', 'lie huge', 'lie length',
		'lie descriptor', 'lie half', 'lie nothing'],
	'an answer to what was not asked': ['lie number', 'flood', 'speak-for SESSION_STATE', 'speak-for SESSION_EXIT',
		'speak-for SESSION_PROCESSES', 'speak-for SESSION_RELIEVED'],
	"somebody else's words": ['speak-for SB_CONNECT', 'speak-for SB_STOP', 'speak-for SB_RELOAD', 'speak-for SB_FD',
		'speak-for JOIN_AUTH', 'speak-for KEY', 'speak-for SESSION_STOP', 'speak-for CTL_STOP', 'speak-for HASHED',
		'speak-for WHO', 'speak-for STAGE'],
	'no word at all': ['leave', 'hang-up'],
};
for (const [name, all] of Object.entries(violations))
	test(name, async (t) => {
		for (const what of all)
			await t.test(what, async () => {
				await connect(what);
				await gone();
				await waitFor('the log', () => /sandbox\.ended.*user="ann"/.test(d.log));
				await unhurt();
			});
	});

// It is asked for a port, and hands out what is nearly a connection to it.
async function atPort(what) {
	evil(`at-port ${what}`);
	const started = d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } }).catch(() => {});
	await waitFor('the session', () => d.sandboxes().some((s) => s.user === 'ann' && s.state === 'running'));
	const r = await d.request('GET', '/proxy/3000/', { headers: { cookie } });
	return { r, started };
}

for (const what of ['hand unix', 'hand udp', 'hand other-port', 'hand other-address', 'hand listener', 'hand no-peer', 'hand accepted',
	'hand folder', 'hand-none', 'hand-many 2', 'lie number', 'speak-for SB_PORT', 'speak-for PORT_FD', 'speak-for PORT_ENTERED'])
	test(`a port: ${what}`, async () => {
		const { r, started } = await atPort(what);
		assert.ok([502, 503, 504].includes(r.status), `${what}: ${r.status}`);
		await gone();
		await started;
		await unhurt();
	});

test('a port: a connection that is one is none of these', { timeout: 60000 }, async () => {
	const { r, started } = await atPort('hand right');
	// Nobody reads at its other end.
	assert.equal(r.status, 504);
	assert.ok(d.sandboxes().some((s) => s.user === 'ann'), 'it goes on');
	d.ctl(['sandbox', 'stop', 'ann']);
	await gone();
	await started;
	await unhurt();
});

test('a sentence that would be two lines, or has no end, stays one', async () => {
	evil('sentence end');
	const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
	assert.equal(r.status, 503);
	assert.doesNotMatch(r.body, /\x1b|\r/);
	const out = d.ctl(['sandbox', 'exec', 'ann', '--', 'true']);
	assert.equal(out.status, 1);
	assert.doesNotMatch(out.err.trim(), /\n|\r|\x1b/);
	for (const line of d.log.trim().split('\n')) assert.match(line, /^\d{4}-\d\d-\d\dT\S+ ided-\w+\[\d+\] /);
	assert.doesNotMatch(d.log, /\x1b/);
	// It answered twice, which ended it.
	await gone();
	await connect('sentence');
	await unhurt();
	d.ctl(['sandbox', 'stop', 'ann']);
	await gone();
});

test('silence: who asked is told in time, and it can be stopped', async () => {
	for (const what of process.env.IDED_LONG ? ['silence', 'deaf'] : ['silence']) {
		evil(what);
		const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
		assert.equal(r.status, 504, r.body);
		d.ok(['sandbox', 'stop', 'ann']);
		await gone();
		await unhurt();
	}
});

test('the words of those that made it are not its own to say', async () => {
	// First without them.
	const run = () => spawn(`${process.env.O}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', 'true'], { stdio: 'ignore' });
	const state = async (what) => {
		evil(what);
		run();
		const row = await waitFor('it to run', () => d.sandboxes().find((s) => s.user === 'ann' && s.state === 'running'));
		const open = fds();
		d.ok(['sandbox', 'stop', 'ann']);
		await gone();
		assert.ok(row.pid > 1);
		return { by: row.storage_by, open };
	};
	const was = await state('silence');
	assert.equal(was.by, 'accounting');
	const is = await state('forge');
	assert.equal(is.by, was.by);
	assert.ok(is.open - was.open < 16, `64 descriptors came, and ${is.open - was.open} more are open`);
	await unhurt();
});

test('nothing is left open by any of it', async () => {
	const before = fds();
	for (let i = 0; i < 5; i++) {
		await connect('hand-many 253');
		await gone();
		await connect('hand folder');
		await gone();
	}
	assert.equal(fds(), before);
});
