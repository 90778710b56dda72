// Penalties by source: what is done from one address is paid for by that one, for
// as long as ided(8) says, and by no other.
import { test, describe, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { frugal, sanitized, startDaemon, sleep, waitFor } from '../system/daemon.mjs';
import { sources, status } from './backend.mjs';

const LONG = Boolean(process.env.IDED_LONG);
const SOURCES = LONG ? 65536 : 8192;
let d;
before(async () => {
	d = await startDaemon({ users: ['ann'], crashes: true, env: { ASAN_OPTIONS: `handle_segv=0:handle_abort=0:${frugal.ASAN_OPTIONS}` },
		prefork: 'spare 8\n\thandshake-timeout 3s\n\theader-timeout 3s' });
});
after(() => d?.stop());

const enters = (localAddress) => d.request('GET', '/healthz', { localAddress }).then((r) => r.status === 200, () => false);

// How long it is refused from there, from now on; at most `most` seconds are waited for.
async function refused(address, most) {
	const start = Date.now();
	while (Date.now() - start < most * 1000) {
		if (await enters(address)) break;
		// Whoever did nothing is served all the while.
		assert.equal(await enters('127.0.0.3'), true);
		await sleep(250);
	}
	return (Date.now() - start) / 1000;
}

const silent = (localAddress) => new Promise((resolve) => {
	const s = net.connect({ port: d.port, host: '127.0.0.1', localAddress });
	s.on('connect', () => s.write(Buffer.from([0x16, 3, 1, 2, 0, 1])));
	s.on('error', () => {});
	s.on('data', () => {});
	s.on('close', resolve);
});

// The worker that has this client's connection, by its socket.
function workerOf(s) {
	const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');
	// Another address may have the same port, or have had it.
	const from = s.localAddress.split('.').map((n) => Number(n).toString(16).toUpperCase().padStart(2, '0')).reverse().join('');
	const inode = fs.readFileSync('/proc/net/tcp', 'latin1').split('\n').map((l) => l.trim().split(/\s+/))
		.find((f) => f[1]?.endsWith(`:${hex(d.port)}`) && f[2] === `${from}:${hex(s.localPort)}` && f[9] !== '0')[9];
	for (const p of d.role('worker')) {
		let open = [];
		try { open = fs.readdirSync(`/proc/${p.pid}/fd`); } catch { /* it has just left */ }
		for (const fd of open) {
			try { if (fs.readlinkSync(`/proc/${p.pid}/fd/${fd}`) === `socket:[${inode}]`) return p.pid; } catch { /* closed */ }
		}
	}
	throw new Error('no worker has it');
}

// Each waits for its own; so all of them together.
describe('penalties', { concurrency: true }, () => {
	test('failed logins: four seconds each, refused once they come to 15', { timeout: 120000 }, async () => {
		const address = '127.0.0.2';
		const start = Date.now();
		let failed = 0;
		for (; failed < 12; failed++) {
			const r = await d.post('/login', { username: 'ann', password: 'wrong' }, { localAddress: address }).catch(() => null);
			if (r === null) break;
			assert.equal(r.status, 401);
		}
		assert.ok(failed >= 4 && failed < 12, `after ${failed}`);
		const took = (Date.now() - start) / 1000;
		assert.ok(status(d).penalised >= 1);
		await refused(address, 60);
		const seconds = (Date.now() - start) / 1000;
		assert.ok(seconds >= 4 * failed - 1 && seconds <= 4 * failed + 5 + took, `${seconds} s for ${failed}`);
	});

	test('one handshake that is too slow is forgiven, two cost 20 seconds', { timeout: 120000 }, async () => {
		const address = '127.0.0.4';
		await silent(address);
		assert.equal(await enters(address), true);
		await silent(address);
		await waitFor('the penalty', async () => !await enters(address));
		const seconds = await refused(address, 60);
		assert.ok(seconds >= 15 && seconds <= 20 + 5, `${seconds} s`);
	});

	test('who opens a connection ahead of need, and does not use it, is not punished', { timeout: 60000 }, async () => {
		const address = '127.0.0.5';
		await Promise.all([1, 2, 3].map(async () => {
			const s = await d.raw({ localAddress: address });
			s.resume();
			await new Promise((r) => { s.on('close', r); });
		}));
		assert.equal(await enters(address), true);
	});

	test(`a crash: 90 seconds${LONG ? '' : ', of which 10 are waited for'}`, { timeout: 180000 }, async () => {
		const address = '127.0.0.6';
		const s = await d.raw({ localAddress: address });
		s.on('error', () => {});
		const closed = new Promise((r) => { s.on('close', r); });
		process.kill(workerOf(s), 'SIGSEGV');
		await closed;
		await waitFor('it to be counted', () => status(d).crashes === 1);
		const seconds = await refused(address, LONG ? 120 : 10);
		if (LONG) assert.ok(seconds >= 88 && seconds <= 95, `${seconds} s`);
		else assert.ok(seconds >= 10, `${seconds} s`);
		assert.equal(await enters('127.0.0.3'), true);
	});
});

// The table's end is 65,536.  A source has its place in it, and windows for its requests.
test(`${SOURCES} sources are remembered in less than ${SOURCES * 3 / 8} kB, and come faster than workers are made`, { timeout: 600000 }, async () => {
	const at = d.log.length;
	const rss = () => Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${d.pid}/status`, 'utf8'))[1]);
	const next = sources(20);
	const come = (left) => Promise.all(Array.from({ length: 16 }, async () => {
		while (left-- > 0) {
			await new Promise((resolve) => {
				const c = net.connect({ port: d.port, host: '127.0.0.1', localAddress: next() });
				c.on('connect', () => c.destroy());
				c.on('error', resolve);
				c.on('close', resolve);
			});
		}
	}));
	// As many as have a worker at a time are not what is weighed.
	await come(1000);
	const before = rss();
	await come(SOURCES + SOURCES / 16);
	// A sanitizer's own book-keeping would be weighed, too.
	assert.ok(sanitized || rss() - before < SOURCES * 3 / 8, `${rss() - before} kB`);
	// Those that the kernel still has, in its queue, are served in their turn.
	await waitFor('the last of them to be gone', () => enters('127.0.0.3'), 120000, 1000);
	await waitFor('the last of them to be gone', () => status(d).unauthenticated === 0);
	// The workers of all others would have gone with it.
	assert.doesNotMatch(d.log.slice(at), /zygote is gone/);
	assert.equal(await enters('127.0.0.3'), true);
});
