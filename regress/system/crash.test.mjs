// Workers crash all the time, and nobody but their own clients notices.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import http2 from 'node:http2';
import { startDaemon, waitFor, sleep, zombies, load as amount } from './daemon.mjs';

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
const unwaited = () => { const ours = new Set(d.tree().map((p) => p.pid)); return zombies().filter((p) => ours.has(p.ppid)); };

// Sockets of connections that came from 127.0.0.1, as the kernel numbers them;
// one that ided has not taken yet has no number.
function loadSockets() {
	const port = d.port.toString(16).toUpperCase().padStart(4, '0');
	return new Set(fs.readFileSync('/proc/net/tcp', 'latin1').split('\n').map((l) => l.trim().split(/\s+/))
		.filter((w) => w[1] === `0100007F:${port}` && w[2].startsWith('0100007F:') && w[3] === '01' && w[9] !== '0')
		.map((w) => `socket:[${w[9]}]`));
}

const serves = (pid, sockets) => {
	try {
		return fds(pid).some((fd) => sockets.has(fs.readlinkSync(`/proc/${pid}/fd/${fd}`)));
	} catch { return true; }	// it is leaving already
};

// Somebody who asks again and again on one connection: what was answered, and
// everything that went wrong with it.
class Asker {
	served = 0;
	broken = [];
	running = true;
	wrong(what) { if (this.running) this.broken.push(`${this.constructor.name}, after ${this.served} answers: ${what}`); }
	async run() {
		while (this.running) {
			const status = await this.ask().catch((e) => this.wrong(e.message));
			if (status === undefined) return;
			if (status === 200) this.served++;
			else this.wrong(`status ${status}`);
		}
	}
	async stop() {
		this.running = false;
		await this.asking;
		this.close();
	}
}

class H1 extends Asker {
	constructor() {
		super();
		this.agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
		let sockets = 0;
		const connect = this.agent.createConnection;
		this.agent.createConnection = (...args) => {
			if (sockets++ > 0) this.wrong('the connection was closed');
			return connect.apply(this.agent, args);
		};
		this.asking = this.run();
	}
	ask() {
		return new Promise((resolve, reject) => {
			https.get({ host: '127.0.0.1', port: d.port, path: '/healthz', agent: this.agent, rejectUnauthorized: false }, (res) => {
				res.resume();
				res.on('end', () => resolve(res.statusCode));
				res.on('error', reject);
			}).on('error', reject);
		});
	}
	close() { this.agent.destroy(); }
}

class H2 extends Asker {
	constructor() {
		super();
		this.session = http2.connect(`https://127.0.0.1:${d.port}`, { rejectUnauthorized: false });
		this.session.on('error', (e) => this.wrong(e.message));
		this.session.on('goaway', (code) => this.wrong(`GOAWAY ${code}`));
		this.session.on('close', () => this.wrong('the connection was closed'));
		this.asking = this.run();
	}
	ask() {
		return new Promise((resolve, reject) => {
			const stream = this.session.request({ ':path': '/healthz' });
			let status;
			stream.on('response', (h) => { status = h[':status']; });
			stream.on('error', reject);
			stream.on('close', () => (status ? resolve(status) : reject(new Error(`the stream ended with ${stream.rstCode}`))));
			stream.resume();
		});
	}
	close() { this.session.destroy(); }
}

test(`a worker is killed every 100 ms for ${seconds} s under load`, { timeout: (3 * seconds + 180) * 1000 }, async (t) => {
	// Sandboxes are held ready as well, a little later than workers.
	await d.spare(2);
	const sure = await waitFor('all spares, and nothing that still comes', async () => {
		const now = standing();
		await sleep(500);
		return d.role('worker').length === 8 && JSON.stringify(now) === JSON.stringify(standing()) && now;
	});
	const load = [1, 2, 3, 4, 5].flatMap(() => [new H1(), new H2()]);
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
	const count = () => killed.SIGSEGV + killed.SIGABRT + killed.SIGKILL;
	// On a busy machine it takes longer until so many are.
	for (let i = 0; i < seconds * 10 || count() < seconds; i++) {
		await sleep(Math.max(0, start + i * 100 - Date.now()));
		const may = d.role('worker').filter((p) => !serves(p.pid, sockets));
		if (may.length > 0) {
			const signal = signals[i % 3];
			try {
				process.kill(may[Math.floor(Math.random() * may.length)].pid, signal);
				killed[signal]++;
			} catch { /* it ended by itself */ }
		}
		if (Date.now() > start + seconds * (count() < seconds ? 3 : 1) * 1000) break;
	}
	running = false;
	await visitor;

	await waitFor('each to have many answers', () => load.every((l) => l.served > amount(100) || l.broken.length > 0), 60000);
	await Promise.all(load.map((l) => l.stop()));
	t.diagnostic(`${JSON.stringify(killed)}, ${load.map((l) => l.served).join(' ')} answers`);
	assert.deepEqual(load.flatMap((l) => l.broken), []);
	assert.ok(count() >= seconds, `${count()} workers were killed`);
	await waitFor('the spares, and nobody else', () => d.role('worker').length === 8, 20000);
	await waitFor('descriptors to be closed', () => JSON.stringify(standing()) === JSON.stringify(sure)).catch(() => {});
	assert.deepEqual(standing(), sure, 'the same processes, with as many descriptors');
	await waitFor('the ended to be waited for', () => unwaited().length === 0).catch(() => assert.deepEqual(unwaited(), []));
	const { crashes } = JSON.parse(d.ok(['-j', 'status']));
	assert.ok(crashes > 0 && crashes <= killed.SIGSEGV + killed.SIGABRT, `${crashes} crashes counted of ${JSON.stringify(killed)}`);
	assert.ok(await d.login('ann', undefined, { localAddress: '127.0.0.9' }));
});
