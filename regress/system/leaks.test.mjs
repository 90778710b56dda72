// What stays behind when a thousand connections have gone.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon, waitFor, sleep, sanitized, obj } from './daemon.mjs';
import { prepareTraffic, traffic, room } from './traffic.mjs';

const rounds = Number(process.env.IDED_CONNECTIONS || 1000);
const roles = ['master', 'zygote', 'auth', 'hash', 'keys', 'isolation'];
const LINGER = 11000; // auth gives a worker whose session has ended ten seconds to leave
const quiet = (d) => waitFor('every connection to end', () => {
	const s = JSON.parse(d.ok(['-j', 'status']));
	return s.workers === s.spare;
});

function weigh(d) {
	return Object.fromEntries(roles.map((role) => {
		const [p] = d.role(role);
		const status = fs.readFileSync(`/proc/${p.pid}/status`, 'utf8');
		return [role, { pid: p.pid, fds: fs.readdirSync(`/proc/${p.pid}/fd`).length,
			rss: Number(/^RssAnon:\s+(\d+)/m.exec(status)[1]) }];
	}));
}

test(`${rounds} connections leave no descriptor and no memory behind`, { timeout: 900000, skip: sanitized && 'the next one looks closer' }, async () => {
	const d = await startDaemon({ users: ['ann'], prefork: room });
	try {
		const t = await prepareTraffic(d);
		// What is allocated once, the first time it is needed, is no leak.
		await traffic(d, t, 300);
		await quiet(d);
		await sleep(LINGER);
		const before = weigh(d);
		await traffic(d, t, rounds, { from: 300 });
		await quiet(d);
		const fds = () => JSON.stringify(Object.values(weigh(d)).map((w) => w.fds));
		const some = JSON.stringify(Object.values(before).map((w) => w.fds));
		await waitFor('descriptors to be closed', () => fds() === some, 20000).catch(() => {});
		const after = weigh(d);
		for (const role of roles) {
			assert.equal(after[role].pid, before[role].pid, `${role} was started again`);
			assert.equal(after[role].fds, before[role].fds, `${role}: descriptors`);
			// keys fills its table of TLS sessions, which is bounded.
			assert.ok(after[role].rss <= before[role].rss + (role === 'keys' ? 6144 : 256),
				`${role}: ${before[role].rss} kB before, ${after[role].rss} kB after`);
		}
	} finally {
		await d.stop();
	}
});

// What follows looks into the processes themselves: each says at its end what it
// has lost, and stop() fails if any does.
const looking = { skip: !sanitized && 'only a build with sanitizers (SAN=1) can tell', timeout: 1800000 };
const leaky = { obj: `${obj}/regress/leaks/bin`, env: { ASAN_OPTIONS: 'detect_leaks=1' } };

test(`${rounds} connections, and no process has lost a byte`, looking, async () => {
	const d = await startDaemon({ users: ['ann'], prefork: room, ...leaky });
	const pids = roles.map((role) => d.role(role)[0].pid);
	try {
		const t = await prepareTraffic(d);
		// A worker takes its time to look: they are not to pile up.
		for (let from = 0; from < rounds; from += 50) {
			await traffic(d, t, Math.min(50, rounds - from), { from });
			await quiet(d);
		}
	} finally {
		await d.stop();
	}
	const looked = new Set([...d.log.matchAll(/leaks: process (\d+) has looked/g)].map((m) => Number(m[1])));
	for (const [i, pid] of pids.entries()) assert.ok(looked.has(pid), `${roles[i]} has not looked`);
	assert.ok(looked.size >= rounds, `${looked.size} processes have looked`);
});

test('a worker that loses memory is noticed', looking, async () => {
	const d = await startDaemon(leaky);
	assert.equal((await d.request('GET', '/robots.txt')).status, 200);
	await assert.rejects(d.stop(), /ERROR: LeakSanitizer.*41 byte/s);
});

for (const role of [...roles, 'worker'])
	test(`a report of ${role} is noticed`, looking, async () => {
		const d = await startDaemon({ users: ['ann'] });
		const pid = d.role(role)[0].pid;
		process.kill(pid, 'SIGSEGV');
		await waitFor(`${role} to end`, () => !fs.existsSync(`/proc/${pid}`))
			.catch(async (e) => { await d.stop().catch(() => {}); throw e; });
		await assert.rejects(d.stop(), /ERROR: AddressSanitizer: SEGV/);
	});

// A sandbox's first process hears no signals: what it would say goes the same way.
test('a report of session is noticed', looking, async () => {
	const d = await startDaemon({ users: ['ann'] });
	try {
		await prepareTraffic(d);
		fs.appendFileSync(`/proc/${d.sandboxes()[0].pid}/fd/2`, '==1==ERROR: AddressSanitizer: SEGV on address\n');
		await waitFor('it to be in the log', () => {
			const log = `${d.home('ann')}/logs/ide.log`;
			return fs.existsSync(log) && /AddressSanitizer/.test(fs.readFileSync(log, 'utf8'));
		});
	} catch (e) {
		await d.stop().catch(() => {});
		throw e;
	}
	await assert.rejects(d.stop(), /ERROR: AddressSanitizer: SEGV/);
});
