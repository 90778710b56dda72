// Workers crash all the time, and nobody but their own clients notices.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, waitFor, sleep } from './daemon.mjs';

const seconds = Number(process.env.IDED_CRASH_SECONDS || 20);
const roles = ['master', 'zygote', 'auth', 'hash', 'keys', 'isolation'];
const signals = ['SIGSEGV', 'SIGABRT', 'SIGKILL'];

let d;
before(async () => {
	// A sanitizer is not to take these signals for faults of the program.
	d = await startDaemon({ users: ['ann'], crashes: true,
		env: { ASAN_OPTIONS: 'handle_segv=0:handle_abort=0' },
		prefork: 'spare 8\nmax 400\nper-source 100\nstartups 300:30:400' });
});
after(() => d?.stop());

const fds = (pid) => fs.readdirSync(`/proc/${pid}/fd`);
const standing = () => roles.map((role) => d.role(role).map((p) => ({ role, pid: p.pid, fds: fds(p.pid).length }))).flat();
const zombies = () => {
	const ours = new Set(d.tree().map((p) => p.pid));
	return fs.readdirSync('/proc').filter((n) => /^\d+$/.test(n)).filter((n) => {
		try {
			const [, state, ppid] = fs.readFileSync(`/proc/${n}/stat`, 'latin1').split(') ')[1].match(/^(\w) (\d+)/);
			return state === 'Z' && ours.has(Number(ppid));
		} catch { return false; }
	});
};

// Sockets of connections that came from 127.0.0.1, as the kernel numbers them.
function loadSockets() {
	const port = d.port.toString(16).toUpperCase().padStart(4, '0');
	return new Set(fs.readFileSync('/proc/net/tcp', 'latin1').split('\n').map((l) => l.trim().split(/\s+/))
		.filter((w) => w[1] === `0100007F:${port}` && w[2].startsWith('0100007F:') && w[3] === '01')
		.map((w) => `socket:[${w[9]}]`));
}

const serves = (pid, sockets) => {
	try {
		return fds(pid).some((fd) => sockets.has(fs.readlinkSync(`/proc/${pid}/fd/${fd}`)));
	} catch { return true; }	// it is leaving already
};

function h2load(...args) {
	let out = '';
	const child = spawn('h2load', ['-D', String(seconds + 4), '-c', '5', ...args,
		`https://127.0.0.1:${d.port}/healthz`], { stdio: ['ignore', 'pipe', 'pipe'] });
	child.stdout.on('data', (b) => { out += b; });
	child.stderr.on('data', (b) => { out += b; });
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('exit', (code) => {
			const m = /requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(out);
			if (code !== 0 || !m) reject(new Error(`h2load: ${code}\n${out}`));
			else resolve({ succeeded: Number(m[2]), failed: Number(m[3]), errored: Number(m[4]), timeout: Number(m[5]) });
		});
	});
}

test(`a worker is killed every 100 ms for ${seconds} s under load`, { timeout: (seconds + 120) * 1000 }, async (t) => {
	const sure = await waitFor('all spares', () => d.role('worker').length === 8 && standing());
	const load = [h2load(), h2load('--h1')];
	await waitFor('the load to be connected', () => loadSockets().size === 10);
	const sockets = loadSockets();

	// Who is hit: connections from sources of their own, since a crash costs the
	// source, and spares.
	let victims = 0;
	let running = true;
	const visitor = (async () => {
		while (running) {
			victims++;
			await d.raw({ localAddress: `127.${8 + (victims >> 16)}.${(victims >> 8) & 255}.${victims & 255}` })
				.then((s) => { s.on('error', () => {}); s.setTimeout(3000, () => s.destroy()); }, () => {});
			await sleep(50);
		}
	})();

	const killed = { SIGSEGV: 0, SIGABRT: 0, SIGKILL: 0 };
	const start = Date.now();
	for (let i = 0; i < seconds * 10; i++) {
		await sleep(Math.max(0, start + i * 100 - Date.now()));
		const may = d.role('worker').filter((p) => !serves(p.pid, sockets));
		if (may.length > 0) {
			const signal = signals[i % 3];
			try {
				process.kill(may[Math.floor(Math.random() * may.length)].pid, signal);
				killed[signal]++;
			} catch { /* it ended by itself */ }
		}
		if (Date.now() > start + seconds * 1000) break;
	}
	running = false;
	await visitor;

	const loaded = await Promise.all(load);
	t.diagnostic(`${JSON.stringify(killed)}, ${loaded.map((r) => r.succeeded).join(' and ')} requests`);
	for (const r of loaded) {
		assert.deepEqual({ failed: r.failed, errored: r.errored, timeout: r.timeout }, { failed: 0, errored: 0, timeout: 0 });
		assert.ok(r.succeeded > 100, `${r.succeeded} requests`);
	}
	const count = killed.SIGSEGV + killed.SIGABRT + killed.SIGKILL;
	assert.ok(count >= seconds, `${count} workers were killed`);
	await waitFor('the spares, and nobody else', () => d.role('worker').length === 8, 20000);
	await waitFor('descriptors to be closed', () => JSON.stringify(standing()) === JSON.stringify(sure), 15000).catch(() => {});
	assert.deepEqual(standing(), sure, 'the same processes, with as many descriptors');
	assert.deepEqual(zombies(), []);
	const { crashes } = JSON.parse(d.ok(['-j', 'status']));
	assert.ok(crashes > 0 && crashes <= killed.SIGSEGV + killed.SIGABRT, `${crashes} crashes counted of ${JSON.stringify(killed)}`);
	assert.ok(await d.login('ann', undefined, { localAddress: '127.0.0.9' }));
});
