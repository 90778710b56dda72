// What runs, as whom, and what it may do.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ended, startDaemon, obj, sanitized, sleep, waitFor, zombies } from './daemon.mjs';
import { execFileSync } from 'node:child_process';

let d;
before(async () => {
	d = await startDaemon({ users: ['ann'], prefork: 'spare 3' });
	await d.spare(2); // what is just being made has neither its title nor its filter yet
});
after(() => d?.stop());

test('each role runs, under its own title and account', async () => {
	const want = { master: '_ided', zygote: '_idedw', worker: '_idedw', auth: '_ideda',
		hash: '_ideda', keys: '_idedk', isolation: 'root' };
	for (const [role, user] of Object.entries(want)) {
		const uid = Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));
		const ps = d.role(role);
		assert.ok(ps.length >= 1, `no ided: ${role}`);
		for (const p of ps) assert.equal(p.uid, uid, `${role} runs as ${p.uid}`);
	}
	await waitFor('three workers', () => d.role('worker').length === 3);
	assert.equal(d.role('hash').length, 2);
});

test('exactly one process is root, and every one has a seccomp filter', () => {
	const tree = d.tree();
	const root = tree.filter((p) => p.uid === 0).map((p) => p.cmd);
	// Besides sandboxes that wait for their user, made as far as they can be.
	assert.deepEqual(root.filter((c) => c !== 'ided: sandbox set-up'), ['ided: isolation']);
	assert.ok(root.length <= 1 + 2, `${root}`);
	for (const p of tree) {
		assert.equal(p.seccomp, 2, `${p.cmd}: Seccomp: ${p.seccomp}`);
		assert.equal(p.nnp, 1, `${p.cmd}: NoNewPrivs`);
		if (p.uid !== 0) assert.equal(BigInt(`0x${p.capEff}`), 0n, `${p.cmd}: capabilities`);
	}
});

test('nobody but root can look into any of them', () => {
	for (const p of d.tree()) {
		// An undumpable process's /proc files belong to root.
		assert.equal(fs.statSync(`/proc/${p.pid}/environ`).uid, 0, p.cmd);
		const lim = fs.readFileSync(`/proc/${p.pid}/limits`, 'utf8');
		assert.match(lim, /Max core file size\s+[01]\s+[01] /, p.cmd);
	}
});

test('each has a root of its own', () => {
	for (const [role, files] of [['master', []], ['keys', []], ['hash', []]])
		for (const p of d.role(role))
			assert.deepEqual(fs.readdirSync(`/proc/${p.pid}/root/`), files, role);
	for (const p of [...d.role('worker'), ...d.role('zygote')])
		assert.deepEqual(fs.readdirSync(`/proc/${p.pid}/root/`), ['ide'], 'worker');
	const auth = d.role('auth')[0];
	assert.ok(!fs.existsSync(`/proc/${auth.pid}/root/etc`));
});

test('no two roles share an address-space layout', () => {
	const bases = new Map();
	for (const role of ['master', 'zygote', 'auth', 'hash', 'keys', 'isolation'])
		for (const p of d.role(role)) {
			// Of the first file; what a sanitizer keeps below is always there.
			const base = fs.readFileSync(`/proc/${p.pid}/maps`, 'utf8').split('\n').find((l) => l.includes(' /')).split('-')[0];
			assert.ok(!bases.has(base), `${role} and ${bases.get(base)} share ${base}`);
			bases.set(base, role);
		}
});

test('its programs may lie where nobody but root can look', async () => {
	const hidden = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-test-'));	// 0700
	let e;
	try {
		for (const f of fs.readdirSync(obj).filter((n) => /^ide/.test(n) && !/\./.test(n)))
			fs.copyFileSync(`${obj}/${f}`, `${hidden}/${f}`);
		e = await startDaemon({ obj: hidden, prefork: 'spare 1' });
		await e.spare(2);
		assert.deepEqual(e.tree().map((p) => p.name).filter((n) => n !== 'ided-setup').sort(), ['ided', 'ided-auth', 'ided-hash', 'ided-hash',
			'ided-isolation', 'ided-keys', 'ided-worker', 'ided-worker']);
	} finally {
		await e?.stop();
		fs.rmSync(hidden, { recursive: true, force: true });
	}
});

test('no process has memory that is both writable and executable', () => {
	for (const p of d.tree())
		assert.doesNotMatch(fs.readFileSync(`/proc/${p.pid}/maps`, 'latin1'), /^\S+ .wx/m, p.cmd);
});

test('a connection takes a spare, and a new spare takes its place', async () => {
	const s = await d.raw();
	await waitFor('four workers', () => d.role('worker').length === 4);
	s.destroy();
	await waitFor('three workers', () => d.role('worker').length === 3);
	const parents = [d.pid, d.role('zygote')[0].pid];
	const left = () => zombies().filter((p) => parents.includes(p.ppid));
	await waitFor('the ended to be waited for', () => left().length === 0).catch(() => assert.deepEqual(left(), []));
});

test('killed workers are replaced and nobody else notices', async () => {
	const s = await d.raw();
	const before = d.role('auth')[0].pid;
	for (let i = 0; i < 5; i++) {
		process.kill(d.role('worker').pop().pid, 'SIGKILL');
		await sleep(50);
	}
	await waitFor('spares', () => d.role('worker').length >= 3);
	assert.equal(d.role('auth')[0].pid, before);
	s.destroy();
});

test('each has its own filter, on isolation\'s; a worker has the zygote\'s as well', () => {
	const filters = (p) => Number(/^Seccomp_filters:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${p.pid}/status`, 'utf8'))[1]);
	const want = { isolation: 1, auth: 2, hash: 2, keys: 2, zygote: 2, worker: 3 };
	// Master is isolation's sibling, not its child.
	for (const [role, n] of Object.entries({ ...want, master: 1 }))
		for (const p of d.role(role)) assert.equal(filters(p), n, role);
});

test('a hash helper keeps nothing of the memory that a hash takes', async () => {
	for (let i = 0; i < 3; i++) await d.login('ann');
	const kb = (p) => Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${p.pid}/status`, 'utf8'))[1]);
	const peak = (p) => Number(/^VmHWM:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${p.pid}/status`, 'utf8'))[1]);
	const all = d.role('hash');
	assert.ok(all.some((p) => peak(p) > 19 << 10), 'it took them');
	// It goes when the answer has.
	if (!sanitized) await waitFor('it to be given back', () => all.every((p) => kb(p) < 12 << 10))
		.catch(() => assert.deepEqual(all.map(kb), []));
});

// The worker at the other end of a connection.
function workerOf(socket) {
	const out = execFileSync('ss', ['-Htnp', `sport = :${d.port}`, `and dport = :${socket.localPort}`], { encoding: 'utf8' });
	return Number(/"ided-worker",pid=(\d+)/.exec(out)[1]);
}

test('a worker that does not react does not outlive its session', async () => {
	const cookie = await d.login('ann');
	const s = await d.raw();
	s.write(`GET / HTTP/1.1\r\nHost: localhost:${d.port}\r\nCookie: ${cookie}\r\n\r\n`);
	await new Promise((resolve) => { s.once('data', resolve); });
	s.on('error', () => {});
	s.resume();
	const pid = workerOf(s);
	process.kill(pid, 'SIGSTOP');
	d.ok(['session', 'revoke', ...JSON.parse(d.ok(['-j', 'session', 'list', 'ann'])).map((x) => x.session).slice(-1)]);
	for (const { session } of JSON.parse(d.ok(['-j', 'session', 'list', 'ann']))) d.ok(['session', 'revoke', session]);
	await waitFor('its end', () => !fs.existsSync(`/proc/${pid}`), 30000);
	await d.says(/worker\.killed worker=\d+ why="its work was over, and it did not leave"/);
	s.destroy();
});

// A control group in which there may be no process more; null where none can be had.
function noMore(pid) {
	for (const root of ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']) {
		const dir = `${root}/ided-test-${process.pid}`;
		try {
			const home = /^\d+:pids:(.*)$/m.exec(fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ??
				/^0::(.*)$/m.exec(fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8'))[1];
			fs.mkdirSync(dir);
			try {
				fs.writeFileSync(`${dir}/pids.max`, '1');
				fs.writeFileSync(`${dir}/cgroup.procs`, String(pid));
			} catch (e) { fs.rmdirSync(dir); throw e; }
			return () => { fs.writeFileSync(`${root}${home}/cgroup.procs`, String(pid)); fs.rmdirSync(dir); };
		} catch { /* the next one */ }
	}
	return null;
}

test('no process to be had: nothing spins, it is said, and it passes', async (t) => {
	const again = noMore(d.role('zygote')[0].pid);
	if (!again) return t.skip('no control group of pids can be made here');
	const at = d.log.length;
	try {
		// The spares are used up, then there is nobody to serve.
		const open = [];
		for (let i = 0; i < 12; i++) open.push(await d.raw().catch(() => null));
		assert.ok(open.some((s) => s === null), 'not all were served');
		await sleep(1500);
		for (const s of open) s?.destroy();
		const lines = d.log.slice(at).split('\n').filter((l) => /no process for a worker/.test(l));
		assert.ok(lines.length >= 1 && lines.length < 20, `${lines.length} lines`);
	} finally {
		again();
	}
	await waitFor('service', () => d.request('GET', '/healthz').then((r) => r.status === 200, () => false));
	await waitFor('three spares', () => d.role('worker').length === 3);
	await waitFor('three to be counted', () => JSON.parse(d.ok(['-j', 'status'])).workers === 3);
});

for (const role of ['keys', 'auth', 'hash', 'zygote'])
	test(`kill -9 of ${role}: back, and logins work again`, async () => {
		const cookie = await d.login('ann');
		const old = d.role(role).map((p) => p.pid);
		process.kill(old[0], 'SIGKILL');
		await waitFor(`${role} is back`, () => d.role(role).length >= old.length &&
			!d.role(role).some((p) => p.pid === old[0]));
		const again = await waitFor('login', () => d.login('ann').catch(() => null), 20000, 200);
		assert.ok(again);
		// A connection may still get a worker that has to go with it.
		const r = await waitFor('an answer', () => d.request('GET', '/', { headers: { cookie } }).catch(() => null), 20000, 200);
		assert.equal(r.status, 200, 'the old session is still good');
	});

test('kill -9 of isolation or master: all leave, and a new start finds everything', async () => {
	for (const role of ['isolation', 'master']) {
		const cookie = await d.login('ann');
		const pids = d.tree().map((p) => p.pid);
		process.kill(d.role(role)[0].pid, 'SIGKILL');
		await waitFor('all to leave', () => pids.every(ended));
		await d.ended;
		await d.start();
		const r = await d.request('GET', '/', { headers: { cookie } });
		assert.equal(r.status, 200);
	}
});
