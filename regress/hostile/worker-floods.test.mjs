// A worker under full control of an attacker: floods, forgeries, and that it
// ends when it is to end.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { Site, Evil, AUTH, STAGE, ended, password, read, sleep, source, startDaemon, waitFor, wire } from './evil-site.mjs';

let site, d, M;
const evil = (user, from) => site.evil(user, from);
const alive = (what) => site.alive(what);

before(async () => {
	site = await Site.start();
	({ d, M } = site);
});
after(() => site?.stop());

// How long somebody else waits meanwhile, at worst.
async function whileOthers(work) {
	const e = await evil('bob');
	let over = false, worst = 0, n = 0;
	const others = (async () => {
		while (!over) {
			const t = Date.now();
			const rows = await site.portal(e, ++n);
			assert.ok(rows.some((r) => r.type === M.ROW_SANDBOX));
			worst = Math.max(worst, Date.now() - t);
			await sleep(60);
		}
	})();
	try { await work(); } finally { over = true; await others; e.close(); }
	assert.ok(n > 3, 'others were served');
	return worst;
}

test('a flood of questions, and no answer is read: nobody waits, nothing grows', async (t) => {
	const was = Object.fromEntries(['auth', 'keys', 'master', 'zygote'].map((r) => [r, site.rss(r)]));
	const floods = [['auth', 'PORTAL', Buffer.alloc(0), 'ann'], ['auth', 'AUTH_TOKEN', crypto.randomBytes(32)],
		['auth', 'AUTH_TOKEN', Buffer.from(site.tokens.ann, 'hex'), 'ann'], ['auth', 'MINT', Buffer.alloc(0), 'ann'],
		['auth', 'BEAT', Buffer.alloc(0), 'ann'], ['auth', 'HOLD', wire.hold(1), 'ann'], ['auth', 'ME_ACTIVITY', wire.activity(0), 'ann'], ['auth', 'REQUEST', Buffer.alloc(site.rows[M.REQUEST].max), 'ann'], ['auth', 'SESSION_END', wire.session(site.ids.bob), 'ann'],
		['auth', 'LAST', wire.last('folder=/home/ann/x'), 'ann'], ['auth', 'LOGIN', wire.login('nobody', 'x')],
		['master', 'STAGE', wire.stage(STAGE.idle, 1)], ['master', 'LOG', wire.log(4, 'flood', 'a line of a worker')]];
	const at = d.log.length;
	const worst = await whileOthers(async () => {
		const es = [];
		await Promise.all(floods.flatMap((f) => [f, f]).map(async ([chan, name, payload, user]) => {
			const e = await evil(user);
			es.push(e);
			await e.cmd('flood', chan, M[name], 1, 20000, payload.length, payload.toString('hex'));
		}));
		await sleep(2000);
		for (const e of es) e.close();
	});
	t.diagnostic(`others waited ${worst} ms at worst`);
	assert.ok(worst < 10000, `others waited ${worst} ms`);
	for (const role of Object.keys(was)) {
		const grown = site.rss(role) - was[role];
		assert.ok(grown < 16 * 1024, `${role} grew by ${grown} kB`);
	}
	const lines = (d.log.slice(at).match(/ flood /g) || []).length;
	assert.ok(lines > 0 && lines < 400, `${lines} lines of log by two workers`);
	await alive('after it');
	assert.ok(site.sessionsOf('bob').some((s) => s.session === site.ids.bob));
});

test('nobody logs in by trying: one at a time, then limited', async () => {
	const limited = await startDaemon({ users: ['ann'], ratelimit: 'login 5 per 1m',
		prefork: 'spare 4\nmax 400\nper-source 100\nstartups 300:30:400' });
	try {
		const from = source();
		const e = await Evil.connect(limited.port, from);
		// Ten at once on one channel, in less time than a hash takes: one is looked at, nine are not.
		const guess = wire.login('ann', 'Guess-0');
		await e.cmd('flood', 'auth', M.LOGIN, 1, 10, guess.length, guess.toString('hex'));
		const answers = [];
		for (let i = 0; i < 10; i++) answers.push(read.who((await e.recv('auth', 20000)).data).result);
		assert.deepEqual(answers.sort(), [AUTH.denied, ...Array(9).fill(AUTH.busy)]);
		// One after the other, on channels of their own.
		const results = [];
		for (let i = 0; i < 8; i++) {
			const f = await Evil.connect(limited.port, from).catch(() => null);
			const r = f && await f.ask('auth', M.LOGIN, { payload: wire.login('ann', `Again-${i}`), ms: 20000 })
				.catch(() => null);
			results.push(r?.data ? read.who(r.data).result : 'refused');
			f?.close();
		}
		// Five in all are looked at; then auth limits, or master lets nobody in.
		const looked = results.findIndex((r) => r !== AUTH.denied);
		assert.ok(looked >= 1 && looked <= 4, `${results}`);
		assert.ok(results.slice(looked).every((r) => r === AUTH.limited || r === 'refused'), `${results}`);
		// The one who knows the password, from elsewhere, gets in.
		const g = await Evil.connect(limited.port);
		assert.equal(read.who((await g.ask('auth', M.LOGIN, { payload: wire.login('ann', password), ms: 20000 })).data).result, AUTH.ok);
		g.close();
		e.close();
	} finally {
		await limited.stop();
	}
});

test('descriptors of the IDE that nobody takes: others still get theirs', async () => {
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	const first = await evil('ann');
	assert.equal((await first.ask('auth', M.IDE, { ms: 90000 })).type, M.IDE_FD);
	first.close();
	const es = await Promise.all(Array.from({ length: 10 }, () => evil('ann')));
	await Promise.all(es.map((e) => e.cmd('flood', 'auth', M.IDE, 1, 300, 0, '')));
	await sleep(3000);
	const e = await evil('bob');
	const r = await e.ask('auth', M.IDE, { ms: 90000 });
	assert.equal(r.type, M.IDE_FD, JSON.stringify(r));
	e.close();
	for (const x of es) x.close();
	await alive('after it');
	await waitFor("auth's descriptors", () => site.fdCount('auth') < 200);
	for (const user of ['ann', 'bob']) d.ok(['sandbox', 'stop', user]);
});

// --- forging ---

test('what a worker logs is one line, of its own, and not above an error', async () => {
	const at = d.log.length;
	const lines = [
		['x\nided-auth[1] notice login.ok', 'user="root"'],
		['event\r\n', 'a\r\n2026-01-01T00:00:00.000Z ided-auth[1] notice login.ok user="root"'],
		['color', '\x1b[2J\x1b]0;owned\x07 \x9b31m'],
		['quote', '" level="emerg" proc="auth'],
		['bytes', '\xff\xfe\xc0\xaf'],
		['', '%s%n%x'],
	];
	for (const [event, line] of lines) {
		const e = await evil();
		assert.equal(await e.send('master', M.LOG, { payload: wire.log(0, event, line) }), 'ok');
		await sleep(50);
		e.close();
	}
	await waitFor('six lines', () => (d.log.slice(at).match(/ ided-worker\[/g) || []).length >= 6);
	const got = d.log.slice(at).split('\n').filter((l) => / ided-worker\[/.test(l));
	assert.equal(got.length, 6);
	for (const l of d.log.slice(at).split('\n').filter(Boolean))
		assert.match(l, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ided-[a-z]+\[\d+\] (error|warning|notice|info|debug) /);
	for (const l of got) {
		assert.match(l, /Z ided-worker\[\d+\] error /);
		assert.doesNotMatch(l, /[\x00-\x1f\x7f]/); // eslint-disable-line no-control-regex
	}
	// A level or a string that is none is dropped, and nobody is the worse for it.
	const bad = await evil();
	for (const payload of [wire.log(99, 'x', 'y'), Buffer.alloc(1656, 'a')])
		assert.equal(await bad.send('master', M.LOG, { payload }), 'ok');
	assert.equal((await bad.recv('master', 300)).what, 'none');
	bad.close();
	await alive('after it');
});

test('a worker can only make its own source look bad', async () => {
	const from = source();
	const e = await evil(null, from);
	for (const [stage, n] of [[0, 0], [STAGE.badRequest, 0xffffffff], [STAGE.timeout, 1], [99, 7], [0xffffffff, 0xffffffff]])
		assert.equal(await e.send('master', M.STAGE, { payload: wire.stage(stage, n) }), 'ok');
	for (let i = 0; i < 40; i++) await e.send('master', M.STAGE, { payload: wire.stage(STAGE.timeout) });
	assert.equal((await e.recv('master', 500)).what, 'none', 'its channel goes on');
	// Others come in as before, and it does not.
	await alive('after it');
	const again = await evil(null, from);
	await assert.rejects(again.who());
	e.close();
});

test('figures: a worker adds what one connection could cause, and reads none', async () => {
	const size = site.rows[M.TRAFFIC].max;
	const figures = (at, n) => { const b = Buffer.alloc(size); b.writeBigUInt64LE(n, at); return b; };
	const e = await evil(null, source());
	for (const payload of [Buffer.alloc(size), figures(0, 4096n), figures(size - 8, 4096n)])
		assert.equal(await e.send('master', M.TRAFFIC, { payload }), 'ok');
	await e.who();
	e.close();
	for (const payload of [figures(0, 4097n), figures(size - 8, 4097n), Buffer.alloc(size, 0xff), Buffer.alloc(size, 0x01)]) {
		const one = await evil(null, source());
		await one.offend('master', M.TRAFFIC, { payload });
	}
	const asks = await evil(null, source());
	await asks.offend('master', M.METRICS_ASK);
	await alive('after it');
});

test('a worker that broke a rule is punished by its source, for as long as a crash', async () => {
	for (const chan of ['master', 'auth', 'keys']) {
		const from = source();
		const e = await evil(null, from);
		const { pid } = await e.who();
		await e.offend(chan, M.STOP);
		// The channel's end is heard of a moment before the process is gone.
		await waitFor('its end', () => ended(pid));
		const again = await evil(null, from);
		await assert.rejects(again.who(), chan);
		await d.says(new RegExp(`worker\\.killed worker=\\d+ why="it broke a rule" towards="${chan}"`));
	}
	// One who breaks a rule and is gone at once is punished no less.
	for (const chan of ['auth', 'keys']) {
		const from = source();
		const e = await evil(null, from);
		e.send(chan, M.STOP).catch(() => {});
		e.close();
		await waitFor(`the penalty, by ${chan}`, async () => {
			const f = await evil(null, from);
			const in_ = await f.who().then(() => true, () => false);
			f.close();
			return !in_;
		});
	}
	await alive('after it');
});

test('a worker whose work is over, and that does not leave, is ended', async () => {
	const ended = [];
	const end = (what, e) => ended.push(e.killed(what, 40000));
	// Its session is revoked, while it holds a connection to the sandbox.
	const revoked = await evil();
	const w = await site.login(revoked, 'ann');
	assert.equal((await revoked.ask('auth', M.IDE, { ms: 90000 })).type, M.IDE_FD);
	assert.match(await revoked.cmd('talk', 60000, Buffer.from('GET /ide/version HTTP/1.1\r\nhost: x\r\n\r\n').toString('hex')),
		/^came 485454502f312e31/);
	d.ok(['session', 'revoke', w.session]);
	end('a revoked one', revoked);
	// It loses auth's channel, which could take nothing back from it then.
	const deaf = await evil('bob');
	await deaf.cmd('close', 'auth');
	end('one that auth cannot reach', deaf);
	const gone = await evil();
	await gone.cmd('close', 'master');
	end('one that master cannot reach', gone);
	const out = await evil();
	await site.login(out, 'bob');
	assert.equal((await out.ask('auth', M.LOGOUT)).type, M.OK);
	end('one that logged out', out);
	const other = await evil('ann');
	other.send('auth', M.AUTH_TOKEN, { payload: wire.token(site.tokens.bob) });
	end("one that showed another user's token", other);
	const at = d.log.length;
	await Promise.all(ended);
	const lines = () => (d.log.slice(at).match(/worker\.killed worker=\d+ why="its work was over, and it did not leave"/g) || []).length;
	await waitFor('word of all', () => lines() >= ended.length);
	assert.equal(lines(), ended.length);
	d.ok(['sandbox', 'stop', 'ann']);
	await alive('after it');
});

test('no more workers than configured, whatever those do that should leave', async () => {
	const small = await startDaemon({ prefork: 'spare 2\nmax 8\nper-source 100\nstartups 100:30:200' });
	try {
		const es = [];
		for (let i = 0; i < 30; i++) {
			const e = await Evil.connect(small.port);
			await e.who();
			es.push(e);
			// One that was killed may take a moment to go.
			await waitFor('no more than nine', () => small.role('worker').length <= 9);
		}
		// The oldest went, the newest are there.
		await Promise.all(es.slice(0, 20).map((e, i) => e.killed(`number ${i}`)));
		await es.at(-1).who();
		for (const e of es) e.close();
	} finally {
		await small.stop();
	}
});

test('workers die with a reload, a zygote and a master that is killed, if they are to', async () => {
	const own = await startDaemon({ users: ['ann'], prefork: 'spare 2\nmax 100\nper-source 100' });
	try {
		// After a reload the old zygote still ends its own.
		const old = await Evil.connect(own.port);
		await old.who();
		const zygote = own.role('zygote')[0].pid;
		own.ok(['reload']);
		await waitFor('another zygote', () => own.role('zygote').some((p) => p.pid !== zygote));
		await old.who();
		await old.offend('keys', M.STOP);
		await waitFor('the old zygote to leave', () => !own.role('zygote').some((p) => p.pid === zygote));
		// Without a zygote nobody could end them.
		const orphan = await Evil.connect(own.port);
		await orphan.who();
		process.kill(own.role('zygote')[0].pid, 'SIGKILL');
		await orphan.killed('one without a zygote');
		const last = await waitFor('workers', async () => {
			const e = await Evil.connect(own.port);
			return e.who().then(() => e, () => null);
		});
		const pids = own.tree().map((p) => p.pid);
		process.kill(own.pid, 'SIGKILL');
		await last.killed('one without a master');
		await waitFor('all to leave', () => pids.every(ended));
	} finally {
		await own.stop();
	}
});

test('in the end: the same processes, none of them larger, nobody crashed', () => site.unharmed());
