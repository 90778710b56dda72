// Connections that do nothing, and handshakes that stop half-way, from many
// addresses, opened again as soon as they are closed: no more workers than are
// configured, no loop of failed forks, and who comes to log in gets in.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { load, password, startDaemon, sleep, waitFor } from '../system/daemon.mjs';
import { sources, status } from './backend.mjs';

const LONG = Boolean(process.env.IDED_LONG);
const IDLE = load(LONG ? 5000 : 1000);
const HALF = load(LONG ? 2000 : 400);
const RATE = load(LONG ? 200 : 100); // new ones in a second, after that, for those that are closed
const SECONDS = LONG ? 60 : 6;
// What a client says first, and then nothing more: the head of a long record.
const start = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);

const children = (pid) => {
	try { return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).length; } catch { return 0; }
};
const ticks = (pid) => {
	const f = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	return Number(f[11]) + Number(f[12]);
};

class Crowd {
	constructor(port, kinds) {
		this.port = port;
		this.next = sources(60);
		this.want = kinds;
		this.open = new Set();
		this.made = 0;
		this.tokens = kinds.idle + kinds.half; // the first ones come all at once
		this.timer = setInterval(() => this.refill(), 50);
		this.refill();
	}

	refill() {
		this.tokens += RATE / 20;
		while (this.open.size < this.want.idle + this.want.half && this.tokens-- >= 1) this.add();
	}

	add() {
		const half = this.made++ % (this.want.idle + this.want.half) < this.want.half;
		// 250 addresses.
		const address = `127.60.1.${1 + this.made % 250}`;
		const s = net.connect({ port: this.port, host: '127.0.0.1', localAddress: address });
		this.open.add(s);
		s.on('connect', () => { if (half) s.write(start); });
		s.on('error', () => {});
		s.on('data', () => {});
		s.on('close', () => { this.open.delete(s); });
	}

	stop() {
		clearInterval(this.timer);
		for (const s of this.open) s.destroy();
	}
}

for (const [name, max] of [['a small pool', Math.min(IDLE, 300)], ['the pool as it comes', 4096]]) {
	test(`${IDLE} idle connections and ${HALF} half handshakes: ${name}`, { timeout: 300000 }, async (t) => {
		const d = await startDaemon({ users: ['ann'], prefork: `spare 4\n\tmax ${max}` });
		const source = sources(61);
		let crowd;
		let sample;
		try {
			let most = 0;
			const zygotes = d.role('zygote').map((p) => p.pid);
			sample = setInterval(() => { most = Math.max(most, zygotes.reduce((n, z) => n + children(z), 0)); }, 100);
			const busy = [d.pid, ...zygotes];
			const before = busy.map(ticks);
			crowd = new Crowd(d.port, { idle: IDLE, half: HALF });
			const end = Date.now() + SECONDS * 1000;
			let logins = 0;
			const slow = [];
			// How many there are in a time is the machine's business; that they come, is not.
			while (Date.now() < end || logins < 3) {
				const from = Date.now();
				// A browser tries again when a connection is closed on it.
				const login = () => d.login('ann', password, { localAddress: source() });
				await login().catch(login).catch(login);
				slow.push(Date.now() - from);
				logins++;
				await sleep(200);
			}
			slow.sort((a, b) => a - b);
			t.diagnostic(`${crowd.made} connections; at most ${most} workers; ${logins} logins, median ${slow[slow.length >> 1]} ms, slowest ${slow.at(-1)} ms`);
			// Those that are being ended may still be there for a moment.
			assert.ok(most <= Math.min(max, 512 + 64) + 32, `${most} workers`);
			assert.ok(most >= Math.min(max, load(400)) / 2, `only ${most} workers: this proves nothing`);
			assert.doesNotMatch(d.log, /fork.*(unavailable|EAGAIN|Cannot allocate)/i);
			// With nothing new, the master and the zygote rest.
			crowd.stop();
			await waitFor('the crowd to be gone', () => status(d).unauthenticated === 0);
			const rest = busy.map(ticks);
			await sleep(1000);
			for (const [i, pid] of busy.entries()) assert.ok(ticks(pid) - rest[i] < 20, 'it spins');
			t.diagnostic(`cpu of master and zygote: ${busy.map((pid, i) => (rest[i] - before[i]) * 10).join(' and ')} ms`);
			assert.equal(status(d).crashes, 0);
		} finally {
			clearInterval(sample);
			crowd?.stop();
			await d.stop();
		}
	});
}
